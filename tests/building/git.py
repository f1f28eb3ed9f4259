"""A working copy made by the real git, and what it would send to a hub when it pushes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

NO_OBJECT = "0" * 40
MAIN = "refs/heads/main"
_ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_TERMINAL_PROMPT": "0",
}


class WorkingCopy:
    """A repository with files in `folder`, cloned from `source` unless that is None. git-lfs is not set up in it."""

    def __init__(self, folder: Path, source: Path | str | None = None, *options: str) -> None:
        self.folder = folder
        if source is None:
            subprocess.run(["git", "init", "-q", "-b", "main", folder], env=_ENV, check=True)
        else:
            subprocess.run(["git", "clone", "-q", *options, source, folder], env=_ENV, check=True)

    def git(self, *words: str, input: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
        """What `git <words>` prints. Raises CalledProcessError."""
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=_ENV | (env or {}), input=input, capture_output=True, check=True
        )
        return done.stdout

    def write(self, path: str, content: bytes | str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "change", **files: bytes | str) -> str:
        """A commit of everything here, and of `files`; its oid."""
        for path, content in files.items():
            self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.oid()

    def submodule(self, path: str) -> str:
        """A commit with a submodule at `path`, which is of a repository that is nowhere; the commit's oid."""
        self.git("update-index", "--add", "--cacheinfo", f"160000,{'12' * 20},{path}")
        self.git("commit", "-q", "-m", f"submodule {path}")
        return self.oid()

    def odd_commit(
        self, encoding: bytes = b"", date: int = 1_000_000_000, name: bytes = b"Ann", message: bytes = b"odd\n"
    ) -> str:
        """The next commit, with what git itself does not write and any word as its encoding; its oid."""
        lines = [b"tree " + self.oid("HEAD^{tree}").encode(), b"parent " + self.oid().encode()]
        lines += [b"%s %s <ann@example.org> %d +0000" % (role, name, date) for role in (b"author", b"committer")]
        lines += [b"encoding " + encoding] if encoding else []
        raw = b"\n".join([*lines, b"", message])
        oid = self.git("hash-object", "-t", "commit", "-w", "--stdin", input=raw).decode().strip()
        self.git("reset", "-q", "--soft", oid)
        return oid

    def oid(self, revision: str = "HEAD") -> str:
        return self.git("rev-parse", revision).decode().strip()

    def pack(self, new: str, *known: str) -> bytes:
        """What of `new` is not in `known`, as a pack that leans on what the other side has."""
        wanted = "\n".join([new, *(f"^{oid}" for oid in known), ""]).encode()
        return self.git("pack-objects", "--revs", "--stdout", "--thin", "-q", input=wanted)


def packet(text: bytes) -> bytes:
    return b"%04x" % (len(text) + 4) + text


def push_body(commands: list[tuple[str, str, str]], pack: bytes, abilities: str = "report-status") -> bytes:
    """A request to receive-pack; commands are (old, new, ref), '' for no object."""
    lines = [f"{old or NO_OBJECT} {new or NO_OBJECT} {ref}".encode() for old, new, ref in commands]
    lines[0] += b"\0" + abilities.encode()
    return b"".join(packet(line) for line in lines) + b"0000" + pack
