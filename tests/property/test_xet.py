"""Whatever bytes come, the readers accept what is right, refuse what is not, and never fall over."""

from __future__ import annotations

import contextlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from building.xet import Xorb, file_block, group, noise, shard, xorb
from corral.repos.xet import hashing
from corral.repos.xet.shard import InvalidShard, parse
from corral.repos.xet.xorb import ChunkIndex, Decoder, InvalidXorb, XorbReader

chunks = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=3000),
        st.builds(lambda word, times: word * times, st.binary(min_size=1, max_size=9), st.integers(1, 4000)),
    ),
    min_size=1,
    max_size=20,
)
xorbs = st.builds(xorb, chunks, st.lists(st.integers(0, 2), max_size=20))


def feed(body: bytes, cuts: list[int], expected: bytes) -> tuple[ChunkIndex, bytes]:
    reader = XorbReader()
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    stored = b"".join(reader.feed(body[a:b]) for a, b in pairwise(edges))
    return reader.finish(expected), stored


@given(xorbs, st.lists(st.integers(0, 10**6), max_size=10))
def test_a_xorb_is_read_alike_however_it_is_cut(x: Xorb, cuts: list[int]) -> None:
    index, stored = feed(x.body, cuts, x.raw)
    assert stored == x.body
    assert list(index.nodes(0, len(index))) == x.nodes
    total = sum(len(data) for data in x.chunks)
    for position in {0, total - 1, total // 2, total // 3}:
        number = index.at(position)
        assert index.data(number) <= position < index.data(number + 1)


@given(xorbs, st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=300)
def test_a_changed_byte_never_passes(x: Xorb, at: int, change: int) -> None:
    body = bytearray(x.body)
    body[at % len(body)] ^= change
    with contextlib.suppress(InvalidXorb):
        index, _ = feed(bytes(body), [], x.raw)
        # LZ4 leaves a few bits of its frame header free: the data is the same all the same
        assert list(index.nodes(0, len(index))) == x.nodes


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_xorb_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidXorb):
        feed(body, [], bytes(32))
        raise AssertionError("no bytes hash to zeros")


@given(st.binary(min_size=1, max_size=5000))
def test_byte_grouping_comes_undone(data: bytes) -> None:
    assert Decoder().decode(0, data, len(data)) == data
    x = xorb([data], (2,))
    index, _ = feed(x.body, [], x.raw)
    assert index.hash(0) == hashing.chunk_hash(data)
    assert sorted(group(data)) == sorted(data)


X = xorb([noise(100, n) for n in range(6)])
SHARD = shard([file_block([(X, 0, 3), (X, 2, 6)]), file_block([(X, 1, 2)], sha256=None)], [X])


@given(st.integers(0, len(SHARD) - 1), st.binary(min_size=1, max_size=8), st.integers(0, len(SHARD)))
@settings(max_examples=500)
def test_any_change_to_a_shard_is_read_or_refused(at: int, change: bytes, length: int) -> None:
    data = (SHARD[:at] + change + SHARD[at + len(change) :])[:length]
    with contextlib.suppress(InvalidShard):
        parsed = parse(data)
        assert sum(len(list(file.terms())) for file in parsed.files) * 48 <= len(data)


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 10**6)), max_size=300))
def test_a_hash_tree_depends_on_every_leaf_and_on_their_order(nodes: list[hashing.Node]) -> None:
    root = hashing.xorb_hash(iter(nodes))
    assert root == hashing.xorb_hash(nodes)
    if nodes:
        assert hashing.xorb_hash([*nodes[:-1], (nodes[-1][0], nodes[-1][1] + 1)]) != root or len(nodes) == 1
    if len(nodes) > 1 and nodes[0] != nodes[-1]:
        assert hashing.xorb_hash(nodes[::-1]) != root or nodes == nodes[::-1]
