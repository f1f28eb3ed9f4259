"""Reading a repository at a revision: commits, trees, files. Git's own rules for names, the hub's words for results."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pygit2
from pygit2.enums import FileMode, ObjectType, SortMode
from sqlalchemy import bindparam, select

from corral.context import Context
from corral.core.clock import LATEST
from corral.core.errors import EntryNotFound, RevisionNotFound, TooLarge
from corral.repos import blobs, git
from corral.repos.lookup import Repo
from corral.storage import schema as t

_HEX = re.compile(r"[0-9a-f]{7,39}")
_FULL = re.compile(r"[0-9a-f]{40}")
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d{1,19})\n\Z"
)
#: git's id of the file without bytes
_EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#: no LFS pointer is longer (git-lfs specification)
_POINTER_MAX = 1024
_POINTER_MIN = 100


@dataclass(frozen=True, slots=True)
class LfsPointer:
    sha256: str
    size: int
    pointer_size: int

    @classmethod
    def parse(cls, data: bytes) -> LfsPointer | None:
        match = _POINTER.match(data)
        return cls(match[1].decode(), int(match[2]), len(data)) if match else None

    @staticmethod
    def text(sha256: str, size: int) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder. `oid` is git's; `size` is what a download has (the large file's, where there is a pointer)."""

    path: str
    type: str  # 'file' | 'directory'
    oid: str
    size: int
    lfs: LfsPointer | None = None
    xet_hash: str | None = None

    @property
    def etag(self) -> str:
        """What identifies the downloaded bytes: sha256 of a large file, git's blob id of any other."""
        return self.lfs.sha256 if self.lfs else self.oid

    @property
    def is_submodule(self) -> bool:
        """A commit of another repository: lists show it as an empty file, and there are no bytes of it here."""
        return self.type == "file" and not self.size and self.lfs is None and self.oid != _EMPTY


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class CommitInfo:
    oid: str
    title: str
    message: str  # all after the title
    author: Person
    date: int  # milliseconds
    parents: tuple[str, ...]


# prepared once: building an expression costs more than running it
_NAMED_REFS = select(t.refs.c.name, t.refs.c.oid).where(
    t.refs.c.repo_id == bindparam("repo_id"), t.refs.c.name.in_([bindparam("branch"), bindparam("tag")])
)


def commit_of(ctx: Context, repo: Repo, revision: str) -> str:
    """The commit that a branch, tag, full ref or (7 to 40 digits of a) commit id names. Raises RevisionNotFound."""
    if _FULL.fullmatch(revision) and (commit := _commit(ctx, repo, revision)):
        # before any ref, as in git: a branch with this name does not stand for the commit that somebody pinned
        return commit
    branch, tag = f"refs/heads/{revision}", f"refs/tags/{revision}"
    if revision.startswith("refs/"):
        branch = tag = revision
    with ctx.db.read() as c:
        rows = c.execute(_NAMED_REFS, {"repo_id": repo.id, "branch": branch, "tag": tag})
        found = {row.name: row.oid for row in rows}
    oid = found.get(branch) or found.get(tag)
    if oid is None and _HEX.fullmatch(revision):
        oid = _expand(ctx, repo, revision)
    commit = oid and _commit(ctx, repo, oid)
    if not commit:
        raise RevisionNotFound(f"Invalid rev id: {revision}")
    return commit


def _commit(ctx: Context, repo: Repo, oid: str) -> str | None:
    """The commit that an object is, or that a tag is of; None where there is none."""
    try:
        return str(git.lookup(ctx, repo.id, oid).peel(pygit2.Commit).id)
    except (KeyError, pygit2.InvalidSpecError):
        return None


def _expand(ctx: Context, repo: Repo, short: str) -> str | None:
    git.sync(ctx, repo.id)
    try:
        return str(git.objects(ctx, repo.id).expand_id(short))
    except (KeyError, ValueError):
        return None


def _tree(ctx: Context, repo: Repo, commit: str) -> pygit2.Tree:
    return git.lookup(ctx, repo.id, commit).peel(pygit2.Tree)


def _descend(ctx: Context, repo: Repo, commit: str, path: str) -> tuple[pygit2.Oid, int]:
    """(oid, file mode) of `path`. Raises EntryNotFound."""
    found = _at(_tree(ctx, repo, commit), path)
    if found is None:
        raise _missing(path, commit)
    return found.id, found.filemode


def _at(tree: pygit2.Tree, path: str) -> pygit2.Object | None:
    if "\0" in path:
        # libgit2 would look for what comes before it
        return None
    try:
        return tree[path]
    except (KeyError, ValueError):
        return None


def _missing(path: str, commit: str) -> EntryNotFound:
    error = EntryNotFound(f"{path} does not exist on {commit!r}")
    error.headers["X-Repo-Commit"] = commit
    return error


def clean_path(path: str) -> str:
    """`path` without slashes at its ends; EntryNotFound is what a path with empty or dot segments comes to later."""
    return path.strip("/")


def entry(ctx: Context, repo: Repo, commit: str, path: str) -> Entry:
    """One file or folder. Raises EntryNotFound, with the commit in its headers since clients cache the absence."""
    path = clean_path(path)
    if not path:
        return Entry("", "directory", str(_tree(ctx, repo, commit).id), 0)
    oid, mode = _descend(ctx, repo, commit, path)
    return _with_xet(ctx, [_entry(git.objects(ctx, repo.id), path, oid, mode)])[0]


def _entry(handle: pygit2.Repository, path: str, oid: pygit2.Oid, mode: int) -> Entry:
    if mode == FileMode.TREE:
        return Entry(path, "directory", str(oid), 0)
    if mode == FileMode.COMMIT:
        # a submodule has no bytes here
        return Entry(path, "file", str(oid), 0)
    _, size = handle.odb.read_header(oid)
    pointer = None
    if _POINTER_MIN <= size <= _POINTER_MAX and mode != FileMode.LINK:
        pointer = LfsPointer.parse(handle.odb.read(oid)[1])
    return Entry(path, "file", str(oid), pointer.size if pointer else size, pointer)


def _with_xet(ctx: Context, entries: list[Entry]) -> list[Entry]:
    """Add what the store knows of the large files among `entries`: one query for all."""
    hashes = blobs.xet_hashes(ctx, {e.lfs.sha256 for e in entries if e.lfs})
    return [replace(e, xet_hash=hashes.get(e.lfs.sha256)) if e.lfs else e for e in entries]


def entries(
    ctx: Context,
    repo: Repo,
    commit: str,
    path: str = "",
    *,
    recursive: bool = False,
    start: int = 0,
    stop: int | None = None,
) -> list[Entry]:
    """What is in the folder `path` (and below), in git's order: all, or those numbered `start` up to `stop`.

    Raises EntryNotFound when it is no folder.
    """
    path = clean_path(path)
    tree = _tree(ctx, repo, commit)
    handle = git.objects(ctx, repo.id)
    if path:
        oid, mode = _descend(ctx, repo, commit, path)
        if mode != FileMode.TREE:
            raise _missing(path, commit)
        tree = handle[oid].peel(pygit2.Tree)
    walk = islice(_walk(handle, tree, f"{path}/" if path else "", recursive), start, stop)
    return _with_xet(ctx, [_entry(handle, name, oid, mode) for name, oid, mode in walk])


def _walk(
    handle: pygit2.Repository, tree: pygit2.Tree, prefix: str, recursive: bool
) -> Iterator[tuple[str, pygit2.Oid, int]]:
    """(path, oid, file mode): no file is looked at, only the trees that name them."""
    for item in tree:
        path = prefix + (item.name or "")
        yield path, item.id, item.filemode
        if recursive and item.filemode == FileMode.TREE:
            yield from _walk(handle, handle[item.id].peel(pygit2.Tree), f"{path}/", recursive)


def some_entries(ctx: Context, repo: Repo, commit: str, paths: list[str]) -> list[Entry]:
    """The files and folders at `paths`; those that do not exist are left out."""
    tree = _tree(ctx, repo, commit)
    handle = git.objects(ctx, repo.id)
    found = []
    for path in dict.fromkeys(map(clean_path, paths)):
        item = _at(tree, path) if path else None
        if item is not None:
            found.append(_entry(handle, path, item.id, item.filemode))
        elif not path:
            found.append(Entry("", "directory", str(tree.id), 0))
    return _with_xet(ctx, found)


def git_blob(ctx: Context, repo: Repo, found: Entry) -> bytes:
    """The bytes that git has for a file: the pointer, for a large one."""
    if found.is_submodule:
        raise EntryNotFound(f"{found.path} is a submodule: its files are in another repository")
    kind, data = git.objects(ctx, repo.id).odb.read(pygit2.Oid(hex=found.oid))
    if kind != ObjectType.BLOB:
        raise EntryNotFound(f"{found.path} is not a file")
    return data


def open_file(ctx: Context, repo: Repo, found: Entry, start: int = 0, length: int | None = None) -> BinaryIO:
    """The bytes that a download of `found` has, from `start`."""
    if found.lfs:
        return blobs.open_bytes(ctx, found.lfs.sha256, start, length)
    data = memoryview(git_blob(ctx, repo, found))[start:]
    return io.BytesIO(data if length is None else data[:length])


def read_file(ctx: Context, repo: Repo, commit: str, path: str, limit: int = 4 * 2**20) -> bytes:
    """A small file whole. Raises EntryNotFound, or TooLarge above `limit` bytes."""
    found = entry(ctx, repo, commit, path)
    if found.type != "file":
        raise _missing(path, commit)
    if found.size > limit:
        raise TooLarge(f"{path} has {found.size} bytes, more than the {limit} that can be shown.")
    with open_file(ctx, repo, found) as file:
        return file.read()


def materialise(ctx: Context, repo: Repo, commit: str, folder: Path) -> None:
    """Lay the files of `commit` down in `folder`: large ones as hard links where the store is this machine's disk.

    The folder is for reading only, since a link shares its bytes with the store.
    """
    for found in entries(ctx, repo, commit, recursive=True):
        target = folder / found.path
        if found.type == "directory" or found.is_submodule:
            # a submodule is an empty folder, as in a clone
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        stored = blobs.local_path(ctx, found.lfs.sha256) if found.lfs else None
        if stored is not None:
            try:
                os.link(stored, target)
                continue
            except OSError:
                # another file system: copy
                pass
        with open_file(ctx, repo, found) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)


def _info(commit: pygit2.Commit) -> CommitInfo:
    encoding = _encoding(commit)
    title, _, rest = _text(commit.raw_message, encoding).partition("\n")
    author = commit.author
    return CommitInfo(
        oid=str(commit.id),
        title=title,
        message=rest.strip("\n"),
        author=Person(_text(author.raw_name, encoding), _text(author.raw_email, encoding)),
        date=max(0, min(commit.commit_time * 1000, LATEST)),
        parents=tuple(str(p) for p in commit.parent_ids),
    )


def _encoding(commit: pygit2.Commit) -> str:
    """The encoding that a commit says it has, which may be any word."""
    try:
        return commit.message_encoding or "utf-8"
    except UnicodeError:
        return "utf-8"


def _text(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding, "replace")
    except (LookupError, ValueError):
        # no encoding, or none of texts
        text = data.decode("utf-8", "replace")
    # some encodings make what no answer and no database can hold: half characters and zero bytes
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def commit_info(ctx: Context, repo: Repo, commit: str) -> CommitInfo:
    return _info(git.lookup(ctx, repo.id, commit).peel(pygit2.Commit))


def history(ctx: Context, repo: Repo, commit: str, *, skip: int = 0, limit: int = 50) -> list[CommitInfo]:
    """Commits from `commit` back, newest first."""
    git.lookup(ctx, repo.id, commit)
    walker = git.objects(ctx, repo.id).walk(pygit2.Oid(hex=commit), SortMode.TOPOLOGICAL | SortMode.TIME)
    found: list[CommitInfo] = []
    for number, item in enumerate(walker):
        if number >= skip + limit:
            break
        if number >= skip:
            found.append(_info(item))
    return found


def count_commits(ctx: Context, repo: Repo, commit: str, most: int = 10_000) -> int:
    """How many commits `history` has, counted no further than `most`."""
    git.lookup(ctx, repo.id, commit)
    walker = git.objects(ctx, repo.id).walk(pygit2.Oid(hex=commit), SortMode.NONE)
    return sum(1 for _, _ in zip(walker, range(most), strict=False))


def last_commits(ctx: Context, repo: Repo, commit: str, paths: list[str], most: int = 5_000) -> dict[str, CommitInfo]:
    """For each path the newest commit that changed it, by first parents, looking at no more than `most` commits.

    A path that older commits changed last gets the oldest commit looked at.
    """
    git.lookup(ctx, repo.id, commit)
    handle = git.objects(ctx, repo.id)
    current = handle[commit].peel(pygit2.Commit)
    left = {p: _oid_at(current.tree, p) for p in paths}
    result: dict[str, CommitInfo] = {}
    for _ in range(most):
        parent = current.parents[0] if current.parent_ids else None
        for path, oid in list(left.items()):
            if parent is None or _oid_at(parent.tree, path) != oid:
                result[path] = _info(current)
                del left[path]
        if not left or parent is None:
            break
        current = parent
    return result | {p: _info(current) for p in left}


def _oid_at(tree: pygit2.Tree, path: str) -> pygit2.Oid | None:
    try:
        return tree[path].id
    except KeyError:
        return None


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a commit's diff. `patch` is unified text, '' for binary files; a rename has `old_path`."""

    path: str
    old_path: str
    status: str  # 'added' | 'deleted' | 'modified' | 'renamed'
    additions: int
    deletions: int
    binary: bool
    patch: str


_STATUS = {"A": "added", "D": "deleted", "R": "renamed"}


def diff(ctx: Context, repo: Repo, commit: str, most_files: int = 300, base: str | None = None) -> list[FileChange]:
    """What `commit` changed against `base` (its first parent by default), at most `most_files` files."""
    new = git.lookup(ctx, repo.id, commit).peel(pygit2.Commit)
    if base is not None:
        delta = git.lookup(ctx, repo.id, base).peel(pygit2.Commit).tree.diff_to_tree(new.tree)
    elif new.parent_ids:
        delta = new.parents[0].tree.diff_to_tree(new.tree)
    else:
        delta = new.tree.diff_to_tree(swap=True)
    delta.find_similar()
    changes: list[FileChange] = []
    for patch in delta:
        if patch is None or len(changes) >= most_files:
            break
        _, additions, deletions = patch.line_stats
        d = patch.delta
        changes.append(
            FileChange(
                path=d.new_file.path,
                old_path=d.old_file.path,
                status=_STATUS.get(d.status_char(), "modified"),
                additions=additions,
                deletions=deletions,
                binary=bool(d.is_binary),
                patch="" if d.is_binary else (patch.data or b"").decode("utf-8", "replace"),
            )
        )
    return changes


def git_blob_id(data: bytes) -> str:
    """The id git gives to `data` as a file."""
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()
