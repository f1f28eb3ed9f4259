"""The hashes of the Xet protocol (hub-docs `docs/xet/hashing.md`, `docs/xet/api.md`).

A hash is 32 raw bytes. Its text form is not plain hex: it is four little-endian 64-bit words, each as 16 hex digits.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from itertools import chain

from blake3 import blake3

from corral.core.errors import BadRequest

#: a node of a hash tree: (hash, bytes of data below it)
Node = tuple[bytes, int]

_DATA_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_VERIFICATION_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_NO_KEY = bytes(32)

_WORDS = struct.Struct("<4Q")
_HEX = re.compile(r"[0-9a-f]{64}")
_SMALLEST_GROUP, _LARGEST_GROUP, _MEAN_GROUP = 3, 9, 4
#: one chunk in so many may be asked about for deduplication across files
_DEDUP_MODULUS = 1024


def to_hex(raw: bytes) -> str:
    """The text form of a hash."""
    return "{:016x}{:016x}{:016x}{:016x}".format(*_WORDS.unpack(raw))


def from_hex(text: str) -> bytes:
    """The hash that `to_hex` wrote. Raises BadRequest for anything else."""
    if not _HEX.fullmatch(text):
        raise BadRequest("A Xet hash is 64 lower-case hex digits.", code="InvalidHash")
    return _WORDS.pack(*(int(text[i : i + 16], 16) for i in range(0, 64, 16)))


def chunk_hash(data: bytes | bytearray | memoryview) -> bytes:
    return blake3(data, key=_DATA_KEY).digest()


def verification_hash(chunk_hashes: bytes) -> bytes:
    """What proves possession of a range of chunks; `chunk_hashes` are their raw hashes, concatenated."""
    return blake3(chunk_hashes, key=_VERIFICATION_KEY).digest()


def keyed(raw: bytes, key: bytes) -> bytes:
    """A hash that only those who know `raw` can recognise (what a deduplication answer holds)."""
    return blake3(raw, key=key).digest()


def is_dedup_chunk(raw: bytes) -> bool:
    """Whether clients ask the hub about a chunk of this hash, wherever in a file it stands."""
    return int.from_bytes(raw[24:], "little") % _DEDUP_MODULUS == 0


def xorb_hash(chunks: Iterable[Node]) -> bytes:
    """The root of the hash tree over (chunk hash, chunk bytes); zeros for no chunks."""
    nodes = iter(chunks)
    first, second = next(nodes, None), next(nodes, None)
    if first is None:
        return bytes(32)
    if second is None:
        return first[0]
    # the first level is read as it comes: a file of 200 GB has three million chunks
    level = list(_parents(chain((first, second), nodes)))
    while len(level) > 1:
        level = list(_parents(level))
    return level[0][0]


def file_hash(chunks: Iterable[Node]) -> bytes:
    """The hash of a file of these chunks; zeros for the empty file."""
    root = xorb_hash(chunks)
    return root if root == bytes(32) else keyed(root, _NO_KEY)


def _parents(nodes: Iterable[Node]) -> Iterator[Node]:
    """The next level of a hash tree: groups of 3 to 9 nodes (fewer at the end), cut after a hash divisible by 4."""
    group: list[Node] = []
    for node in nodes:
        group.append(node)
        # the lowest two bits of the last word are those of its first byte
        divisible = node[0][24] % _MEAN_GROUP == 0
        if len(group) == _LARGEST_GROUP or (len(group) >= _SMALLEST_GROUP and divisible):
            yield _parent(group)
            group = []
    if group:
        yield _parent(group)


def _parent(group: list[Node]) -> Node:
    lines = "".join([f"{to_hex(raw)} : {size}\n" for raw, size in group])
    return blake3(lines.encode(), key=_NODE_KEY).digest(), sum(size for _, size in group)
