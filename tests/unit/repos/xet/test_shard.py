from __future__ import annotations

import struct
import tracemalloc

import pytest

from building.xet import BOOKEND, TAG, chunk, file_block, noise, shard, xorb
from corral.repos.xet import hashing
from corral.repos.xet.shard import MAX_SHARD, InvalidShard, parse, write_answer
from corral.repos.xet.xorb import XorbReader

X = xorb([noise(5000, 1), noise(6000, 2), noise(7000, 3)])
HEAD = TAG + struct.pack("<QQ", 2, 0)


def test_files_with_and_without_sha256() -> None:
    data = shard([file_block([(X, 0, 2), (X, 2, 3)]), file_block([(X, 1, 3)], sha256=None)], [X])
    parsed = parse(data)
    first, second = parsed.files
    assert [(t.xorb, t.size, t.start, t.end) for t in first.terms()] == [(X.raw, 11000, 0, 2), (X.raw, 7000, 2, 3)]
    assert first.sha256 is not None
    assert second.sha256 is None
    assert parsed.xorbs == [(X.raw, 3)]


def test_a_sha256_of_zeros_is_none() -> None:
    (file,) = parse(shard([file_block([(X, 0, 1)], sha256="0" * 64)])).files
    assert file.sha256 is None


@pytest.mark.parametrize("cut", [0, 10, 47, 48, 95, 96, 97, 200, -1, -48, -49])
def test_a_shard_cut_off_anywhere_is_refused(cut: int) -> None:
    data = shard([file_block([(X, 0, 2)])], [X])
    with pytest.raises(InvalidShard):
        parse(data[:cut])


@pytest.mark.parametrize(
    "data",
    [
        b"X" * 48 + BOOKEND * 2,
        TAG + struct.pack("<QQ", 3, 0) + BOOKEND * 2,
        shard([file_block([(X, 0, 2)], proofs=[])]),
        shard([file_block([(X, 0, 2)], count=3)]),
    ],
    ids=["no shard", "version 3", "no proofs", "more terms than there are"],
)
def test_what_is_wrong_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidShard):
        parse(data)


@pytest.mark.parametrize("flags", [0, 1 << 31, 3 << 30])
def test_96_bytes_that_promise_192_gigabytes_cost_nothing(flags: int) -> None:
    bomb = HEAD + bytes(32) + struct.pack("<4I", flags, 2**32 - 1, 0, 0)
    xorbs = HEAD + BOOKEND + bytes(32) + struct.pack("<4I", 0, 2**32 - 1, 0, 0)
    tracemalloc.start()
    for data in (bomb, xorbs):
        with pytest.raises(InvalidShard):
            parse(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_more_than_64_mebibytes_are_refused() -> None:
    with pytest.raises(InvalidShard, match="split"):
        parse(bytes(MAX_SHARD + 1))


def test_an_answer_hides_chunk_hashes_from_who_does_not_know_them() -> None:
    reader = XorbReader()
    reader.feed(b"".join(chunk(data) for data in X.chunks))
    index = reader.finish(X.raw)
    key = noise(32)
    answer = write_answer([(X.raw, index)], key, 1000, 2000)
    assert parse(answer).xorbs == [(X.raw, 3)]
    for raw, _ in X.nodes:
        assert raw not in answer
        assert hashing.keyed(raw, key) in answer
    footer = answer[-200:]
    version, files_at, xorbs_at, tables_at = struct.unpack_from("<4Q", footer)
    footer_at = struct.unpack_from("<Q", footer, 192)[0]
    assert (version, files_at, xorbs_at) == (1, 48, 96)
    # hf_xet reads xorbs up to where the first look-up table starts
    assert tables_at == footer_at == len(answer) - 200
    assert footer[72:104] == key
    assert struct.unpack_from("<QQ", footer, 104) == (1000, 2000)
