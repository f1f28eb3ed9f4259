"""Bytes: the port that every store implements, and `connect`, which picks one by URL.

Keys are slash-separated and made by the callers from hashes (`blobs/ab/cd/…`, `packs/…`, `xorbs/…`): what is stored
under a key never changes. Every store passes the suite in `tests/unit/storage/test_blobs.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self


def check_key(key: str) -> str:
    """Return `key`, or raise ValueError for one that could lead out of a store or into what is on its way in."""
    parts = key.split("/")
    if "\0" in key or parts[0] == "incoming" or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"not a blob key: {key!r}")
    return key


class BlobWriter(Protocol):
    """Bytes on their way in. They are visible under no key until `commit`; left uncommitted, they vanish."""

    def write(self, data: bytes | bytearray | memoryview) -> int: ...

    def commit(self, key: str) -> None:
        """Make what was written durable under `key`, atomically. Writing a key that exists already is harmless."""

    def discard(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Discard unless committed."""


class BlobStore(Protocol):
    def writer(self) -> BlobWriter: ...

    def adopt(self, source: Path, key: str) -> None:
        """Take over a finished file of this machine, durably; `source` is gone afterwards."""

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """The bytes from `start`, `length` of them (to the end by default). Raises KeyError when absent."""

    def size(self, key: str) -> int | None:
        """Bytes under `key`, None when absent."""

    def path(self, key: str) -> Path | None:
        """The file itself where the store is this machine's disk, so that the kernel can send or link it."""

    def delete(self, key: str) -> None:
        """Remove; absent is fine."""

    def keys(self, prefix: str = "") -> Iterator[str]: ...

    def sweep_incoming(self, older_than: float) -> int:
        """Remove what writers that never ended left before `older_than` (seconds since 1970). Returns how many."""


def connect(url: str) -> BlobStore:
    """The store that `url` names: `file:///path` or `memory:`. Raises ValueError for any other scheme."""
    from corral.storage.blobs.local import LocalStore
    from corral.storage.blobs.memory import MemoryStore

    scheme, _, rest = url.partition(":")
    if scheme == "file":
        return LocalStore(Path(rest.removeprefix("//")))
    if scheme == "memory":
        return MemoryStore()
    raise ValueError(f"CORRAL_STORAGE_URL: no blob store for {url!r}; use file:///path")
