from __future__ import annotations

import resource
import time

import lz4.frame
import pytest

from building.xet import chunk, noise, xorb
from corral.repos.xet.xorb import MAX_CHUNK, MAX_CHUNKS, MAX_XORB, ChunkIndex, InvalidXorb, XorbReader

TEXT = b"the quick brown fox " * 3000


def read(body: bytes, expected: bytes, step: int = 1 << 20) -> tuple[ChunkIndex, bytes]:
    reader = XorbReader()
    stored = b"".join(reader.feed(body[at : at + step]) for at in range(0, len(body), step))
    return reader.finish(expected), stored


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_every_scheme_in_pieces_of_any_size(step: int) -> None:
    x = xorb([noise(3000), TEXT, TEXT[:-1], TEXT[:-2], TEXT[:-3], b"x"], (0, 1, 2, 2, 2, 0))
    index, stored = read(x.body, x.raw, step)
    assert stored == x.body
    assert list(index.nodes(0, len(index))) == x.nodes
    assert index.stored(len(index)) == len(x.body)
    assert [index.at(0), index.at(2999), index.at(3000), index.at(3000 + len(TEXT))] == [0, 0, 1, 2]


def test_an_old_clients_footer_is_cut_off() -> None:
    x = xorb([TEXT, noise(100)], (1,))
    index, stored = read(x.body + b"XETBLOB\x01" + noise(500), x.raw, 333)
    assert stored == x.body
    assert len(index) == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (chunk(b"a", version=1), "not known"),
        (chunk(b"a", scheme=0)[:4] + b"\x03" + chunk(b"a")[5:], "not known"),
        (chunk(b"", packed=b"x", size=0), "holds 1 to"),
        (chunk(b"abc", packed=b""), "holds 1 to"),
        (chunk(noise(MAX_CHUNK + 1)), "holds 1 to"),
        (chunk(b"abc", size=4), "said 4 bytes"),
        (chunk(TEXT, 1, size=len(TEXT) - 1), "said"),
        (chunk(TEXT, 1, size=len(TEXT) + 1), "said"),
        (chunk(TEXT, 1, packed=noise(300)), "LZ4"),
        (chunk(TEXT, 1, packed=lz4.frame.compress(TEXT)[:-6]), "does not end"),
        (chunk(TEXT, 1, packed=lz4.frame.compress(TEXT) + b"more"), "does not end"),
        (b"", "no chunk"),
        (b"XETBLOB\x01", "no chunk"),
        (chunk(b"abc")[:-1], "middle of a chunk"),
        (chunk(b"abc") + b"\0\0", "middle of a chunk"),
        (chunk(b"abc"), "hash"),
    ],
)
def test_what_is_wrong_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(InvalidXorb, match=says):
        read(body, xorb([b"another"]).raw)


def test_too_many_chunks_and_too_many_bytes_are_refused() -> None:
    with pytest.raises(InvalidXorb, match=f"at most {MAX_CHUNKS} chunks"):
        read(chunk(b"x") * (MAX_CHUNKS + 1), bytes(32))
    reader = XorbReader()
    with pytest.raises(InvalidXorb, match=f"at most {MAX_XORB} bytes"):
        for _ in range(66):
            reader.feed(b"XETBLOB\x01" + bytes(2**20 - 8))


@pytest.mark.parametrize("promise", [0, 2**40], ids=["size unsaid", "size overstated"])
def test_an_lz4_bomb_costs_neither_time_nor_memory(promise: int) -> None:
    """250 KB that unpack to 64 MB; a frame may also promise a terabyte in its header."""
    bomb = bytearray(lz4.frame.compress(bytes(2**26), store_size=bool(promise)))
    if promise:
        bomb[6:14] = promise.to_bytes(8, "little")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    for _ in range(20):
        with pytest.raises(InvalidXorb):
            read(chunk(b"", 1, packed=bytes(bomb[: 2 * MAX_CHUNK]), size=MAX_CHUNK), bytes(32))
    assert time.perf_counter() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_the_reader_stops_at_the_first_wrong_chunk() -> None:
    reader = XorbReader()
    with pytest.raises(InvalidXorb):
        reader.feed(chunk(b"good") + chunk(b"bad", size=9) + bytes(2**20))
