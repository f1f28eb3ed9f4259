"""Create, rename, change and delete repositories, by the rules of the real hub."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.accounts import people, rights
from corral.context import Change, Context
from corral.core.errors import Conflict, Forbidden, NotFound, RepoNotFound, Unauthorized
from corral.core.events import RepoChanged, RepoCreated, RepoDeleted
from corral.core.ids import GIT_TYPES, RepoId, RepoType, check_name, new_object_id
from corral.repos import commits, git, refs
from corral.repos.lookup import COLUMNS, Repo, Right, from_row, require
from corral.repos.templates import initial_files
from corral.storage import schema as t

#: tries to find a host label for a Space that nobody else takes at the same moment
_ATTEMPTS = 5


def _owner(ctx: Context, name: str) -> people.Account:
    owner = people.find(ctx, name)
    if owner is None:
        raise NotFound(f"There is no user or organization {name!r}.", code="NamespaceNotFound")
    if ctx.actor.is_anonymous:
        raise Unauthorized("Sign in, or send an access token, to create a repository.")
    if not rights.may_create(ctx.actor, owner.id):
        raise Forbidden(
            f"You have no right to create a repository under the namespace {owner.name!r}"
            + ("." if ctx.actor.may_write else ": this token may only read, use one with the role 'write'.")
        )
    return owner


def create(
    ctx: Context,
    rid: RepoId,
    *,
    private: bool | None = None,
    sdk: str | None = None,
    license: str | None = None,
) -> Repo:
    """A new repository with its first commit, or a new bucket. `private` None takes the owner's default.

    Raises Conflict when the name is taken, Forbidden when the actor may not create under the owner.
    """
    owner = _owner(ctx, rid.owner)
    check_name(rid.name, "repository name")
    rid = RepoId(rid.type, owner.name, rid.name)
    for _ in range(_ATTEMPTS):
        try:
            return _create(ctx, owner, rid, private=private, sdk=sdk, license=license)
        except IntegrityError:
            taken = select(t.repos.c.id).where(t.repos.c.type == rid.type, t.repos.c.full_lower == str(rid).lower())
            with ctx.db.read() as c:
                if c.scalar(taken) is not None:
                    break
            # a Space with the same host label was made at the same moment: this one gets another label
    raise Conflict(f"You already created this {rid.type} repo: {rid}", code="RepoExists")


def _create(
    ctx: Context, owner: people.Account, rid: RepoId, *, private: bool | None, sdk: str | None, license: str | None
) -> Repo:
    key = str(rid).lower()
    now = ctx.clock()
    with ctx.change() as change:
        c = change.connection
        # a name that only redirects is free again
        c.execute(
            delete(t.repo_redirects).where(t.repo_redirects.c.type == rid.type, t.repo_redirects.c.full_lower == key)
        )
        object_id = new_object_id()
        repo_id = c.scalar(
            insert(t.repos)
            .values(
                object_id=object_id,
                type=rid.type,
                owner_id=owner.id,
                creator_id=ctx.actor.account_id,
                name=rid.name,
                full_name=str(rid),
                full_lower=key,
                private=owner.default_private if private is None else private,
                disabled=False,
                sdk=sdk,
                subdomain=_subdomain(c, rid, object_id),
                created_at=now,
                updated_at=now,
                used_storage=0,
            )
            .returning(t.repos.c.id)
        )
        repo = from_row(c.execute(select(*COLUMNS).where(t.repos.c.id == repo_id)).one())
        change.record(RepoCreated(repo.id))
        if rid.type in GIT_TYPES:
            with git.workshop(ctx, repo.id, new=True) as shop:
                oid = commits.build_first(shop, ctx, initial_files(repo, license))
                refs.move(ctx, change, repo, [refs.RefUpdate(git.HEAD_REF, "", oid)], shop.pack())
        return _again(change, repo)


def _subdomain(connection: Connection, rid: RepoId, object_id: str) -> str | None:
    """The first label of a Space's host name, never that of another: `a/b-c` and `a-b/c` would have the same."""
    if rid.type is not RepoType.SPACE:
        return None
    label = rid.subdomain
    others = select(t.repos.c.id).where(t.repos.c.subdomain == label, t.repos.c.object_id != object_id)
    if label and connection.scalar(others) is None:
        return label
    return f"{label[:38]}-{object_id}".strip("-")


def rename(ctx: Context, old: Repo, new: RepoId) -> Repo:
    """Move to another name or owner; the old name redirects from now on."""
    require(ctx, old, Right.ADMIN)
    owner = _owner(ctx, new.owner)
    check_name(new.name, "repository name")
    new = RepoId(old.type, owner.name, new.name)
    key, old_key = str(new).lower(), old.full_name.lower()
    try:
        with ctx.change() as change:
            c = change.connection
            c.execute(
                delete(t.repo_redirects).where(
                    t.repo_redirects.c.type == old.type, t.repo_redirects.c.full_lower.in_((key, old_key))
                )
            )
            moved = c.execute(
                update(t.repos)
                .where(t.repos.c.id == old.id)
                .values(
                    owner_id=owner.id,
                    name=new.name,
                    full_name=str(new),
                    full_lower=key,
                    updated_at=ctx.clock(),
                    subdomain=_subdomain(c, new, old.object_id),
                )
            )
            if moved.rowcount != 1:
                raise RepoNotFound
            if key != old_key:
                c.execute(insert(t.repo_redirects).values(type=old.type, full_lower=old_key, repo_id=old.id))
            change.record(RepoChanged(old.id))
            return _again(change, old)
    except IntegrityError:
        raise Conflict(f"A {old.type} repository called {new} already exists: choose another name.") from None


def _again(change: Change, repo: Repo) -> Repo:
    return from_row(change.connection.execute(select(*COLUMNS).where(t.repos.c.id == repo.id)).one())


def configure(
    ctx: Context,
    repo: Repo,
    *,
    private: bool | None = None,
    gated: str | bool | None = None,
    sdk: str | None = None,
    runs_code: bool | None = None,
) -> Repo:
    """Change what is not None. `gated` is 'auto', 'manual' or False."""
    require(ctx, repo, Right.ADMIN)
    values: dict[str, object] = {}
    if private is not None:
        values["private"] = private
    if gated is not None:
        values["gated"] = gated or None
    if sdk is not None:
        values["sdk"] = sdk
    if runs_code is not None:
        values["runs_code"] = runs_code
    if not values:
        return repo
    with ctx.change() as change:
        done = change.connection.execute(update(t.repos).where(t.repos.c.id == repo.id).values(**values))
        if done.rowcount != 1:
            raise RepoNotFound
        change.record(RepoChanged(repo.id))
        return _again(change, repo)


def remove(ctx: Context, repo: Repo) -> None:
    """Delete for good: all rows at once; packs and large files that nobody holds are swept later (repos.gc)."""
    require(ctx, repo, Right.ADMIN)
    with ctx.change() as change:
        change.connection.execute(delete(t.repos).where(t.repos.c.id == repo.id))
        change.record(RepoDeleted(repo.id, repo.full_name))
    git.forget(ctx, repo.id)


def of_owner(ctx: Context, owner_id: int) -> list[Repo]:
    """The owner's repositories that the actor may see, newest first."""
    query = select(*COLUMNS).where(t.repos.c.owner_id == owner_id).order_by(t.repos.c.updated_at.desc())
    if not rights.may_read_private(ctx.actor, owner_id):
        query = query.where(t.repos.c.private.is_(False))
    with ctx.db.read() as c:
        return [from_row(row) for row in c.execute(query)]
