"""Likes: who likes what. Private repositories are seen, and liked, only by those who may read them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, tuple_, update

from corral.accounts import people, rights
from corral.context import Context
from corral.core.errors import Forbidden
from corral.core.ids import RepoId, RepoType
from corral.repos.lookup import Repo, visible
from corral.storage import schema as t
from corral.storage.upsert import insert_missing


@dataclass(frozen=True, slots=True)
class Like:
    """`at` in milliseconds."""

    rid: RepoId
    at: int
    repo_id: int


@dataclass(frozen=True, slots=True)
class Liker:
    name: str
    fullname: str
    at: int
    user_id: int


def like(ctx: Context, repo: Repo) -> None:
    """Liking twice is liking once. `repo` was found with the right to read it."""
    user_id = _user(ctx)
    with ctx.db.write() as c:
        insert_missing(c, t.likes, [{"repo_id": repo.id, "user_id": user_id, "created_at": ctx.clock()}])
        _recount(c, repo.id)


def unlike(ctx: Context, repo: Repo) -> None:
    user_id = _user(ctx)
    with ctx.db.write() as c:
        c.execute(delete(t.likes).where(t.likes.c.repo_id == repo.id, t.likes.c.user_id == user_id))
        _recount(c, repo.id)


def _user(ctx: Context) -> int:
    user_id = rights.require_signed_in(ctx.actor)
    if not ctx.actor.may_write:
        raise Forbidden("This token may only read: use one with the role 'write' to like something.")
    return user_id


def _recount(c: Connection, repo_id: int) -> None:
    count = select(func.count()).where(t.likes.c.repo_id == repo_id).scalar_subquery()
    c.execute(update(t.listings).where(t.listings.c.repo_id == repo_id).values(likes=count))


def likes(ctx: Context, repo: Repo) -> bool:
    """Whether the actor likes it."""
    if ctx.actor.account_id is None:
        return False
    query = select(t.likes.c.repo_id).where(t.likes.c.repo_id == repo.id, t.likes.c.user_id == ctx.actor.account_id)
    with ctx.db.read() as c:
        return c.scalar(query) is not None


def liked(ctx: Context, name: str, *, before: tuple[int, int] | None = None, limit: int = 1000) -> list[Like]:
    """What the user `name` likes and the actor may see, newest first.

    `before` is (time, repository) of the last one of the page before. Raises NotFound when there is no such user.
    """
    query = (
        select(t.repos.c.type, t.repos.c.full_name, t.likes.c.created_at, t.likes.c.repo_id)
        .join(t.repos, t.repos.c.id == t.likes.c.repo_id)
        .where(t.likes.c.user_id == people.find_user(ctx, name).id, visible(ctx))
        .order_by(t.likes.c.created_at.desc(), t.likes.c.repo_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(t.likes.c.created_at, t.likes.c.repo_id) < tuple_(*before))
    with ctx.db.read() as c:
        return [
            Like(RepoId.parse(RepoType(type), full_name), at, repo_id)
            for type, full_name, at, repo_id in c.execute(query)
        ]


def likers(ctx: Context, repo: Repo, *, before: tuple[int, int] | None = None, limit: int = 1000) -> list[Liker]:
    """Who likes it, newest first. `before` is (time, user id) of the last one of the page before."""
    query = (
        select(t.accounts.c.name, t.accounts.c.fullname, t.likes.c.created_at, t.likes.c.user_id)
        .join(t.accounts, t.accounts.c.id == t.likes.c.user_id)
        .where(t.likes.c.repo_id == repo.id)
        .order_by(t.likes.c.created_at.desc(), t.likes.c.user_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(t.likes.c.created_at, t.likes.c.user_id) < tuple_(*before))
    with ctx.db.read() as c:
        return [Liker(name, fullname, at, user_id) for name, fullname, at, user_id in c.execute(query)]
