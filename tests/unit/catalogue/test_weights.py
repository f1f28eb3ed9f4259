from __future__ import annotations

import io
import struct
from typing import BinaryIO

import orjson
import pytest

from corral.catalogue import weights


def opener(data: bytes) -> weights.Open:
    def open(start: int, length: int) -> BinaryIO:
        return io.BytesIO(data[start : start + length])

    return open


def safetensors(header: object) -> bytes:
    raw = orjson.dumps(header)
    return struct.pack("<Q", len(raw)) + raw


def test_parameters_are_counted_by_type_from_the_header() -> None:
    data = safetensors(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [10, 20], "data_offsets": [0, 800]},
            "b": {"dtype": "BF16", "shape": [5], "data_offsets": [800, 810]},
            "c": {"dtype": "F32", "shape": [], "data_offsets": [810, 814]},
        }
    )
    counts = weights.safetensors(opener(data))
    assert counts == {"F32": 201, "BF16": 5}
    assert weights.parameters(counts) == {"parameters": {"F32": 201, "BF16": 5}, "total": 206}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 100) + b"{}",
        struct.pack("<Q", 4) + b"nope",
        safetensors([1, 2]),
    ],
)
def test_a_broken_header_is_none(data: bytes) -> None:
    assert weights.safetensors(opener(data)) is None


def test_shapes_that_are_none_are_passed_over() -> None:
    header = {
        "a": {"dtype": "F32", "shape": [-1]},
        "b": {"dtype": 3, "shape": [1]},
        "c": 1,
        "d": {"dtype": "F32", "shape": [2**62, 2**62]},
        "e": {"dtype": "F32", "shape": [2] * 100_000},
    }
    assert weights.safetensors(opener(safetensors(header))) == {"F32": 2**62}


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(*pairs: tuple[str, int, bytes]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs))
    return head + b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in pairs)


def test_what_a_gguf_file_says_of_itself() -> None:
    data = gguf(
        ("general.architecture", 8, text("llama")),
        ("llama.context_length", 4, struct.pack("<I", 4096)),
        ("tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b")),
        ("scores", 9, struct.pack("<IQ", 6, 2) + struct.pack("<ff", 1, 2)),
        ("general.parameter_count", 10, struct.pack("<Q", 7_000_000_000)),
        ("tokenizer.chat_template", 8, text("{{ messages }}")),
    )
    assert weights.gguf(opener(data), len(data)) == {
        "architecture": "llama",
        "context_length": 4096,
        "total": 7_000_000_000,
        "chat_template": "{{ messages }}",
    }


@pytest.mark.parametrize(
    "data",
    [
        gguf(("general.architecture", 8, struct.pack("<Q", 2**62))),
        gguf(("x", 9, struct.pack("<IQ", 0, 2**63))),
        gguf(("x", 9, struct.pack("<IQ", 9, 5))),
        gguf(("x", 99, b"")),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63),
        b"GGUF",
    ],
)
def test_lengths_are_not_believed(data: bytes) -> None:
    assert weights.gguf(opener(data), len(data)) == {}


@pytest.mark.parametrize("data", [b"", b"NOPE" * 10, b"GGUF" + struct.pack("<IQQ", 1, 0, 0)])
def test_what_is_no_gguf(data: bytes) -> None:
    assert not weights.gguf(opener(data), len(data))
