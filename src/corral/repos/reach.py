"""What refs reach: walks over a bare directory by git's own `rev-list`, which fails where anything is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pygit2

from corral.core.errors import HubError
from corral.repos.git import HEAD_REF
from corral.repos.read import LfsPointer
from corral.repos.smart import environment

#: bytes that an LFS pointer can have (git-lfs docs/spec.md: shorter than 1024)
POINTER_SIZES = range(100, 1025)


class Incomplete(HubError):
    """Something that the refs need is not there; the message names it."""

    status = 500
    code = "Incomplete"


class Reached(NamedTuple):
    """An object; `size` in bytes, `path` where it was first met ('' for commits and root trees)."""

    oid: str
    kind: str
    size: int
    path: str


def skeleton(folder: Path) -> Path:
    """Make `folder` a bare repository without anything. Returns where its packs go."""
    packs = folder / "objects" / "pack"
    packs.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text(f"ref: {HEAD_REF}\n")
    return packs


def objects(directory: Path, tips: Iterable[str], known: Iterable[str] = ()) -> Iterator[Reached]:
    """All that `tips` reach and `known` do not. Raises Incomplete where something is missing or damaged."""
    wanted = [*dict.fromkeys(tips), *(f"^{oid}" for oid in set(known))]
    if not wanted:
        return
    env = environment(directory)
    with (
        subprocess.Popen(
            ["git", "rev-list", "--objects", "--stdin"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as walk,
        subprocess.Popen(
            ["git", "cat-file", "--buffer", "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)"],
            env=env,
            stdin=walk.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as sizes,
    ):
        assert walk.stdin and walk.stdout and walk.stderr and sizes.stdout  # noqa: S101  (pipes were asked for)
        # only the second one reads it, so that the first one notices when that one ends
        walk.stdout.close()
        try:
            # rev-list reads all of it before it writes anything
            walk.stdin.write("".join(f"{line}\n" for line in wanted).encode())
            walk.stdin.close()
        except BrokenPipeError:
            # it did not like a line; why is read below
            walk.stdin = None
        for line in sizes.stdout:
            oid, kind, *rest = line.decode("utf-8", "replace").rstrip("\n").split(" ", 3)
            if kind == "missing":
                raise Incomplete(f"the object {oid} is missing")
            yield Reached(oid, kind, int(rest[0]), rest[1])
        error = walk.stderr.read()
    if walk.returncode or sizes.returncode:
        raise Incomplete(last_line(error))


def pointers(directory: Path, tips: Iterable[str]) -> Iterator[tuple[LfsPointer, str]]:
    """Every large file that `tips` reach, and a path that it has. Raises as `objects`."""
    odb = pygit2.Repository(str(directory)).odb
    for found in objects(directory, tips):
        if found.kind == "blob" and found.size in POINTER_SIZES:
            pointer = LfsPointer.parse(odb.read(found.oid)[1])
            if pointer is not None:
                yield pointer, found.path


def last_line(error: bytes) -> str:
    """The last thing that a git said on its error stream."""
    lines = error.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("fatal: ").removeprefix("error: ") if lines else "git ended without a word"
