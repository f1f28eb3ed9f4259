"""Branches, tags and other refs: rows, moved by compare-and-swap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pygit2
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.context import Change, Context
from corral.core.errors import BadRequest, Conflict, Forbidden, NotFound, RepoNotFound, RevisionNotFound, StaleParent
from corral.core.events import RefsMoved
from corral.repos import garbage, git
from corral.repos.git import HEAD_REF, StoredPack
from corral.repos.lookup import Repo
from corral.storage import schema as t
from corral.storage.upsert import insert_missing

_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[/.-]|[/.]$|^@$")


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """`old` is '' where the ref must not exist yet, `new` is '' to delete it."""

    name: str
    old: str
    new: str


def check_ref_name(name: str) -> str:
    """Return `name` if git allows it (git-check-ref-format), else raise BadRequest."""
    if not name or len(name) > 200 or _BAD_REF.search(name):
        raise BadRequest(f"{name!r} is not a valid branch or tag name: choose another.", code="InvalidRef")
    return name


def all(ctx: Context, repo_id: int) -> dict[str, str]:
    """Ref name -> commit (or annotated tag) oid."""
    with ctx.db.read() as c:
        rows = c.execute(select(t.refs.c.name, t.refs.c.oid).where(t.refs.c.repo_id == repo_id).order_by(t.refs.c.name))
        return {row.name: row.oid for row in rows}


def read(ctx: Context, repo_id: int, name: str) -> str | None:
    with ctx.db.read() as c:
        oid: str | None = c.scalar(select(t.refs.c.oid).where(t.refs.c.repo_id == repo_id, t.refs.c.name == name))
        return oid


def move(ctx: Context, change: Change, repo: Repo, updates: Sequence[RefUpdate], pack: StoredPack | None) -> None:
    """List `pack` and move the refs, all or nothing, and record it.

    Raises StaleParent when a ref is not at `old`, Conflict for a new one that git cannot have beside another.
    """
    c = change.connection
    now = ctx.clock()
    if pack is not None:
        garbage.rescue(ctx, c, [git.pack_key(repo.id, pack.name, suffix) for suffix in ("pack", "idx")])
    # first of the repository's rows, since its lock is what keeps others from them
    here = t.repos.c.id == repo.id
    if c.execute(update(t.repos).where(here).values(updated_at=now)).rowcount != 1:
        raise RepoNotFound
    if pack is not None:
        # the same objects pushed twice make the same pack
        row = {"repo_id": repo.id, "name": pack.name, "size": pack.size, "created_at": now}
        if insert_missing(c, t.packs, [row]):
            c.execute(update(t.repos).where(here).values(used_storage=t.repos.c.used_storage + pack.size))
    _check_room(change, repo, updates)
    for u in updates:
        ref = (t.refs.c.repo_id == repo.id) & (t.refs.c.name == u.name)
        if not u.old:
            try:
                with c.begin_nested():
                    c.execute(insert(t.refs).values(repo_id=repo.id, name=u.name, oid=u.new))
            except IntegrityError:
                raise StaleParent from None
            continue
        if u.new:
            done = c.execute(update(t.refs).where(ref, t.refs.c.oid == u.old).values(oid=u.new))
        else:
            done = c.execute(delete(t.refs).where(ref, t.refs.c.oid == u.old))
        if done.rowcount != 1:
            raise StaleParent
    change.record(RefsMoved(repo.id, tuple((u.name, u.old, u.new) for u in updates), ctx.actor.account_id))


def _check_room(change: Change, repo: Repo, updates: Sequence[RefUpdate]) -> None:
    created = [u.name for u in updates if u.new and not u.old]
    if not created:
        return
    deleted = {u.name for u in updates if not u.new}
    there = select(t.refs.c.name).where(t.refs.c.repo_id == repo.id)
    taken = {name for name in change.connection.scalars(there) if name not in deleted} | set(created)
    for name in created:
        if other := in_the_way(name, taken - {name}):
            raise Conflict(f"Reference {name} cannot be beside {other}: git takes one for the folder of the other.")


def in_the_way(ref: str, taken: Iterable[str]) -> str | None:
    """One of `taken` that git cannot have beside `ref`, as refs/heads/a and refs/heads/a/b."""
    parts = ref.split("/")
    above = {"/".join(parts[:n]) for n in range(3, len(parts))}
    return next((name for name in taken if name in above or name.startswith(f"{ref}/")), None)


def create_branch(ctx: Context, repo: Repo, name: str, start: str, *, overwrite: bool = False) -> None:
    """`start` is a commit oid. Raises Conflict when the branch exists and is not to be overwritten."""
    ref = f"refs/heads/{check_ref_name(name)}"
    _create(ctx, repo, ref, start, overwrite)


def _create(ctx: Context, repo: Repo, ref: str, oid: str, overwrite: bool, pack: StoredPack | None = None) -> None:
    old = read(ctx, repo.id, ref)
    if old is not None and not overwrite:
        raise Conflict(f"Reference {ref} already exists")
    try:
        with ctx.change() as change:
            move(ctx, change, repo, [RefUpdate(ref, old or "", oid)], pack)
    except StaleParent:
        raise Conflict(f"Reference {ref} already exists") from None


def delete_branch(ctx: Context, repo: Repo, name: str) -> None:
    ref = f"refs/heads/{name}"
    if ref == HEAD_REF:
        raise Forbidden(f"Cannot delete {ref}: it is the default branch.")
    _delete(ctx, repo, ref)


def create_tag(ctx: Context, repo: Repo, name: str, target: str, message: str, author: pygit2.Signature) -> None:
    """A light tag, or an annotated one when there is a message. Raises Conflict when it exists."""
    ref = f"refs/tags/{check_ref_name(name)}"
    if read(ctx, repo.id, ref) is not None:
        raise Conflict(f"Tag reference {ref} already exists")
    if not message:
        _create(ctx, repo, ref, target, overwrite=False)
        return
    with git.workshop(ctx, repo.id) as shop:
        oid = shop.tag(name, target, author, message)
        _create(ctx, repo, ref, oid, overwrite=False, pack=shop.pack())


def delete_tag(ctx: Context, repo: Repo, name: str) -> None:
    _delete(ctx, repo, f"refs/tags/{name}")


def _delete(ctx: Context, repo: Repo, ref: str) -> None:
    old = read(ctx, repo.id, ref)
    if old is None:
        raise RevisionNotFound(f"Invalid rev id: {ref} does not exist")
    try:
        with ctx.change() as change:
            move(ctx, change, repo, [RefUpdate(ref, old, "")], None)
    except StaleParent:
        raise NotFound(f"{ref} was moved or deleted meanwhile.") from None
