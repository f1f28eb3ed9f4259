"""From an id to a repository, with the right to use it. What an actor may not see does not exist for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select, true

from corral.accounts import rights
from corral.context import Context
from corral.core.errors import Forbidden, GatedRepo, HubError, RepoNotFound, Unauthorized
from corral.core.ids import RepoId, RepoType
from corral.storage import schema as t


class Right(Enum):
    READ = "read"
    #: the files themselves: a gated repository is seen by everybody, and downloaded by those let in
    DOWNLOAD = "download"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Repo:
    id: int
    object_id: str
    rid: RepoId
    owner_id: int
    creator_id: int | None
    private: bool
    gated: str | None
    disabled: bool
    sdk: str | None
    subdomain: str | None
    created_at: int
    updated_at: int
    used_storage: int
    #: the owner lets the code that a model brings run, in the sandbox
    runs_code: bool = False

    @property
    def type(self) -> RepoType:
        return self.rid.type

    @property
    def full_name(self) -> str:
        return str(self.rid)


class RepoMoved(HubError):
    """The repository has another name now; a face answers with a redirect to it."""

    status = 307
    code = "RepoMoved"

    def __init__(self, old: RepoId, new: RepoId) -> None:
        super().__init__(f"{old} is now {new}.")
        self.old = old
        self.new = new


#: an account that nobody is: who may read what it keeps private may read everything
_NO_OWNER = -1

COLUMNS = (
    t.repos.c.id,
    t.repos.c.object_id,
    t.repos.c.type,
    t.repos.c.full_name,
    t.repos.c.owner_id,
    t.repos.c.creator_id,
    t.repos.c.private,
    t.repos.c.gated,
    t.repos.c.disabled,
    t.repos.c.sdk,
    t.repos.c.subdomain,
    t.repos.c.runs_code,
    t.repos.c.created_at,
    t.repos.c.updated_at,
    t.repos.c.used_storage,
)


# prepared once: building an expression costs more than running it
_BY_NAME = select(*COLUMNS).where(t.repos.c.type == bindparam("type"), t.repos.c.full_lower == bindparam("key"))
_BY_OLD_NAME = (
    select(*COLUMNS)
    .join(t.repo_redirects, t.repo_redirects.c.repo_id == t.repos.c.id)
    .where(t.repo_redirects.c.type == bindparam("type"), t.repo_redirects.c.full_lower == bindparam("key"))
)


def from_row(row: Any) -> Repo:
    """A Repo from a row that holds `COLUMNS`."""
    return Repo(
        id=row.id,
        object_id=row.object_id,
        rid=RepoId.parse(RepoType(row.type), row.full_name),
        owner_id=row.owner_id,
        creator_id=row.creator_id,
        private=row.private,
        gated=row.gated,
        disabled=row.disabled,
        sdk=row.sdk,
        subdomain=row.subdomain,
        runs_code=bool(row.runs_code),
        created_at=row.created_at,
        updated_at=row.updated_at,
        used_storage=row.used_storage,
    )


def may(ctx: Context, repo: Repo, right: Right) -> bool:
    actor = ctx.actor
    match right:
        case Right.READ:
            return not repo.private or rights.may_read_private(actor, repo.owner_id)
        case Right.DOWNLOAD:
            return not (repo.private or repo.gated) or rights.may_read_private(actor, repo.owner_id)
        case Right.WRITE | Right.ADMIN:
            # who may write may also rename, set up and delete, as on the real hub (accounts.rights)
            return rights.may_write(actor, repo.owner_id, repo.creator_id)


def visible(ctx: Context) -> ColumnElement[bool]:
    """The condition on `repos` rows that leaves those the actor may see: `may(…, READ)` for queries."""
    actor = ctx.actor
    if rights.may_read_private(actor, _NO_OWNER):
        return true()
    mine = [i for i in (actor.account_id, *actor.orgs) if i is not None and rights.may_read_private(actor, i)]
    public = t.repos.c.private.is_(False)
    return or_(public, t.repos.c.owner_id.in_(mine)) if mine else public


def find(ctx: Context, rid: RepoId, right: Right = Right.READ) -> Repo:
    """The repository `rid` names (case does not matter), for an actor who has `right` to it.

    Raises RepoNotFound when it is absent or hidden, RepoMoved when it was renamed, Unauthorized or Forbidden when the
    actor may see it but not do this.
    """
    named = {"type": rid.type.value, "key": str(rid).lower()}
    with ctx.db.read() as c:
        row = c.execute(_BY_NAME, named).first()
        moved = None if row is not None else c.execute(_BY_OLD_NAME, named).first()
    if row is None and moved is None:
        raise RepoNotFound
    repo = from_row(row or moved)
    if not may(ctx, repo, Right.READ):
        raise RepoNotFound
    if moved is not None:
        raise RepoMoved(rid, repo.rid)
    require(ctx, repo, right)
    return repo


def require(ctx: Context, repo: Repo, right: Right) -> None:
    """Raise unless the actor, who may see `repo`, has `right` to it."""
    if may(ctx, repo, right):
        return
    if right is Right.DOWNLOAD:
        raise _gated(ctx, repo)
    if ctx.actor.is_anonymous:
        raise Unauthorized(f"Sign in, or send an access token, to change {repo.rid}.")
    if not ctx.actor.may_write:
        raise Forbidden(f"This token may only read: use one with the role 'write' to change {repo.rid}.")
    what = "settings of" if right is Right.ADMIN else "files of"
    raise Forbidden(f"You have no right to change the {what} {repo.rid}: ask its owner for it.")


def _gated(ctx: Context, repo: Repo) -> GatedRepo:
    """The words are those that the client shows and its tests look for."""
    if ctx.actor.is_anonymous:
        error = GatedRepo(
            f"Access to {repo.type} {repo.rid} is restricted. You must have access to it and be authenticated to access"
            " it. Please log in."
        )
        error.status = 401
        return error
    return GatedRepo(
        f"Access to {repo.type} {repo.rid} is restricted and you are not in the authorized list."
        " Ask its owner for access."
    )


def get(ctx: Context, repo_id: int) -> Repo | None:
    """By row number, without asking for rights: for reactions to events."""
    with ctx.db.read() as c:
        row = c.execute(select(*COLUMNS).where(t.repos.c.id == repo_id)).first()
    return None if row is None else from_row(row)


def by_ids(ctx: Context, repo_ids: Iterable[int]) -> dict[int, Repo]:
    """As `get`, many at once."""
    wanted = list(repo_ids)
    if not wanted:
        return {}
    with ctx.db.read() as c:
        rows = c.execute(select(*COLUMNS).where(t.repos.c.id.in_(wanted))).all()
    return {row.id: from_row(row) for row in rows}
