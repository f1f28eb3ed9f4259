"""Puts a folder of this machine into a repository, without going through the network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from corral.context import Context
from corral.repos import blobs, commits, preupload, read
from corral.repos.lookup import Repo

_PIECE = 1 << 20


def upload_folder(ctx: Context, repo: Repo, folder: Path, branch: str = "main") -> int:
    """Commit what differs between the folder and the branch; files that the folder lacks stay. Returns how many."""
    files = {p.relative_to(folder).as_posix(): p for p in _files(folder)}
    head = read.commit_of(ctx, repo, branch)
    candidates = [preupload.Candidate(name, path.stat().st_size, _sample(path)) for name, path in files.items()]
    operations: list[commits.Operation] = []
    for advice in preupload.advise(ctx, repo, head, candidates):
        path = files[advice.path]
        if advice.ignore:
            continue
        if not advice.large:
            content = path.read_bytes()
            if advice.oid != _git_blob_id(content):
                operations.append(commits.AddFile(advice.path, content))
        elif advice.oid != (sha256 := _sha256(path)):
            size = _store(ctx, repo, path, sha256)
            operations.append(commits.AddLargeFile(advice.path, sha256, size))
    if operations:
        commits.commit(ctx, repo, branch, commits.Header(f"Add {folder.name}"), operations)
    return len(operations)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.relative_to(folder).parts:
            yield path


def _sample(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _store(ctx: Context, repo: Repo, path: Path, sha256: str) -> int:
    """Bring the bytes into the store and let the repository hold them. Returns their number."""
    size = 0
    digest = hashlib.sha256()
    with path.open("rb") as file, ctx.blobs.writer() as writer:
        while piece := file.read(_PIECE):
            size += writer.write(piece)
            digest.update(piece)
        if digest.hexdigest() != sha256:
            raise OSError(f"{path} changed while it was read: run the command again.")
        writer.commit(blobs.blob_key(sha256))
    with ctx.change() as change:
        blobs.register(ctx, change, repo.id, sha256, size, whole=True)
    return size
