"""Before an upload: which files go into large storage, which are ignored, which are there already.

Follows the real hub's rules as `huggingface_hub` 2.4.0 relies on them (`_commit_api.fetch_upload_modes`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import AttrCheck

from corral.context import Context
from corral.core.errors import EntryNotFound, TooLarge
from corral.repos import git, read
from corral.repos.lookup import Repo


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to come: its path, size in bytes and first bytes (at most 512)."""

    path: str
    size: int
    sample: bytes


@dataclass(frozen=True, slots=True)
class Advice:
    path: str
    large: bool
    ignore: bool
    oid: str | None  # of the file now at the path: sha256 of a large file, git's id of any other


def advise(
    ctx: Context, repo: Repo, commit: str, files: Sequence[Candidate], git_ignore: str | None = None
) -> list[Advice]:
    """One piece of advice for each file, in order."""
    git.lookup(ctx, repo.id, commit)
    handle = git.objects(ctx, repo.id)
    ignored = _ignored(ctx, repo, commit, files, git_ignore)
    there = {e.path: e.etag for e in read.some_entries(ctx, repo, commit, [f.path for f in files]) if e.type == "file"}
    return [
        Advice(
            path=file.path,
            large=_is_large(ctx, handle, commit, file),
            ignore=file.path in ignored,
            oid=there.get(file.path),
        )
        for file in files
    ]


def _is_large(ctx: Context, handle: pygit2.Repository, commit: str, file: Candidate) -> bool:
    if file.size > ctx.settings.max_regular_file:
        return True
    chosen = handle.get_attr(file.path, "filter", AttrCheck.INCLUDE_COMMIT | AttrCheck.NO_SYSTEM, commit)
    if chosen is not None:
        return chosen == "lfs"
    return is_binary(file.sample)


def is_binary(sample: bytes) -> bool:
    """True for bytes that are no text: a zero byte, or no UTF-8 (a character cut off at the end is text)."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def _ignored(
    ctx: Context, repo: Repo, commit: str, files: Sequence[Candidate], git_ignore: str | None
) -> frozenset[str]:
    if git_ignore is None:
        try:
            git_ignore = read.read_file(ctx, repo, commit, ".gitignore", limit=2**20).decode("utf-8", "replace")
        except (EntryNotFound, TooLarge):
            # none, or too large to be one that somebody wrote
            return frozenset()
    # libgit2 applies ignore rules only where there is a work tree
    with tempfile.TemporaryDirectory(dir=ctx.settings.data / "tmp") as folder:
        work = pygit2.init_repository(folder)
        (Path(folder) / ".gitignore").write_bytes(git_ignore.encode("utf-8", "replace"))
        return frozenset(f.path for f in files if work.path_is_ignored(f.path))
