"""Blobs in memory, for tests and throw-away hubs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from corral.storage.blobs import check_key


class MemoryStore:
    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def writer(self) -> MemoryWriter:
        return MemoryWriter(self)

    def adopt(self, source: Path, key: str) -> None:
        self._put(key, source.read_bytes())
        source.unlink()

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        data = memoryview(self._blobs[check_key(key)])[start:]
        return io.BytesIO(data if length is None else data[:length])

    def size(self, key: str) -> int | None:
        data = self._blobs.get(check_key(key))
        return None if data is None else len(data)

    def path(self, key: str) -> Path | None:
        return None

    def delete(self, key: str) -> None:
        self._blobs.pop(check_key(key), None)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return iter([k for k in self._blobs if k.startswith(prefix)])

    def sweep_incoming(self, older_than: float) -> int:
        return 0

    def _put(self, key: str, data: bytes) -> None:
        self._blobs.setdefault(check_key(key), data)


class MemoryWriter:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._buffer = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._buffer += data
        return len(data)

    def commit(self, key: str) -> None:
        self._store._put(key, bytes(self._buffer))
        self._buffer = bytearray()

    def discard(self) -> None:
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.discard()
