"""Xorbs: runs of compressed chunks (hub-docs `docs/xet/xorb.md`), read with every bound checked before it is used.

A stored xorb is chunks only; the footer that old clients append is cut off, since the hub keeps an index of its own.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from lz4.frame import LZ4FrameDecompressor

from corral.core.errors import BadRequest
from corral.repos.xet import hashing

MAX_CHUNKS = 8192
MAX_CHUNK = 128 * 2**10
#: bytes of an uploaded xorb: hf_xet fills one with 64 MiB of data, to which chunk headers (and an old client's footer)
#: come on top
MAX_XORB = 65 * 2**20

HEADER = 8
#: xet-core refuses a chunk that compression made more than twice the largest chunk
_MAX_PACKED = 2 * MAX_CHUNK
_FOOTER_MARK = b"XETBLOB"
_PLAIN, _LZ4, _GROUPED_LZ4 = 0, 1, 2

_ENTRY = struct.Struct("<32sII")


class InvalidXorb(BadRequest):
    code = "InvalidXorb"


class ChunkIndex:
    """Where each chunk of a xorb lies: 40 bytes a chunk, as kept in the database.

    Per chunk: hash, end of its stored bytes (header included), end of its data; both ends count from the xorb's start.
    """

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed) // _ENTRY.size

    def _ends(self, chunk: int) -> tuple[int, int]:
        """Bytes stored, bytes of data before chunk number `chunk`."""
        if chunk == 0:
            return 0, 0
        _, stored, data = _ENTRY.unpack_from(self.packed, (chunk - 1) * _ENTRY.size)
        return stored, data

    def stored(self, chunk: int) -> int:
        """Where the stored bytes of a chunk start; for the number after the last one, where the xorb ends."""
        return self._ends(chunk)[0]

    def data(self, chunk: int) -> int:
        """Bytes of data before a chunk."""
        return self._ends(chunk)[1]

    def hash(self, chunk: int) -> bytes:
        at = chunk * _ENTRY.size
        return self.packed[at : at + 32]

    def nodes(self, start: int, end: int) -> Iterator[hashing.Node]:
        """(hash, bytes) of the chunks from `start` up to `end`."""
        before = self.data(start)
        view = memoryview(self.packed)[start * _ENTRY.size : end * _ENTRY.size]
        for raw, _, data in _ENTRY.iter_unpack(view):
            yield raw, data - before
            before = data

    def at(self, position: int) -> int:
        """The chunk that holds byte number `position` of the data."""
        return bisect_right(range(len(self)), position, key=lambda chunk: self.data(chunk + 1))


class Header(NamedTuple):
    packed: int
    scheme: int
    size: int


def header(raw: bytes | bytearray | memoryview) -> Header:
    """Read the 8 bytes before a chunk. Raises InvalidXorb when they promise more than a chunk may be."""
    packed, size = int.from_bytes(raw[1:4], "little"), int.from_bytes(raw[5:8], "little")
    if raw[0] != 0 or raw[4] > _GROUPED_LZ4:
        raise InvalidXorb(f"Chunk version {raw[0]} with compression {raw[4]} is not known to this hub.")
    if not 0 < size <= MAX_CHUNK or not 0 < packed <= _MAX_PACKED:
        raise InvalidXorb(f"A chunk holds 1 to {MAX_CHUNK} bytes; this one says {size} (packed: {packed}).")
    return Header(packed, raw[4], size)


class Decoder:
    """Unpacks chunks. Not for two threads at once: it keeps one LZ4 context, which is what makes it fast."""

    def __init__(self) -> None:
        self._lz4 = LZ4FrameDecompressor()

    def decode(self, scheme: int, packed: bytes | bytearray | memoryview, size: int) -> bytes:
        """The `size` bytes of a chunk. Raises InvalidXorb; never makes more than `size` + 1 bytes."""
        if scheme == _PLAIN:
            data = bytes(packed)
        else:
            self._lz4.reset()
            try:
                data = self._lz4.decompress(packed, max_length=size + 1)
            except RuntimeError:
                raise InvalidXorb("A chunk is no valid LZ4 frame.") from None
            if not self._lz4.eof or self._lz4.unused_data:
                raise InvalidXorb("A chunk's LZ4 frame does not end where the chunk ends.")
        if len(data) != size:
            raise InvalidXorb(f"A chunk said {size} bytes and holds {len(data)}.")
        return _ungroup(data) if scheme == _GROUPED_LZ4 else data


def _ungroup(data: bytes) -> bytes:
    """Undo ByteGrouping4: all first bytes of every four, then all second ones, …"""
    quarter, rest = divmod(len(data), 4)
    out = bytearray(len(data))
    start = 0
    for place in range(4):
        end = start + quarter + (place < rest)
        out[place::4] = data[start:end]
        start = end
    return bytes(out)


class XorbReader:
    """Checks a xorb while it arrives, in pieces of any size, holding no more than one chunk of it.

    Every chunk is unpacked and hashed; `finish` compares the hash of the whole with the promised one.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._index: list[bytes] = []
        self._nodes: list[hashing.Node] = []
        self._decoder = Decoder()
        self._arrived = 0
        self._in_footer = False
        self.stored = 0
        self._data = 0

    def feed(self, piece: bytes | bytearray | memoryview) -> bytes:
        """Take the next bytes; returns those to store. Raises InvalidXorb."""
        self._arrived += len(piece)
        if self._arrived > MAX_XORB:
            raise InvalidXorb(f"A xorb has at most {MAX_XORB} bytes.")
        if self._in_footer:
            return b""
        data = memoryview(self._rest + piece)
        done = 0
        while len(data) - done >= HEADER:
            head = data[done : done + HEADER]
            if head[:7] == _FOOTER_MARK:
                self._in_footer = True
                break
            packed, scheme, size = header(head)
            end = done + HEADER + packed
            if end > len(data):
                break
            self._take(scheme, data[done + HEADER : end], size)
            done = end
        self._rest = bytes(data[done:])
        return bytes(data[:done])

    def _take(self, scheme: int, packed: memoryview, size: int) -> None:
        if len(self._nodes) == MAX_CHUNKS:
            raise InvalidXorb(f"A xorb has at most {MAX_CHUNKS} chunks.")
        raw = hashing.chunk_hash(self._decoder.decode(scheme, packed, size))
        self.stored += HEADER + len(packed)
        self._data += size
        self._nodes.append((raw, size))
        self._index.append(_ENTRY.pack(raw, self.stored, self._data))

    def finish(self, expected: bytes) -> ChunkIndex:
        """The index, once all has arrived. Raises InvalidXorb when it is cut off, empty or not what was promised."""
        if self._rest and not self._in_footer:
            raise InvalidXorb("The xorb ends in the middle of a chunk: send it again.")
        if not self._nodes:
            raise InvalidXorb("The xorb holds no chunk.")
        found = hashing.xorb_hash(self._nodes)
        if found != expected:
            raise InvalidXorb(f"The xorb's hash is {hashing.to_hex(found)}, not {hashing.to_hex(expected)}.")
        return ChunkIndex(b"".join(self._index))
