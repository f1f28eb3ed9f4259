"""Blobs as files: written to a temporary name, synced, renamed, the folder synced."""

from __future__ import annotations

import errno
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from corral.storage.blobs import check_key


class LocalStore:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def _file(self, key: str) -> Path:
        return self.root / check_key(key)

    def writer(self) -> LocalWriter:
        return LocalWriter(self, self._incoming / secrets.token_hex(16))

    def adopt(self, source: Path, key: str) -> None:
        with source.open("rb") as file:
            os.fsync(file.fileno())
        try:
            self._place(source, key)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # the store is on another file system
            with source.open("rb") as file, self.writer() as writer:
                while piece := file.read(1 << 20):
                    writer.write(piece)
                writer.commit(key)
            source.unlink()

    def _place(self, source: Path, key: str) -> None:
        target = self._file(key)
        if not target.parent.exists():
            _make_durable_folder(target.parent)
        source.replace(target)
        _sync_folder(target.parent)

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        try:
            file = self._file(key).open("rb")
        except FileNotFoundError:
            raise KeyError(key) from None
        if start:
            file.seek(start)
        return file if length is None else cast(BinaryIO, io.BufferedReader(_Window(file, length)))

    def size(self, key: str) -> int | None:
        try:
            return self._file(key).stat().st_size
        except FileNotFoundError:
            return None

    def path(self, key: str) -> Path | None:
        return self._file(key)

    def delete(self, key: str) -> None:
        self._file(key).unlink(missing_ok=True)

    def keys(self, prefix: str = "") -> Iterator[str]:
        # walk from the deepest folder that the prefix names, so that listing one repository's packs is cheap
        top = self._file(prefix.rpartition("/")[0]) if "/" in prefix else self.root
        for folder, _, names in os.walk(top):
            if Path(folder) == self._incoming:
                continue
            for name in names:
                key = (Path(folder) / name).relative_to(self.root).as_posix()
                if key.startswith(prefix):
                    yield key

    def sweep_incoming(self, older_than: float) -> int:
        """Remove what crashed writers left before `older_than` (seconds since 1970). Returns how many."""
        swept = 0
        for file in self._incoming.iterdir():
            # a writer may end meanwhile
            with suppress(FileNotFoundError):
                if file.stat().st_mtime <= older_than:
                    file.unlink()
                    swept += 1
        return swept


class LocalWriter:
    def __init__(self, store: LocalStore, file: Path) -> None:
        self._store = store
        self._path = file
        # unbuffered: callers write in large pieces
        self._file = file.open("xb", buffering=0)

    @property
    def path(self) -> Path:
        """The temporary file, for a caller that must read back what it wrote before it commits."""
        return self._path

    def write(self, data: bytes | bytearray | memoryview) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            done += self._file.write(view[done:])
        return done

    def commit(self, key: str) -> None:
        try:
            os.fsync(self._file.fileno())
            self._store._place(self._path, key)
        except BaseException:
            self.discard()
            raise
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._file.closed:
            self.discard()


class _Window(io.RawIOBase):
    """At most `length` bytes of an open file."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: self._left]
        got = cast(io.BufferedReader, self._file).readinto(view) if len(view) else 0
        self._left -= got
        return got

    def close(self) -> None:
        self._file.close()
        super().close()


def _make_durable_folder(folder: Path) -> None:
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
