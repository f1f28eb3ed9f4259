"""Buckets: files by their paths, without history, stored as Xet chunks (`huggingface_hub` 2.4.0 `_buckets.py`).

A bucket is a row of `repos` like any other repository, so owners, rights, renaming and the right to Xet files are
those of repositories. Folders are what paths say: there is no empty one. A path may be at once a file and what others
begin with, as in other object stores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from corral.accounts import people
from corral.context import Change, Context
from corral.core.errors import Busy, EntryNotFound, HubError, RepoNotFound
from corral.core.ids import RepoId, RepoType
from corral.repos import blobs, lookup
from corral.repos.commits import check_plain_path
from corral.repos.lookup import COLUMNS, Repo, Right, from_row
from corral.storage import schema as t

_BATCH = 500
_f = t.bucket_files.c


@dataclass(frozen=True, slots=True)
class File:
    """`size` in bytes; `mtime`, of the file that was uploaded, and `uploaded_at` in milliseconds since 1970."""

    path: str
    xet_hash: str
    size: int
    mtime: int
    uploaded_at: int
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Folder:
    """`uploaded_at`: of the newest file below it."""

    path: str
    uploaded_at: int


@dataclass(frozen=True, slots=True)
class Totals:
    size: int
    files: int


# --- reading -----------------------------------------------------------------------------------------------------


def of_owner(ctx: Context, owner: str, search: str = "", after: str = "", limit: int = 1000) -> list[Repo]:
    """The buckets under a name that the actor may see and whose own name holds `search`, by name.

    `after`: the full name of the last one of the page before. Raises RepoNotFound when nobody has the name `owner`.
    """
    account = people.find(ctx, owner)
    if account is None:
        raise RepoNotFound(f"There is no user or organization {owner!r}; a bucket is named OWNER/NAME.")
    query = (
        select(*COLUMNS)
        .where(t.repos.c.type == RepoType.BUCKET, t.repos.c.owner_id == account.id, lookup.visible(ctx))
        .where(t.repos.c.full_lower > after.lower())
        .order_by(t.repos.c.full_lower)
        .limit(limit)
    )
    if search:
        query = query.where(func.lower(t.repos.c.name).contains(search.lower(), autoescape=True))
    with ctx.db.read() as c:
        return [from_row(row) for row in c.execute(query)]


def totals(ctx: Context, buckets: Iterable[Repo]) -> dict[int, Totals]:
    """By row id: how much is in each of the buckets."""
    ids = [bucket.id for bucket in buckets]
    query = (
        select(_f.repo_id, func.sum(_f.size).label("size"), func.count().label("files"))
        .where(_f.repo_id.in_(ids))
        .group_by(_f.repo_id)
    )
    with ctx.db.read() as c:
        found = {row.repo_id: Totals(int(row.size), row.files) for row in c.execute(query)}
    return {number: found.get(number, Totals(0, 0)) for number in ids}


def files(ctx: Context, bucket: Repo, paths: Iterable[str]) -> list[File]:
    """Those of `paths` that are files of the bucket, in order."""
    found: dict[str, File] = {}
    wanted = list(dict.fromkeys(paths))
    with ctx.db.read() as c:
        for some in _batches(wanted):
            rows = c.execute(select(t.bucket_files).where(_f.repo_id == bucket.id, _f.path.in_(some)))
            found |= {row.path: _file(row) for row in rows}
    return [found[path] for path in wanted if path in found]


def file(ctx: Context, bucket: Repo, path: str) -> tuple[File, str]:
    """The file, and the sha256 of its bytes. Raises EntryNotFound."""
    query = (
        select(t.bucket_files, t.xet_files.c.sha256)
        .join(t.xet_files, t.xet_files.c.hash == _f.xet_hash)
        .where(_f.repo_id == bucket.id, _f.path == path)
    )
    with ctx.db.read() as c:
        row = c.execute(query).first()
    if row is None:
        raise EntryNotFound(f"The bucket {bucket.rid} has no file {path!r}.")
    return _file(row), row.sha256


def page(ctx: Context, bucket: Repo, prefix: str, after: str, limit: int) -> list[File]:
    """The next files whose path begins with `prefix`, letter by letter (`a` finds `ab/c`), in order of their paths.

    `after`: the path of the last one of the page before.
    """
    query = select(t.bucket_files).where(_beginning(bucket, prefix), _f.path > after).order_by(_f.path).limit(limit)
    with ctx.db.read() as c:
        return [_file(row) for row in c.execute(query)]


def level(ctx: Context, bucket: Repo, prefix: str, after: str, limit: int) -> list[File | Folder]:
    """As `page`, but all that lies in a folder below `prefix` is one entry.

    With the prefix `a`, the file `a/b/c` is in the folder `a/b`, and `ab/c` is in the folder `ab`. `after`: the `mark`
    of the last entry of the page before.
    """
    marked = select(_mark(ctx, len(prefix)).label("mark"), *t.bucket_files.c)
    m = marked.where(_beginning(bucket, prefix), _f.path > after).subquery().c
    # a file is alone under its mark, so that the least of its values are its values
    query = (
        select(
            m.mark,
            func.min(m.xet_hash).label("xet_hash"),
            func.min(m.size).label("size"),
            func.min(m.mtime).label("mtime"),
            func.max(m.uploaded_at).label("uploaded_at"),
            func.min(m.content_type).label("content_type"),
        )
        .where(m.mark > after)
        .group_by(m.mark)
        .order_by(m.mark)
        .limit(limit)
    )
    with ctx.db.read() as c:
        rows = c.execute(query).all()
    return [
        Folder(row.mark[:-1], row.uploaded_at)
        if row.mark.endswith("/")
        else File(row.mark, row.xet_hash, row.size, row.mtime, row.uploaded_at, row.content_type)
        for row in rows
    ]


def mark(entry: File | Folder) -> str:
    """What `after` of `page` and `level` takes: folders stand where the paths of their files do."""
    return f"{entry.path}/" if isinstance(entry, Folder) else entry.path


def _mark(ctx: Context, skip: int) -> ColumnElement[str]:
    """The path up to and with the first slash that has more than `skip` letters before it; all of it without one."""
    position = func.instr if ctx.db.is_sqlite else func.strpos
    slash = position(func.substr(_f.path, skip + 2), "/")
    end = literal(skip + 1) + slash
    return case((slash == 0, _f.path), else_=func.substr(_f.path, 1, end))


def _beginning(bucket: Repo, prefix: str) -> ColumnElement[bool]:
    here = _f.repo_id == bucket.id
    if not prefix:
        return here
    here = and_(here, _f.path >= prefix)
    beyond = _successor(prefix)
    return here if beyond is None else and_(here, _f.path < beyond)


def _successor(prefix: str) -> str | None:
    """The first text, by code points, after all that begin with `prefix`."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    # surrogates are no characters of a text
    return stem[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def _file(row: Any) -> File:
    return File(row.path, row.xet_hash, row.size, row.mtime, row.uploaded_at, row.content_type)


def _batches(items: Collection[str]) -> Iterator[list[str]]:
    listed = list(items)
    for at in range(0, len(listed), _BATCH):
        yield listed[at : at + _BATCH]


# --- changing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Add:
    """Give `path` the bytes of an uploaded Xet file; `mtime` None is the time of the change."""

    path: str
    xet_hash: str
    mtime: int | None = None
    content_type: str | None = None
    #: where the bytes are taken from; None: the bucket itself holds them, since they were uploaded to it
    source: RepoId | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Take `path` away; one that is not there is taken away already."""

    path: str


Operation = Add | Delete


@dataclass(frozen=True, slots=True)
class Failure:
    path: str
    error: str


def apply(ctx: Context, bucket: Repo, operations: Sequence[Operation]) -> list[Failure]:
    """Do what can be done of `operations`, in order and all at once; returns what could not be done.

    A file may come from the bucket's own uploads, and from any repository that the actor may download from.
    """
    lookup.require(ctx, bucket, Right.WRITE)
    sources = _sources(ctx, bucket, [o for o in operations if isinstance(o, Add)])
    failures: list[Failure] = []
    # what each path is to be in the end: the last word counts
    wanted: dict[str, dict[str, Any] | None] = {}
    grants: dict[str, int] = {}
    now = ctx.clock()
    for operation in operations:
        try:
            path = check_plain_path(operation.path)
            if isinstance(operation, Delete):
                wanted[path] = None
                continue
            held = sources[operation.source].get(operation.xet_hash)
        except HubError as error:
            failures.append(Failure(operation.path, error.message))
            continue
        grants[held.sha256] = held.size
        wanted[path] = {
            "repo_id": bucket.id,
            "path": path,
            "xet_hash": operation.xet_hash,
            "size": held.size,
            "mtime": now if operation.mtime is None else operation.mtime,
            "uploaded_at": now,
            "content_type": operation.content_type,
        }
    if wanted:
        try:
            with ctx.change() as change:
                _write(ctx, change, bucket, wanted, grants)
        except IntegrityError:
            raise Busy("The bucket or one of the files has just been removed: try again.", retry_after=1) from None
    return failures


@dataclass(frozen=True, slots=True)
class _Held:
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Source:
    """What operations take from one repository, or why nothing can be taken from it."""

    name: str
    held: dict[str, _Held]
    refusal: HubError | None = None

    def get(self, xet_hash: str) -> _Held:
        if self.refusal is not None:
            raise self.refusal
        if xet_hash not in self.held:
            raise EntryNotFound(f"{self.name} holds no Xet file {xet_hash!r}: upload it first.")
        return self.held[xet_hash]


def _sources(ctx: Context, bucket: Repo, adds: Sequence[Add]) -> dict[RepoId | None, _Source]:
    hashes: dict[RepoId | None, set[str]] = {}
    for add in adds:
        hashes.setdefault(add.source, set()).add(add.xet_hash)
    found: dict[RepoId | None, _Source] = {}
    for rid, some in hashes.items():
        try:
            repo = bucket if rid is None else _readable(ctx, rid)
        except HubError as refusal:
            found[rid] = _Source(str(rid), {}, refusal)
        else:
            found[rid] = _Source(repo.full_name, _held(ctx, repo.id, some))
    return found


def _readable(ctx: Context, rid: RepoId) -> Repo:
    try:
        return lookup.find(ctx, rid, Right.DOWNLOAD)
    except lookup.RepoMoved as moved:
        return lookup.find(ctx, moved.new, Right.DOWNLOAD)


def _held(ctx: Context, repo_id: int, hashes: Iterable[str]) -> dict[str, _Held]:
    """Those of the Xet files that the repository holds."""
    x = t.xet_files.c
    query = (
        select(x.hash, x.size, x.sha256)
        .join(t.repo_blobs, t.repo_blobs.c.sha256 == x.sha256)
        .where(t.repo_blobs.c.repo_id == repo_id)
    )
    found: dict[str, _Held] = {}
    with ctx.db.read() as c:
        for some in _batches(sorted(hashes)):
            found |= {row.hash: _Held(row.size, row.sha256) for row in c.execute(query.where(x.hash.in_(some)))}
    return found


def _write(
    ctx: Context, change: Change, bucket: Repo, wanted: dict[str, dict[str, Any] | None], grants: dict[str, int]
) -> None:
    c = change.connection
    # locks the bucket's row, and starts the grace time of what is named here again (repos.gc)
    blobs.grant(ctx, change, bucket.id, grants)
    for some in _batches(wanted):
        c.execute(delete(t.bucket_files).where(_f.repo_id == bucket.id, _f.path.in_(some)))
    rows = [row for row in wanted.values() if row is not None]
    if rows:
        c.execute(insert(t.bucket_files), rows)
    c.execute(update(t.repos).where(t.repos.c.id == bucket.id).values(updated_at=ctx.clock()))
