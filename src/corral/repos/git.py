"""Git objects: packs live in the blob store, the list of packs in the database, the bare directory here is a cache.

A change makes one immutable pack, stores it durably (`store_pack`), and becomes visible when `refs.move` appends it to
the list and moves the refs in one transaction. A process that lacks a pack links or copies it in before it serves, so
several web processes need no shared file system, and a crash between the steps leaves garbage, never a lie.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType
from sqlalchemy import select

from corral.context import Context
from corral.storage import schema as t

#: open repositories that one thread keeps; each holds a few file handles and mapped packs
_KEPT_OPEN = 32
_handles = threading.local()

DEFAULT_BRANCH = "main"
HEAD_REF = f"refs/heads/{DEFAULT_BRANCH}"
SUBMODULE = FileMode.COMMIT


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A pack whose bytes are durable and which `refs.move` has not yet listed."""

    name: str
    size: int


def pack_key(repo_id: int, name: str, suffix: str) -> str:
    return f"packs/{repo_id}/{name}.{suffix}"


def _directory(ctx: Context, repo_id: int) -> Path:
    return ctx.settings.data / "cache" / "git" / f"{repo_id % 256:02x}" / f"{repo_id}.git"


def _prepared(ctx: Context, repo_id: int) -> Path:
    """The bare directory, made if this process has not seen the repository yet."""
    directory = _directory(ctx, repo_id)
    if not (directory / "HEAD").exists():
        (directory / "objects" / "pack").mkdir(parents=True, exist_ok=True)
        (directory / "objects" / "info").mkdir(exist_ok=True)
        (directory / "refs" / "heads").mkdir(parents=True, exist_ok=True)
        (directory / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        _replace(directory / "HEAD", f"ref: {HEAD_REF}\n")
    return directory


def _replace(file: Path, text: str) -> None:
    temporary = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    temporary.write_text(text)
    temporary.replace(file)


def sync(ctx: Context, repo_id: int) -> Path:
    """Bring in every pack that the database lists and the bare directory lacks."""
    directory = _prepared(ctx, repo_id)
    with ctx.db.read() as c:
        # oldest first: whoever reads meanwhile finds what an object refers to before the object
        listed = select(t.packs.c.name).where(t.packs.c.repo_id == repo_id).order_by(t.packs.c.id)
        names = c.scalars(listed).all()
    for name in names:
        if not (directory / "objects" / "pack" / f"pack-{name}.idx").exists():
            bring_in(ctx, repo_id, name, directory / "objects" / "pack")
    return directory


def bring_in(ctx: Context, repo_id: int, name: str, folder: Path) -> None:
    """Link or copy one pack from the store into the `objects/pack` of a bare directory. Raises KeyError if absent."""
    # git looks for the .idx first: it comes last
    for suffix in ("pack", "idx"):
        target = folder / f"pack-{name}.{suffix}"
        temporary = folder / f"tmp-{secrets.token_hex(8)}.{suffix}"
        key = pack_key(repo_id, name, suffix)
        stored = ctx.blobs.path(key)
        linked = False
        if stored is not None:
            try:
                os.link(stored, temporary)
                linked = True
            except FileNotFoundError:
                raise KeyError(key) from None
            except OSError:
                # the cache is on another file system
                linked = False
        try:
            if not linked:
                with ctx.blobs.open(key) as source, temporary.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            temporary.replace(target)
        finally:
            # a link onto itself is no move; and a copy may fail half-way
            temporary.unlink(missing_ok=True)


def bare(ctx: Context, repo_id: int) -> Path:
    """The bare directory with all packs and refs of the database, for git's own programs."""
    directory = sync(ctx, repo_id)
    # read and written under one lock, also between processes: an older state never replaces a newer one
    with (directory / "refs.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ctx.db.read() as c:
            rows = c.execute(select(t.refs.c.name, t.refs.c.oid).where(t.refs.c.repo_id == repo_id)).all()
        write_refs(directory, {row.name: row.oid for row in rows})
    return directory


def write_refs(directory: Path, refs: dict[str, str]) -> None:
    """Make `packed-refs` say what the database says; loose refs, which would hide it, are removed."""
    file = directory / "packed-refs"
    text = "# pack-refs with: sorted \n" + "".join(f"{oid} {name}\n" for name, oid in sorted(refs.items()))
    try:
        same = file.read_text() == text
    except FileNotFoundError:
        same = False
    if not same:
        _replace(file, text)
    for folder, _, names in os.walk(directory / "refs"):
        for name in names:
            (Path(folder) / name).unlink(missing_ok=True)


def objects(ctx: Context, repo_id: int) -> pygit2.Repository:
    """This thread's handle on the repository's objects, for reading.

    Its packs are those known when it was opened or last missed an object; `sync` and ask again if one is missing.
    """
    directory = _directory(ctx, repo_id)
    handles: OrderedDict[Path, pygit2.Repository] | None = getattr(_handles, "open", None)
    if handles is None:
        handles = _handles.open = OrderedDict()
    handle = handles.get(directory)
    if handle is None:
        if not (directory / "HEAD").exists():
            sync(ctx, repo_id)
        handle = handles[directory] = pygit2.Repository(str(directory))
        if len(handles) > _KEPT_OPEN:
            handles.popitem(last=False)[1].free()
    handles.move_to_end(directory)
    return handle


def forget(ctx: Context, repo_id: int) -> None:
    """Drop the cache of a deleted repository. Handles of other threads keep what they mapped until they are evicted."""
    shutil.rmtree(_directory(ctx, repo_id), ignore_errors=True)


def drop_cached(ctx: Context, repo_id: int, file: str) -> None:
    """Remove one file of a pack that the database has not listed for a grace time, for example `<name>.idx`."""
    (_directory(ctx, repo_id) / "objects" / "pack" / f"pack-{file}").unlink(missing_ok=True)


def lookup(ctx: Context, repo_id: int, oid: str) -> pygit2.Object:
    """The object, fetching packs that another process added. Raises KeyError when no pack has it."""
    handle = objects(ctx, repo_id)
    try:
        return handle[oid]
    except KeyError:
        sync(ctx, repo_id)
        # libgit2 looks for new packs by itself when an object is missing
        return handle[oid]


def store_pack(ctx: Context, repo_id: int, pack: Path, idx: Path) -> StoredPack:
    """Make a finished pack durable in the blob store and link it into this process's cache.

    `pack` and `idx` are consumed. The pack's own checksum, its last 20 bytes, is its name.
    """
    size = pack.stat().st_size
    with pack.open("rb") as file:
        file.seek(-20, os.SEEK_END)
        name = file.read(20).hex()
    ctx.blobs.adopt(pack, pack_key(repo_id, name, "pack"))
    ctx.blobs.adopt(idx, pack_key(repo_id, name, "idx"))
    bring_in(ctx, repo_id, name, _prepared(ctx, repo_id) / "objects" / "pack")
    return StoredPack(name, size)


class Workshop:
    """A place to make new objects of a repository: they go to a scratch folder, beside all that it already has.

    `git` is a handle whose writes (blobs, trees, commits, merges) land in the scratch folder.
    """

    def __init__(self, ctx: Context, repo_id: int, folder: Path, *, new: bool = False) -> None:
        self._ctx = ctx
        self._repo_id = repo_id
        self._folder = folder
        self._scratch = folder / "objects"
        self._scratch.mkdir()
        # a new repository has no packs, and its row is being written: a read would take a second connection
        directory = _prepared(ctx, repo_id) if new else sync(ctx, repo_id)
        # opened anew, since its object database is replaced
        self.git = pygit2.Repository(str(directory))
        odb = pygit2.Odb()
        # fast compression, no sync: only the pack made of them is kept
        odb.add_backend(pygit2.OdbBackendLoose(str(self._scratch), 1, False), 10)
        odb.add_disk_alternate(str(directory / "objects"))
        self.git.set_odb(odb)
        self._packs = 0

    def commit(self, author: pygit2.Signature, message: str, tree: pygit2.Oid, parents: list[str]) -> str:
        """A commit object that no ref names yet."""
        return str(self.git.create_commit(None, author, author, message, tree, list(parents)))

    def tag(self, name: str, target: str, tagger: pygit2.Signature, message: str) -> str:
        """An annotated tag object; `refs.create_tag` names it."""
        body = f"object {target}\ntype commit\ntag {name}\n"
        stamp = f"tagger {tagger.name} <{tagger.email}> {tagger.time} +0000\n\n{message}\n"
        return str(self.git.odb.write(ObjectType.TAG, (body + stamp).encode()))

    def pack(self) -> StoredPack:
        """Everything made here so far as one durable pack."""
        builder = pygit2.PackBuilder(self.git)
        builder.set_threads(1)
        for fan in self._scratch.iterdir():
            if len(fan.name) == 2:
                for file in fan.iterdir():
                    builder.add(pygit2.Oid(hex=fan.name + file.name))
        self._packs += 1
        out = self._folder / f"pack-{self._packs}"
        out.mkdir()
        builder.write(str(out))
        (pack,) = out.glob("*.pack")
        return store_pack(self._ctx, self._repo_id, pack, pack.with_suffix(".idx"))


@contextmanager
def workshop(ctx: Context, repo_id: int, *, new: bool = False) -> Iterator[Workshop]:
    """`new` is for a repository that the transaction under way creates."""
    folder = ctx.settings.data / "tmp" / f"git-{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    try:
        yield Workshop(ctx, repo_id, folder, new=new)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
