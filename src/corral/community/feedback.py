"""What people think of a model's answers: a thumb, a note, a better answer.

It counts for nothing until the model's owner accepts it (`community.feedback_data` then writes it into a data set).
What makes an opinion doubtful is said beside it (`community.feedback_audit`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.accounts import rights
from corral.context import Context
from corral.core.errors import BadRequest, Forbidden, NotFound, TooLarge, TooManyRequests
from corral.core.ids import new_object_id
from corral.repos import lookup, read
from corral.repos.lookup import Repo, Right
from corral.storage import schema as t

PENDING, ACCEPTED, REJECTED = "pending", "accepted", "rejected"

#: opinions that one person may give in an hour, on all models together
EACH_HOUR = 60
_HOUR_MS = 3_600_000
#: bytes of an input or an output as JSON
MOST_BYTES = 512 * 1024
#: characters of a note or a better answer
MOST_TEXT = 20_000
#: opinions on one page of a list, and that can be decided at once
PAGE = 50
MOST_AT_ONCE = 500

_ID = t.feedback.c.object_id


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says of one answer. `input` and `output` are JSON as the model took and gave them."""

    commit: str
    task: str
    input: Any
    output: Any
    good: bool
    note: str = ""
    better: str = ""
    source: str = "api"


@dataclass(frozen=True, slots=True)
class Entry:
    """An opinion that was given."""

    id: int
    object_id: str
    opinion: Opinion
    rater: str
    rater_id: int
    status: str
    created_at: int
    input_digest: str
    output_digest: str


@dataclass(frozen=True, slots=True)
class Counts:
    pending: int
    accepted: int
    rejected: int


def give(ctx: Context, repo: Repo, opinion: Opinion) -> str:
    """Keep the actor's opinion; returns its id. Given again for the same answer it replaces the one before, until that
    is decided. Where it says something else it has another id, so that an owner accepts only what they have seen.

    Raises Unauthorized, Forbidden for a token that may only read, TooManyRequests, BadRequest, TooLarge.
    """
    user_id = rights.require_signed_in(ctx.actor)
    if not ctx.actor.may_write:
        raise Forbidden("This token may only read: use one with the role 'write' to give feedback.")
    _check(opinion)
    commit = read.commit_of(ctx, repo, opinion.commit or "main")
    values: dict[str, Any] = {
        "commit_oid": commit,
        "task": opinion.task,
        "source": opinion.source,
        "input": opinion.input,
        "output": opinion.output,
        "good": opinion.good,
        "note": opinion.note.strip(),
        "better": opinion.better.strip(),
        "created_at": ctx.clock(),
    }
    same = (
        (t.feedback.c.repo_id == repo.id)
        & (t.feedback.c.user_id == user_id)
        & (t.feedback.c.input_digest == digest(opinion.input))
        & (t.feedback.c.output_digest == digest(opinion.output))
    )
    with ctx.change() as change:
        c = change.connection
        waits = same & (t.feedback.c.status == PENDING)
        unchanged = [t.feedback.c[name] == values[name] for name in ("good", "note", "better")]
        object_id: str | None = c.scalar(update(t.feedback).where(waits, *unchanged).values(values).returning(_ID))
        if object_id is None:
            renamed = values | {"object_id": new_object_id()}
            object_id = c.scalar(update(t.feedback).where(waits).values(renamed).returning(_ID))
        if object_id is not None:
            return object_id
        since = ctx.clock() - _HOUR_MS
        mine = select(func.count()).where(t.feedback.c.user_id == user_id, t.feedback.c.created_at > since)
        if (c.scalar(mine) or 0) >= EACH_HOUR:
            raise TooManyRequests(f"You gave {EACH_HOUR} opinions within an hour: go on later.", retry_after=600)
        values |= {
            "object_id": new_object_id(),
            "repo_id": repo.id,
            "user_id": user_id,
            "input_digest": digest(opinion.input),
            "output_digest": digest(opinion.output),
            "status": PENDING,
        }
        try:
            with c.begin_nested():
                return str(c.scalar(insert(t.feedback).values(values).returning(t.feedback.c.object_id)))
        except IntegrityError:
            decided: str | None = c.scalar(select(t.feedback.c.object_id).where(same))
    if decided is None:
        raise NotFound("The model was deleted meanwhile.")
    return decided


def _check(opinion: Opinion) -> None:
    for name, value in (("input", opinion.input), ("output", opinion.output)):
        if value is None or value == "":
            raise BadRequest(f"The member {name!r} is missing: say what the opinion is about.")
        if len(_json(value)) > MOST_BYTES:
            raise TooLarge(f"The member {name!r} has more than {MOST_BYTES} bytes, which is too much to keep.")
    for name, text in (("note", opinion.note), ("better", opinion.better)):
        if len(text) > MOST_TEXT:
            raise TooLarge(f"The member {name!r} is longer than {MOST_TEXT} characters: shorten it.")
    if len(opinion.task) > 64 or len(opinion.source) > 100:
        raise BadRequest("'task' and 'source' are short names.")


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise BadRequest(f"What the opinion is about cannot be kept: {error}.") from None


def digest(value: Any) -> str:
    """What tells one input or output from another."""
    return hashlib.sha256(_json(value)).hexdigest()


# --- for the model's owner ---------------------------------------------------------------------------------------


def counts(ctx: Context, repo: Repo) -> Counts:
    query = select(t.feedback.c.status, func.count()).where(t.feedback.c.repo_id == repo.id).group_by("status")
    with ctx.db.read() as c:
        found: dict[str, int] = {row[0]: row[1] for row in c.execute(query)}
    return Counts(found.get(PENDING, 0), found.get(ACCEPTED, 0), found.get(REJECTED, 0))


def page(ctx: Context, repo: Repo, status: str = PENDING, before: int | None = None) -> list[Entry]:
    """At most PAGE opinions, newest first, from before the row number `before` on. For who may write to the model."""
    lookup.require(ctx, repo, Right.WRITE)
    query = _entries().where(t.feedback.c.repo_id == repo.id, t.feedback.c.status == status)
    if before is not None:
        query = query.where(t.feedback.c.id < before)
    with ctx.db.read() as c:
        return [_entry(row) for row in c.execute(query.order_by(t.feedback.c.id.desc()).limit(PAGE))]


def chosen(ctx: Context, repo: Repo, ids: Sequence[str], status: str = PENDING) -> list[Entry]:
    """Those of the opinions with `ids` that have `status`, oldest first. For who may write to the model."""
    lookup.require(ctx, repo, Right.WRITE)
    if len(ids) > MOST_AT_ONCE:
        raise BadRequest(f"At most {MOST_AT_ONCE} opinions can be decided at once.")
    query = _entries().where(
        t.feedback.c.repo_id == repo.id, t.feedback.c.object_id.in_(list(ids)), t.feedback.c.status == status
    )
    with ctx.db.read() as c:
        return [_entry(row) for row in c.execute(query.order_by(t.feedback.c.id))]


def accepted(ctx: Context, repo: Repo, input_digests: Sequence[str]) -> list[Entry]:
    """What was accepted before about these inputs."""
    query = _entries().where(
        t.feedback.c.repo_id == repo.id,
        t.feedback.c.status == ACCEPTED,
        t.feedback.c.input_digest.in_(list(input_digests)),
    )
    with ctx.db.read() as c:
        return [_entry(row) for row in c.execute(query.order_by(t.feedback.c.id))]


def reject(ctx: Context, repo: Repo, ids: Sequence[str]) -> int:
    """Set opinions aside that wait; returns how many did."""
    entries = chosen(ctx, repo, ids)
    with ctx.db.write() as c:
        done = c.execute(
            update(t.feedback)
            .where(_ID.in_([e.object_id for e in entries]), t.feedback.c.status == PENDING)
            .values(status=REJECTED, decided_by=ctx.actor.account_id)
        )
        return done.rowcount


def withdraw(ctx: Context, repo: Repo, object_id: str) -> None:
    """Take back an opinion of one's own that is not decided yet. Raises NotFound."""
    user_id = rights.require_signed_in(ctx.actor)
    with ctx.db.write() as c:
        done = c.execute(
            delete(t.feedback).where(
                t.feedback.c.repo_id == repo.id,
                t.feedback.c.object_id == object_id,
                t.feedback.c.user_id == user_id,
                t.feedback.c.status == PENDING,
            )
        )
    if done.rowcount != 1:
        raise NotFound("There is no opinion of yours with this id that waits for a decision.")


def _entries() -> Select[Any]:
    return select(t.feedback, t.accounts.c.name.label("rater")).join(
        t.accounts, t.accounts.c.id == t.feedback.c.user_id
    )


def _entry(row: Any) -> Entry:
    opinion = Opinion(row.commit_oid, row.task, row.input, row.output, bool(row.good), row.note, row.better, row.source)
    return Entry(
        row.id,
        row.object_id,
        opinion,
        row.rater,
        row.user_id,
        row.status,
        row.created_at,
        row.input_digest,
        row.output_digest,
    )
