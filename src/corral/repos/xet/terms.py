"""A file as runs of chunks, packed: what the hub keeps of a shard."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

_TERM = struct.Struct("<32sQ5I")


class Run(NamedTuple):
    """Chunks `first` up to `end` of a xorb: bytes `stored_start` up to `stored_end` of it, `size` bytes of the file."""

    xorb: bytes
    file_start: int
    size: int
    first: int
    end: int
    stored_start: int
    stored_end: int

    def pack(self) -> bytes:
        return _TERM.pack(*self)


class Terms:
    """The runs of one file, in order. 60 bytes a run, read where they lie: a large file may have 100,000."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed) // _TERM.size

    def __getitem__(self, number: int) -> Run:
        return Run(*_TERM.unpack_from(self.packed, number * _TERM.size))

    def _start(self, number: int) -> int:
        start: int = struct.unpack_from("<Q", self.packed, number * _TERM.size + 32)[0]
        return start

    def covering(self, start: int, end: int) -> Iterator[Run]:
        """The runs that hold the file's bytes from `start` up to `end`."""
        number = max(0, bisect_right(range(len(self)), start, key=self._start) - 1)
        while number < len(self) and self._start(number) < end:
            yield self[number]
            number += 1
