"""git over HTTP: what both directions share, and reading (clone and fetch) by git's own `upload-pack`.

Protocol: git documentation gitprotocol-http(5), gitprotocol-pack(5), gitprotocol-common(5). Writing is in `repos.push`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Self

from corral.context import Context
from corral.core.errors import BadRequest
from corral.repos import git, refs
from corral.repos.lookup import Repo

FLUSH = b"0000"
NO_OBJECT = "0" * 40
#: bytes of payload in one packet
MAX_PACKET = 65516
#: what a pipe from git holds, so that one read brings much
PIPE_BYTES = 1 << 20

_READ_OPTIONS = ("-c", "uploadpack.allowFilter=true", "-c", "uploadpack.allowAnySHA1InWant=true")
#: what `repos.push` understands
_PUSH_ABILITIES = "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1"


def packet(data: bytes | str) -> bytes:
    """One pkt-line."""
    raw = data.encode() if isinstance(data, str) else data
    return b"%04x" % (len(raw) + 4) + raw


def environment(directory: Path, protocol: str | None = None) -> dict[str, str]:
    """For a git that works on `directory` and takes nothing from this machine's or this user's settings."""
    chosen = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_DIR": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        # the cache may belong to another user of the same hub
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "LC_ALL": "C",
    }
    return chosen | ({"GIT_PROTOCOL": protocol} if protocol else {})


def advertise_read(ctx: Context, repo: Repo, protocol: str | None) -> bytes:
    """The answer to `info/refs?service=git-upload-pack`."""
    directory = git.bare(ctx, repo.id)
    told = subprocess.run(
        ["git", *_READ_OPTIONS, "upload-pack", "--stateless-rpc", "--advertise-refs", str(directory)],
        env=environment(directory, protocol),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    ).stdout
    # protocol 2 has no head line
    head = b"" if protocol and "version=2" in protocol else packet("# service=git-upload-pack\n") + FLUSH
    return head + told


def advertise_push(ctx: Context, repo: Repo) -> bytes:
    """The answer to `info/refs?service=git-receive-pack`: the refs as the database has them."""
    lines = [f"{oid} {name}" for name, oid in refs.all(ctx, repo.id).items()] or [f"{NO_OBJECT} capabilities^{{}}"]
    lines[0] += f"\0{_PUSH_ABILITIES} agent=corral"
    body = b"".join(packet(f"{line}\n") for line in lines)
    return packet("# service=git-receive-pack\n") + FLUSH + body + FLUSH


class UploadPack:
    """A running `git upload-pack`, which answers one request of a clone or fetch; ended with its `with` block."""

    def __init__(self, directory: Path, request: IO[bytes], protocol: str | None) -> None:
        """`directory`: from `git.bare`; `request`: a file that holds the request's body."""
        self._process = subprocess.Popen(
            ["git", *_READ_OPTIONS, "upload-pack", "--stateless-rpc", str(directory)],
            env=environment(directory, protocol),
            stdin=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=PIPE_BYTES,
            bufsize=0,
        )

    def read(self) -> bytes:
        """The next bytes of the answer, b'' at its end. Blocks."""
        assert self._process.stdout is not None  # noqa: S101  (a pipe was asked for)
        return self._process.stdout.read(PIPE_BYTES) or b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()


class Packets:
    """A request body: first packets, then a pack."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise BadRequest("The request ended in the middle of a packet: push again.", code="BodyCut")
            self._buffer += chunk
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def until_flush(self, most: int) -> list[bytes]:
        """The packets before the next flush, at most `most` of them; none at the end of the body."""
        found: list[bytes] = []
        while self._more():
            try:
                size = int(self._take(4), 16)
            except ValueError:
                raise BadRequest("The request is not in git's packet format.") from None
            if size == 0:
                break
            if size < 4 or len(found) == most:
                raise BadRequest(f"The request has a malformed packet, or more than {most} of them.")
            found.append(self._take(size - 4))
        return found

    def _more(self) -> bool:
        self._buffer = self._buffer or next(self._chunks, b"")
        return bool(self._buffer)

    def rest(self) -> Iterator[bytes]:
        """What follows, as it comes."""
        if self._buffer:
            kept, self._buffer = self._buffer, b""
            yield kept
        yield from self._chunks
