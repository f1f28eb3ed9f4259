from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import hf_xet
import pytest

from building.xet import noise
from corral.core.errors import BadRequest
from corral.repos.xet import hashing

#: where hf_xet 1.8.0 cuts `noise(3_000_000)`, measured with the uploader
CUTS = Path(__file__).with_name("cuts.txt")


def test_text_form_is_four_little_endian_words() -> None:
    text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert hashing.to_hex(bytes(range(32))) == text
    assert hashing.from_hex(text) == bytes(range(32))


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 63 + "\n", "../" + "0" * 61])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        hashing.from_hex(text)


@pytest.mark.parametrize("size", [1, 100, 8000])
def test_file_of_one_chunk_has_the_hash_that_hf_xet_gives_it(tmp_path: Path, size: int) -> None:
    data = noise(size)
    (tmp_path / "file").write_bytes(data)
    (expected,) = hf_xet.hash_files([str(tmp_path / "file")])
    assert hashing.to_hex(hashing.file_hash([(hashing.chunk_hash(data), size)])) == expected.hash


def test_file_of_many_chunks_has_the_hash_that_hf_xet_gives_it(tmp_path: Path) -> None:
    data = noise(3_000_000)
    (tmp_path / "file").write_bytes(data)
    (expected,) = hf_xet.hash_files([str(tmp_path / "file")])
    cuts = [int(line) for line in CUTS.read_text().split()]
    assert cuts[-1] == len(data)
    nodes = [(hashing.chunk_hash(data[start:end]), end - start) for start, end in pairwise([0, *cuts])]
    assert len(nodes) > 30, "a tree of several levels"
    assert hashing.to_hex(hashing.file_hash(iter(nodes))) == expected.hash


def test_no_chunks_hash_to_zeros() -> None:
    assert hashing.xorb_hash([]) == hashing.file_hash([]) == bytes(32)


def test_one_chunk_in_1024_may_be_asked_about() -> None:
    assert hashing.is_dedup_chunk(b"\xff" * 24 + (1024 * 7).to_bytes(8, "little"))
    assert not hashing.is_dedup_chunk(bytes(24) + (1024 * 7 + 1).to_bytes(8, "little"))
