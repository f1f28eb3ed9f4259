"""Telling clients which chunks the hub has, so that they upload only others (hub-docs `docs/xet/deduplication.md`)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile

from sqlalchemy import Connection, Select, and_, or_, select

from corral.context import Context
from corral.repos.xet import hashing, shard, xorbs
from corral.repos.xet.terms import Terms
from corral.storage import schema as t

#: xorbs that one answer lists at most: 4 GB of data, 3 MB of answer
_MOST_XORBS = 64
#: xorbs with the chunk itself that it lists at most
_MOST_COPIES = 4
#: milliseconds within which a xorb that was used need not be marked as used again
_FRESH = 24 * 3600 * 1000
#: an answer is good for one to two weeks: less than what is unused stays (`repos.gc`)
_PERIOD = 7 * 24 * 3600


def answer(ctx: Context, repo_id: int, actor_id: int | None, chunk: str) -> bytes | None:
    """A shard that lists xorbs with this chunk, and those that follow in a file; None when there is nothing to tell.

    Only of xorbs that the repository has, or another one that the actor may read; see the package's docstring.
    """
    hashing.from_hex(chunk)
    with ctx.db.read() as c:
        chunk_at = select(t.xet_dedup_chunks.c.xorb).where(t.xet_dedup_chunks.c.chunk == chunk)
        visible = _visible(repo_id, actor_id)
        found = list(c.scalars(visible.where(t.repo_xorbs.c.hash.in_(chunk_at)).limit(_MOST_COPIES)))
        if not found:
            return None
        listed = list(dict.fromkeys([*found, *_following(c, found[0])]))[:_MOST_XORBS]
        seen = set(c.scalars(visible.where(t.repo_xorbs.c.hash.in_(listed))))
        listed = [xorb for xorb in listed if xorb in seen]
        x = t.xorbs.c
        forgotten = list(c.scalars(select(x.hash).where(x.hash.in_(listed), x.used_at < ctx.clock() - _FRESH)))
    if forgotten:
        # what a client is told of must stay
        xorbs.touch(ctx, forgotten)
    indexes = xorbs.Indexes(ctx)
    raw = [hashing.from_hex(xorb) for xorb in listed]
    indexes.load(raw)
    seconds = ctx.clock() // 1000
    period = seconds // _PERIOD
    # one key a week, since clients look every chunk up once for each key they know
    key = bytes.fromhex(ctx.sign("xet-dedup", str(period)))
    known = [(xorb, index) for xorb in raw if (index := indexes.get(xorb)) is not None]
    return shard.write_answer(known, key, seconds, (period + 2) * _PERIOD)


def _following(c: Connection, xorb: str) -> Iterator[str]:
    """The xorbs of the newest file that has `xorb`, from there on: what the client's file is likely to have next."""
    f, uses = t.xet_files.c, t.xet_file_xorbs.c
    newest = select(f.terms).join(t.xet_file_xorbs, uses.file == f.hash).where(uses.xorb == xorb)
    packed = c.scalar(newest.order_by(f.used_at.desc()).limit(1))
    terms = Terms(packed or b"")
    names = dict.fromkeys(hashing.to_hex(terms[number].xorb) for number in range(len(terms)))
    return dropwhile(lambda name: name != xorb, names)


def _visible(repo_id: int, actor_id: int | None) -> Select[str]:
    readable = [t.repos.c.id == repo_id, and_(t.repos.c.private.is_(False), t.repos.c.gated.is_(None))]
    if actor_id is not None:
        member = select(t.org_members.c.org_id).where(t.org_members.c.user_id == actor_id)
        readable += [t.repos.c.owner_id == actor_id, t.repos.c.owner_id.in_(member)]
    join = t.repo_xorbs.join(t.repos, t.repos.c.id == t.repo_xorbs.c.repo_id)
    return select(t.repo_xorbs.c.hash).distinct().select_from(join).where(or_(*readable))
