"""Telling clients which chunks the hub has, so that they upload only others (hub-docs `docs/xet/deduplication.md`)."""

from __future__ import annotations

from sqlalchemy import Select, and_, or_, select

from corral.context import Context
from corral.repos.xet import hashing, shard, xorbs
from corral.storage import schema as t

#: xorbs that one answer lists at most: 4 GB of data, 3 MB of answer
_MOST_XORBS = 64
#: an answer is good for one to two weeks: less than what is unused stays (`repos.gc`)
_PERIOD = 7 * 24 * 3600


def answer(ctx: Context, repo_id: int, actor_id: int | None, chunk: str) -> bytes | None:
    """A shard that lists xorbs with this chunk, and others of the files it is in; None when there is nothing to tell.

    Only of xorbs that the repository has, or another one that the actor may read; see the package's docstring.
    """
    hashing.from_hex(chunk)
    with ctx.db.read() as c:
        chunk_at = select(t.xet_dedup_chunks.c.xorb).where(t.xet_dedup_chunks.c.chunk == chunk)
        found = list(c.scalars(_visible(repo_id, actor_id).where(t.repo_xorbs.c.hash.in_(chunk_at)).limit(_MOST_XORBS)))
        if not found:
            return None
        uses = t.xet_file_xorbs.c
        beside = select(uses.xorb).where(uses.file.in_(select(uses.file).where(uses.xorb.in_(found))))
        others = c.scalars(_visible(repo_id, actor_id).where(t.repo_xorbs.c.hash.in_(beside)).limit(_MOST_XORBS))
        listed = list(dict.fromkeys([*found, *others]))[:_MOST_XORBS]
    # what a client is told of must stay
    xorbs.touch(ctx, listed)
    indexes = xorbs.Indexes(ctx)
    raw = [hashing.from_hex(xorb) for xorb in listed]
    indexes.load(raw)
    seconds = ctx.clock() // 1000
    period = seconds // _PERIOD
    # one key a week, since clients look every chunk up once for each key they know
    key = bytes.fromhex(ctx.sign("xet-dedup", str(period)))
    known = [(xorb, index) for xorb in raw if (index := indexes.get(xorb)) is not None]
    return shard.write_answer(known, key, seconds, (period + 2) * _PERIOD)


def _visible(repo_id: int, actor_id: int | None) -> Select[tuple[str]]:
    readable = [t.repos.c.id == repo_id, and_(t.repos.c.private.is_(False), t.repos.c.gated.is_(None))]
    if actor_id is not None:
        member = select(t.org_members.c.org_id).where(t.org_members.c.user_id == actor_id)
        readable += [t.repos.c.owner_id == actor_id, t.repos.c.owner_id.in_(member)]
    join = t.repo_xorbs.join(t.repos, t.repos.c.id == t.repo_xorbs.c.repo_id)
    return select(t.repo_xorbs.c.hash).distinct().select_from(join).where(or_(*readable))
