"""Discussions and pull requests of a repository. Who may read the repository may read and join them.

A pull request is a discussion with a ref of its own, `refs/pr/NUM`, made at the head of the branch that it wants to
change; commits go there by the commit API or by git.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from corral.accounts import rights
from corral.context import Change, Context
from corral.core.errors import BadRequest, Conflict, Forbidden, NotFound, RevisionNotFound
from corral.core.ids import new_object_id
from corral.repos import commits, lookup, merges, read, refs
from corral.repos.commits import Header, Operation
from corral.repos.git import HEAD_REF, StoredPack
from corral.repos.lookup import Repo, Right
from corral.repos.read import CommitInfo
from corral.storage import schema as t

OPEN, CLOSED, MERGED, DRAFT = "open", "closed", "merged", "draft"

LEAST_TITLE, MOST_TITLE = 3, 200
#: characters of a comment
MOST_COMMENT = 64 * 1024
#: discussions on one page of a list
PAGE = 50


@dataclass(frozen=True, slots=True)
class Author:
    object_id: str
    name: str
    fullname: str


@dataclass(frozen=True, slots=True)
class Discussion:
    """`base` and `merge_commit` are a pull request's. Times in milliseconds."""

    id: int
    num: int
    title: str
    status: str
    is_pull_request: bool
    base: str | None
    merge_commit: str | None
    author_id: int
    author: Author
    created_at: int
    comments: int = 0

    @property
    def ref(self) -> str:
        return pull_ref(self.num)


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of a discussion. `type`: comment | status-change | title-change; `data` as the API has it."""

    object_id: str
    type: str
    author: Author
    created_at: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    discussions: list[Discussion]
    count: int
    closed: int
    start: int


def pull_ref(num: int) -> str:
    return f"refs/pr/{num}"


# --- opening -----------------------------------------------------------------------------------------------------


def open_discussion(ctx: Context, repo: Repo, title: str, description: str) -> int:
    """Start a discussion; returns its number."""
    _check_title(title)
    with ctx.change() as change:
        return _insert(ctx, change, repo, title, description, OPEN, None)


def open_pull_request(
    ctx: Context, repo: Repo, title: str, description: str, base_ref: str = HEAD_REF, *, draft: bool = False
) -> int:
    """Start a pull request against the branch `base_ref`; returns its number. `refs/pr/NUM` begins at its head.

    Raises RevisionNotFound when there is no such branch.
    """
    _, head = commits.head_of(ctx, repo, base_ref)
    with ctx.change() as change:
        return _open(ctx, change, repo, title, description, base_ref, head, None, DRAFT if draft else OPEN)


def propose(ctx: Context, repo: Repo, base: str, header: Header, operations: Iterable[Operation]) -> tuple[int, str]:
    """Open a pull request against the branch `base` with a commit in it; returns its number and the commit.

    A commit that is refused opens none. Raises what `commits.commit` raises.
    """
    base_ref, _ = commits.head_of(ctx, repo, base)
    opened: list[int] = []

    def land(change: Change, _head: str, oid: str, pack: StoredPack) -> str:
        opened[:] = [_open(ctx, change, repo, header.summary, header.description, base_ref, oid, pack, OPEN)]
        return pull_ref(opened[0])

    done = commits.commit(ctx, repo, base, header, operations, land)
    return opened[0], done.oid


def _open(
    ctx: Context,
    change: Change,
    repo: Repo,
    title: str,
    description: str,
    base_ref: str,
    head: str,
    pack: StoredPack | None,
    status: str,
) -> int:
    if not base_ref.startswith("refs/heads/"):
        raise RevisionNotFound(f"Invalid rev id: a pull request is opened against a branch, not {base_ref}")
    num = _insert(ctx, change, repo, title[:MOST_TITLE], description, status, base_ref)
    refs.move(ctx, change, repo, [refs.RefUpdate(pull_ref(num), "", head)], pack)
    return num


def _insert(
    ctx: Context, change: Change, repo: Repo, title: str, description: str, status: str, base: str | None
) -> int:
    user_id = _user(ctx)
    _check_comment(description)
    c = change.connection
    # numbers are given out one at a time
    c.execute(select(t.repos.c.id).where(t.repos.c.id == repo.id).with_for_update())
    last = c.scalar(select(func.max(t.discussions.c.num)).where(t.discussions.c.repo_id == repo.id))
    num = int(last or 0) + 1
    values = {
        "repo_id": repo.id,
        "num": num,
        "title": title.strip(),
        "status": status,
        "is_pull_request": base is not None,
        "base": base,
        "author_id": user_id,
        "created_at": ctx.clock(),
    }
    discussion_id = c.scalar(insert(t.discussions).values(values).returning(t.discussions.c.id))
    if description.strip():
        _record(ctx, c, int(discussion_id or 0), "comment", _comment(ctx, description))
    return num


def _user(ctx: Context) -> int:
    user_id = rights.require_signed_in(ctx.actor)
    if not ctx.actor.may_write:
        raise Forbidden("This token may only read: use one with the role 'write' to take part in a discussion.")
    return user_id


def _check_title(title: str) -> None:
    if not LEAST_TITLE <= len(title.strip()) <= MOST_TITLE:
        raise BadRequest(f"A title has {LEAST_TITLE} to {MOST_TITLE} characters.", code="InvalidTitle")


def _check_comment(text: str) -> None:
    if len(text) > MOST_COMMENT:
        raise BadRequest(f"A comment has at most {MOST_COMMENT} characters.", code="InvalidComment")


def _comment(ctx: Context, text: str) -> dict[str, Any]:
    return {"raw": text.replace("\0", ""), "edited": False, "hidden": False, "updated_at": ctx.clock(), "history": []}


def _record(ctx: Context, c: Connection, discussion_id: int, type: str, data: dict[str, Any]) -> str:
    object_id = new_object_id()
    c.execute(
        insert(t.discussion_events).values(
            object_id=object_id,
            discussion_id=discussion_id,
            type=type,
            author_id=_user(ctx),
            data=data,
            created_at=ctx.clock(),
        )
    )
    return object_id


# --- reading -----------------------------------------------------------------------------------------------------

_COMMENTS = (
    select(func.count())
    .where(t.discussion_events.c.discussion_id == t.discussions.c.id, t.discussion_events.c.type == "comment")
    .correlate(t.discussions)
    .scalar_subquery()
)


def _discussions(repo: Repo) -> Select[Any]:
    return (
        select(
            t.discussions,
            t.accounts.c.object_id.label("author_object_id"),
            t.accounts.c.name.label("author_name"),
            t.accounts.c.fullname.label("author_fullname"),
            _COMMENTS.label("comments"),
        )
        .join(t.accounts, t.accounts.c.id == t.discussions.c.author_id)
        .where(t.discussions.c.repo_id == repo.id)
    )


def _from_row(row: Any) -> Discussion:
    return Discussion(
        id=row.id,
        num=row.num,
        title=row.title,
        status=row.status,
        is_pull_request=row.is_pull_request,
        base=row.base,
        merge_commit=row.merge_commit,
        author_id=row.author_id,
        author=Author(row.author_object_id, row.author_name, row.author_fullname),
        created_at=row.created_at,
        comments=row.comments,
    )


def page(
    ctx: Context,
    repo: Repo,
    number: int = 0,
    *,
    pull_requests: bool | None = None,
    status: str | None = None,
    author: str | None = None,
) -> Page:
    """The `number`-th page (from 0), newest first. `status`: 'open' (a draft is open, too), 'closed' (or merged)."""
    conditions = [t.discussions.c.repo_id == repo.id]
    if pull_requests is not None:
        conditions.append(t.discussions.c.is_pull_request.is_(pull_requests))
    if author is not None:
        conditions.append(t.accounts.c.name_lower == author.lower())
    closed = t.discussions.c.status.in_((CLOSED, MERGED))
    wanted = {"open": [~closed], "closed": [closed]}.get(status or "", [])
    joined = t.discussions.join(t.accounts, t.accounts.c.id == t.discussions.c.author_id)
    numbers = select(func.count()).select_from(joined).where(*conditions)
    start = number * PAGE
    rows = _discussions(repo).where(*conditions, *wanted).order_by(t.discussions.c.num.desc()).offset(start).limit(PAGE)
    with ctx.db.read() as c:
        found = [_from_row(row) for row in c.execute(rows)]
        count = int(c.scalar(numbers.where(*wanted)) or 0)
        done = int(c.scalar(numbers.where(closed)) or 0)
    return Page(found, count, done, start)


def find(ctx: Context, repo: Repo, num: int) -> Discussion:
    """Raises NotFound."""
    with ctx.db.read() as c:
        row = c.execute(_discussions(repo).where(t.discussions.c.num == num)).first() if num < 2**31 else None
    if row is None:
        raise NotFound(f"{repo.rid} has no discussion {num}.", code="DiscussionNotFound")
    return _from_row(row)


def happenings(ctx: Context, discussion: Discussion) -> list[Happening]:
    """All that happened in it, oldest first."""
    return _happenings(ctx, t.discussion_events.c.discussion_id == discussion.id)


def _happenings(ctx: Context, condition: Any) -> list[Happening]:
    query = (
        select(t.discussion_events, t.accounts.c.object_id.label("by"), t.accounts.c.name, t.accounts.c.fullname)
        .join(t.accounts, t.accounts.c.id == t.discussion_events.c.author_id)
        .where(condition)
        .order_by(t.discussion_events.c.id)
    )
    with ctx.db.read() as c:
        return [
            Happening(row.object_id, row.type, Author(row.by, row.name, row.fullname), row.created_at, row.data)
            for row in c.execute(query)
        ]


def _happening(ctx: Context, object_id: str) -> Happening:
    (one,) = _happenings(ctx, t.discussion_events.c.object_id == object_id)
    return one


# --- taking part -------------------------------------------------------------------------------------------------


def _require_say(ctx: Context, repo: Repo, discussion: Discussion, what: str) -> None:
    """Its author has a say in a discussion, and who may write to the repository."""
    if _user(ctx) != discussion.author_id and not lookup.may(ctx, repo, Right.WRITE):
        raise Forbidden(f"Only its author and those who may write to {repo.rid} may {what}.")


def comment(ctx: Context, repo: Repo, discussion: Discussion, text: str) -> Happening:
    if not text.strip():
        raise BadRequest("A comment cannot be empty.", code="InvalidComment")
    _check_comment(text)
    with ctx.change() as change:
        object_id = _record(ctx, change.connection, discussion.id, "comment", _comment(ctx, text))
    return _happening(ctx, object_id)


def rename(ctx: Context, repo: Repo, discussion: Discussion, title: str) -> Happening:
    _require_say(ctx, repo, discussion, "change its title")
    _check_title(title)
    title = title.strip()
    with ctx.change() as change:
        c = change.connection
        c.execute(update(t.discussions).where(t.discussions.c.id == discussion.id).values(title=title))
        object_id = _record(ctx, c, discussion.id, "title-change", {"from": discussion.title, "to": title})
    return _happening(ctx, object_id)


def set_status(ctx: Context, repo: Repo, discussion: Discussion, status: str, text: str = "") -> Happening:
    """Open or close it, with a comment if there is one to make. A draft that is opened is ready to be merged."""
    _require_say(ctx, repo, discussion, "open or close it")
    if status not in (OPEN, CLOSED):
        raise BadRequest(f"The status must be 'open' or 'closed', not {status!r}.", code="InvalidStatus")
    _check_comment(text)
    with ctx.change() as change:
        c = change.connection
        here = (t.discussions.c.id == discussion.id) & (t.discussions.c.status != MERGED)
        if c.execute(update(t.discussions).where(here).values(status=status)).rowcount != 1:
            raise Conflict("It is merged already: open a new one.", code="AlreadyMerged")
        if text.strip():
            _record(ctx, c, discussion.id, "comment", _comment(ctx, text))
        object_id = _record(ctx, c, discussion.id, "status-change", {"status": status})
    return _happening(ctx, object_id)


def edit_comment(ctx: Context, repo: Repo, discussion: Discussion, object_id: str, text: str) -> Happening:
    """Change one's own comment; what it said before stays in its history."""
    if not text.strip():
        raise BadRequest("A comment cannot be empty.", code="InvalidComment")
    _check_comment(text)
    user_id = _user(ctx)
    with ctx.change() as change:
        row = _own_comment(change.connection, discussion, object_id)
        if row.author_id != user_id:
            raise Forbidden("Only its author may edit a comment.")
        if row.data["hidden"]:
            raise Forbidden("A hidden comment cannot be edited.")
        before = {"raw": row.data["raw"], "updated_at": row.data["updated_at"]}
        data = _comment(ctx, text) | {"edited": True, "history": [*row.data["history"], before][-100:]}
        _store(change.connection, object_id, data)
    return _happening(ctx, object_id)


def hide_comment(ctx: Context, repo: Repo, discussion: Discussion, object_id: str) -> Happening:
    """Take a comment away for good: its text and history are gone."""
    user_id = _user(ctx)
    with ctx.change() as change:
        row = _own_comment(change.connection, discussion, object_id)
        if row.author_id != user_id and not lookup.may(ctx, repo, Right.WRITE):
            raise Forbidden(f"Only its author and those who may write to {repo.rid} may hide a comment.")
        _store(change.connection, object_id, _comment(ctx, "") | {"hidden": True, "edited": row.data["edited"]})
    return _happening(ctx, object_id)


def _own_comment(c: Connection, discussion: Discussion, object_id: str) -> Any:
    row = c.execute(
        select(t.discussion_events).where(
            t.discussion_events.c.object_id == object_id,
            t.discussion_events.c.discussion_id == discussion.id,
            t.discussion_events.c.type == "comment",
        )
    ).first()
    if row is None:
        raise NotFound(f"Discussion {discussion.num} has no comment {object_id}.", code="CommentNotFound")
    return row


def _store(c: Connection, object_id: str, data: dict[str, Any]) -> None:
    c.execute(update(t.discussion_events).where(t.discussion_events.c.object_id == object_id).values(data=data))


# --- pull requests -----------------------------------------------------------------------------------------------


def may_push(ctx: Context, repo: Repo, ref: str) -> bool:
    """Whether the actor may commit to `refs/pr/NUM`: who opened the pull request may, while it is not done."""
    head, _, num = ref.rpartition("/")
    if head != "refs/pr" or not num.isdecimal() or not ctx.actor.may_write:
        return False
    with ctx.db.read() as c:
        row = c.execute(_discussions(repo).where(t.discussions.c.num == int(num[:9]))).first()
    return row is not None and row.author_id == ctx.actor.account_id and row.status in (OPEN, DRAFT)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a pull request brings: its commits, oldest first, and the files in the way of a merge."""

    head: str
    base: str
    commits: Sequence[CommitInfo]
    conflicts: Sequence[str]


def changes(ctx: Context, repo: Repo, discussion: Discussion) -> Changes:
    """Against its branch as it is now; once merged, against the branch as it was then. `base`: where they parted."""
    head = refs.read(ctx, repo.id, discussion.ref) or ""
    ours = refs.read(ctx, repo.id, discussion.base or "") or ""
    if discussion.merge_commit:
        parents = read.commit_info(ctx, repo, discussion.merge_commit).parents
        ours, head = parents[0], parents[-1]
    if not head or not ours:
        return Changes(head, ours, (), ())
    compared = merges.compare(ctx, repo, ours, head)
    conflicts = () if discussion.merge_commit else compared.conflicts
    return Changes(head, compared.base or ours, merges.between(ctx, repo, ours, head), conflicts)


def merge(ctx: Context, repo: Repo, discussion: Discussion, text: str = "") -> str:
    """Merge a pull request into its branch; returns the merge commit. Raises Conflict when it cannot be merged."""
    lookup.require(ctx, repo, Right.WRITE)
    _check_comment(text)
    if not discussion.is_pull_request:
        raise BadRequest(f"{discussion.num} is a discussion, not a pull request.", code="NotAPullRequest")
    if discussion.status not in (OPEN, DRAFT):
        raise Conflict(f"The pull request is {discussion.status}: it cannot be merged.", code="NotOpen")
    head = refs.read(ctx, repo.id, discussion.ref)
    if head is None:
        raise RevisionNotFound(f"Invalid rev id: {discussion.ref}")
    subject = f"{discussion.title} (#{discussion.num})"

    def done(change: Change, oid: str) -> None:
        c = change.connection
        values = {"status": MERGED, "merge_commit": oid}
        c.execute(update(t.discussions).where(t.discussions.c.id == discussion.id).values(values))
        if text.strip():
            _record(ctx, c, discussion.id, "comment", _comment(ctx, text))
        _record(ctx, c, discussion.id, "status-change", {"status": MERGED})

    return merges.merge(ctx, repo, discussion.base or HEAD_REF, head, subject, done)
