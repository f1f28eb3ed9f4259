"""What a GGUF file says of itself, and how much its readers may keep in mind."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from corral.inference.engines import gguf_header
from corral.inference.engines.room import Room


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def file(folder: Path, *entries: bytes, head: bytes = b"GGUF\x03\0\0\0", keys: int | None = None) -> Path:
    path = folder / "m.gguf"
    count = len(entries) if keys is None else keys
    path.write_bytes(head + struct.pack("<QQ", 0, count) + b"".join(entries))
    return path


def test_numbers_texts_and_short_lists_are_read_and_vocabularies_passed_over(tmp_path: Path) -> None:
    words = struct.pack("<IQ", 8, 5000) + b"".join(text(f"w{i}") for i in range(5000))
    few = struct.pack("<IQ3I", 4, 3, 1, 2, 3)
    made = file(
        tmp_path,
        entry("general.architecture", 8, text("llama")),
        entry("llama.context_length", 4, struct.pack("<I", 8192)),
        entry("tokenizer.ggml.tokens", 9, words),
        entry("llama.attention.head_count_kv", 9, few),
        entry("tokenizer.chat_template", 8, text("{{ messages }} é")),
    )
    assert gguf_header.read(made) == {
        "general.architecture": "llama",
        "llama.context_length": 8192,
        "tokenizer.ggml.tokens": None,
        "llama.attention.head_count_kv": [1, 2, 3],
        "tokenizer.chat_template": "{{ messages }} é",
    }


@pytest.mark.parametrize(
    ("entries", "options", "says"),
    [
        ((), {"head": b"GGML\x03\0\0\0"}, "no GGUF"),
        ((), {"head": b"GGUF\x01\0\0\0"}, "version"),
        ((), {"keys": 2**40}, "too many keys"),
        ((), {"keys": 1}, "ends inside"),
        ((struct.pack("<Q", 2**60),), {}, "cannot be"),
        ((entry("a", 99, b""),), {}, "no type 99"),
        ((entry("a", 9, struct.pack("<IQ", 4, 2**50)),), {}, "a list that long"),
        ((entry("a", 9, struct.pack("<IQ", 9, 1)),), {}, "lists of lists"),
        ((entry("a", 9, struct.pack("<IQ", 8, 10_000_000)),), {}, "ends inside"),
    ],
)
def test_damaged_headers_are_told_and_cost_little(
    tmp_path: Path, entries: tuple[bytes, ...], options: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        gguf_header.read(file(tmp_path, *entries, **options))  # type: ignore[arg-type]


def test_room_goes_to_those_who_came_first() -> None:
    import threading
    import time

    room, here = Room(10), threading.Event()
    order: list[str] = []

    def want(name: str, size: int) -> None:
        with room.of(size, here) as mine:
            assert mine
            order.append(name)

    with room.of(6, here):
        large = threading.Thread(target=want, args=("large", 8))
        large.start()
        time.sleep(0.05)
        small = threading.Thread(target=want, args=("small", 2))
        small.start()
        time.sleep(0.05)
        assert order == [], "the small one does not pass by"
    large.join(5)
    small.join(5)
    assert order == ["large", "small"]


def test_who_is_gone_gets_no_room_and_bars_nobody() -> None:
    import threading

    room, gone, here = Room(10), threading.Event(), threading.Event()
    gone.set()
    with room.of(10, here), room.of(5, gone) as mine:
        assert not mine
    with room.of(99, here) as mine:
        assert mine, "a wish for more than there is gets all"
