"""Changing a repository without git: additions, copies and deletions become one commit, all or nothing.

Contents are written to git objects as they arrive, so a commit of any size is never held whole. The branch is moved by
compare-and-swap; without an expected parent a commit that lost the race is built again on the new head.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from corral.context import Change, Context
from corral.core.errors import Busy, EntryNotFound, RevisionNotFound, StaleParent, TooLarge, Unprocessable
from corral.repos import blobs, git, refs
from corral.repos.git import StoredPack, Workshop
from corral.repos.lookup import Repo
from corral.repos.read import LfsPointer

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_PATH = 1024
_ATTEMPTS = 20
#: commits to one repository queue up in this process instead of losing the race to each other
_locks = [threading.Lock() for _ in range(64)]


@dataclass(frozen=True, slots=True)
class AddFile:
    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class AddLargeFile:
    """A file whose bytes were uploaded before. `size` is checked where the client states it."""

    path: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """A file, or a folder with all below it."""

    path: str


Operation = AddFile | AddLargeFile | Delete
#: what makes a commit visible, in its transaction: (change, head it was built on, its oid, its pack) -> the ref moved
Land = Callable[[Change, str, str, StoredPack], str]


@dataclass(frozen=True, slots=True)
class Header:
    """`parent` is the commit (id, full or short) that the caller believes to be the branch's head, if it cares."""

    summary: str
    description: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    oid: str
    ref: str
    header: Header


def check_path(path: str) -> str:
    """Return `path` if a file in git may have it, else raise Unprocessable that says why not."""
    check_plain_path(path)
    # git refuses `.git` in every spelling that a file system may take for it
    if any(part.lower().rstrip(". ").split(":")[0] in (".git", "git~1") for part in path.split("/")):
        raise Unprocessable(f"The path {path!r} may not hold a part named '.git'.", code="InvalidPath")
    return path


def check_plain_path(path: str) -> str:
    """Return `path` if a file may have it wherever it is stored, else raise Unprocessable that says why not."""
    if not path or len(path.encode("utf-8", "surrogatepass")) > _MAX_PATH:
        raise Unprocessable(f"A file path must have 1 to {_MAX_PATH} bytes.", code="InvalidPath")
    if path.startswith(("..\\", "\\")) or any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in path):
        raise Unprocessable(f"The path {path!r} holds characters that are not allowed.", code="InvalidPath")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Unprocessable(
            f"The path {path!r} must be relative, without '.', '..' or empty parts.", code="InvalidPath"
        )
    return path


def signature(ctx: Context) -> pygit2.Signature:
    """The actor as author and committer, now."""
    name = ctx.actor.name or "corral"
    return pygit2.Signature(name, f"{name}@users.noreply.corral", ctx.clock() // 1000, 0)


def branch_ref(revision: str) -> str:
    """The ref that a commit to `revision` moves: a branch by name, or a full ref such as refs/pr/1."""
    return revision if revision.startswith("refs/") else f"refs/heads/{revision}"


def head_of(ctx: Context, repo: Repo, revision: str) -> tuple[str, str]:
    """(ref, commit oid) of a branch that can be committed to. Raises RevisionNotFound."""
    ref = branch_ref(revision)
    oid = refs.read(ctx, repo.id, ref)
    if oid is None or ref.startswith(("refs/tags/", "refs/convert/")):
        raise RevisionNotFound(f"Invalid rev id: {revision} is not a branch of {repo.rid}")
    return ref, oid


def commit(
    ctx: Context,
    repo: Repo,
    revision: str,
    header: Header,
    operations: Iterable[Operation],
    land: Land | None = None,
) -> Committed:
    """Apply `operations` in order on top of the branch `revision`; durable and visible when this returns.

    The branch is moved, or what `land` says instead (a pull request that is opened with its first commit).

    Raises RevisionNotFound, StaleParent (412), Unprocessable for a path or a large file that is not acceptable,
    EntryNotFound for a deletion of what is not there, TooLarge for a regular file that belongs into large storage.
    """
    ref, head = head_of(ctx, repo, revision)
    _check_parent(header, head)
    with git.workshop(ctx, repo.id) as shop:
        edits, large = _receive(ctx, repo, shop, operations)
        with _locks[repo.id % len(_locks)]:
            for _ in range(_ATTEMPTS):
                ref, head = head_of(ctx, repo, revision)
                _check_parent(header, head)
                oid = _build(ctx, shop, header, edits, head)
                try:
                    pack = shop.pack()
                    with ctx.change() as change:
                        if blobs.renew(change, repo.id, large, ctx.clock()) < len(large):
                            raise Busy("A large file was just removed as unused: upload it again.", retry_after=1)
                        if land is None:
                            refs.move(ctx, change, repo, [refs.RefUpdate(ref, head, oid)], pack)
                        else:
                            ref = land(change, head, oid, pack)
                except StaleParent:
                    # another process was faster
                    git.sync(ctx, repo.id)
                    continue
                return Committed(oid, ref, header)
    raise StaleParent


def _check_parent(header: Header, head: str) -> None:
    if header.parent and not head.startswith(header.parent.lower()):
        raise StaleParent


@dataclass(frozen=True, slots=True)
class _Edit:
    path: str
    blob: pygit2.Oid | None  # None deletes


def _receive(ctx: Context, repo: Repo, shop: Workshop, operations: Iterable[Operation]) -> tuple[list[_Edit], set[str]]:
    """Write what arrives as git blobs; of the contents only their ids stay in memory.

    Also the sha256 of each large file that the commit names, all of which the repository holds.
    """
    edits: list[_Edit | AddLargeFile] = []
    large: set[str] = set()
    for operation in operations:
        if isinstance(operation, Delete):
            edits.append(_Edit(check_path(operation.path.rstrip("/")), None))
            continue
        check_path(operation.path)
        if isinstance(operation, AddLargeFile):
            if not _SHA256.fullmatch(operation.sha256):
                raise Unprocessable(
                    f"{operation.path}: oid must be 64 lower-case hexadecimal digits.", code="InvalidOid"
                )
            large.add(operation.sha256)
            edits.append(operation)
            continue
        if len(operation.content) > ctx.settings.max_regular_file:
            raise TooLarge(
                f"{operation.path} has {len(operation.content)} bytes: files above "
                f"{ctx.settings.max_regular_file} bytes must be uploaded by Xet or git-lfs."
            )
        if pointer := LfsPointer.parse(operation.content):
            # the pointer itself, as a clone without git-lfs has it, names a large file like any other
            large.add(pointer.sha256)
            edits.append(AddLargeFile(operation.path, pointer.sha256, pointer.size))
            continue
        edits.append(_Edit(operation.path, shop.git.create_blob(operation.content)))
    held = blobs.held(ctx, repo.id, large)
    return [e if isinstance(e, _Edit) else _large(shop, e, held) for e in edits], large


def _large(shop: Workshop, operation: AddLargeFile, held: dict[str, int]) -> _Edit:
    size = held.get(operation.sha256)
    if size is None:
        raise Unprocessable(
            f"{operation.path}: the large file {operation.sha256} is not in this repository: upload it first.",
            code="LargeFileMissing",
        )
    if operation.size is not None and operation.size != size:
        raise Unprocessable(
            f"{operation.path}: the large file has {size} bytes, not the {operation.size} stated.", code="SizeMismatch"
        )
    return _Edit(operation.path, shop.git.create_blob(LfsPointer.text(operation.sha256, size)))


def _build(ctx: Context, shop: Workshop, header: Header, edits: list[_Edit], head: str) -> str:
    files = _Files(shop.git[head].peel(pygit2.Tree))
    for edit in edits:
        if edit.blob is None:
            files.delete(edit.path)
        else:
            files.put(edit.path, edit.blob)
    message = f"{header.summary}\n\n{header.description}" if header.description else header.summary
    return shop.commit(signature(ctx), message, files.index.write_tree(shop.git), [head])


class _Files:
    """The files of a commit to be, by path."""

    def __init__(self, tree: pygit2.Tree) -> None:
        self.index = pygit2.Index()
        self.index.read_tree(tree)
        #: every folder that has held a file: whether one is there is asked for each file of a commit
        self._folders = {folder for entry in self.index for folder in _above(entry.path)}

    def put(self, path: str, blob: pygit2.Oid) -> None:
        above = _above(path)
        for folder in above:
            if folder in self.index:
                raise Unprocessable(f"{path}: {folder!r} is a file, so nothing can be below it.", code="InvalidPath")
        # keep the executable bit of a file that is written again; a link becomes a file
        kept = path in self.index and self.index[path].mode == FileMode.BLOB_EXECUTABLE
        # a folder of that name gives way, as it does in git
        self._clear(path)
        self.index.add(pygit2.IndexEntry(path, blob, FileMode.BLOB_EXECUTABLE if kept else FileMode.BLOB))
        self._folders.update(above)

    def delete(self, path: str) -> None:
        if path in self.index:
            self.index.remove(path)
        elif not self._clear(path):
            raise EntryNotFound(f"{path} cannot be deleted: it does not exist.")

    def _clear(self, folder: str) -> bool:
        """Remove all below `folder`; whether there was anything. (libgit2's pathspecs give `#` and `!` a meaning.)"""
        if folder not in self._folders:
            return False
        below = [entry.path for entry in self.index if entry.path.startswith(f"{folder}/")]
        for path in below:
            self.index.remove(path)
        return bool(below)


def _above(path: str) -> list[str]:
    """The folders that `path` is in, outermost first."""
    return [path[:at] for at, character in enumerate(path) if character == "/"]


def build_first(shop: Workshop, ctx: Context, files: dict[str, bytes]) -> str:
    """The commit that every repository begins with."""
    index = pygit2.Index()
    for path, content in files.items():
        index.add(pygit2.IndexEntry(path, shop.git.create_blob(content), FileMode.BLOB))
    return shop.commit(signature(ctx), "initial commit", index.write_tree(shop.git), [])


def squash(ctx: Context, repo: Repo, revision: str, message: str) -> str:
    """Replace the branch's history by one commit with the same files. Returns its oid."""
    ref, head = head_of(ctx, repo, revision)
    with git.workshop(ctx, repo.id) as shop:
        tree = shop.git[head].peel(pygit2.Tree)
        oid = shop.commit(signature(ctx), message, tree.id, [])
        with ctx.change() as change:
            refs.move(ctx, change, repo, [refs.RefUpdate(ref, head, oid)], shop.pack())
    return oid


__all__ = ["AddFile", "AddLargeFile", "Committed", "Delete", "Header", "Operation", "commit", "squash"]
