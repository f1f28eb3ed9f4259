"""What a GGUF file says of itself, without its vocabulary.

The gguf package's reader wraps every token of the vocabulary and takes seconds; this one passes over them. Format:
GGUF specification, version 2 and 3 (ggml `docs/gguf.md`).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"GGUF"
#: type number -> struct code
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
#: no file is believed that says more
_MOST_KEYS, _MOST_ITEMS, _LONGEST = 10_000, 10_000_000, 64 * 2**20
#: longer arrays than this are not kept: they are the vocabulary
_KEPT = 4096


def read(path: Path) -> dict[str, Any]:
    """The file's metadata: key -> number, text, or list (None for long ones). Raises ValueError for what is no GGUF."""
    with path.open("rb") as file:
        magic, version = file.read(4), _number(file, "I")
        if magic != _MAGIC or version not in (2, 3):
            raise ValueError("This is no GGUF file, or one of a version that is not known.")
        _number(file, "Q")
        keys = _number(file, "Q")
        if keys > _MOST_KEYS:
            raise ValueError("The GGUF file's header is damaged: too many keys.")
        return {_text(file): _value(file, _number(file, "I")) for _ in range(keys)}


def _number(file: BinaryIO, code: str) -> Any:
    form = struct.Struct(f"<{code}")
    data = file.read(form.size)
    if len(data) != form.size:
        raise ValueError("The GGUF file ends inside its header.")
    return form.unpack(data)[0]


def _text(file: BinaryIO) -> str:
    size = _number(file, "Q")
    if size > _LONGEST:
        raise ValueError("The GGUF file's header is damaged: a text that long cannot be.")
    return file.read(size).decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind == _ARRAY:
        return _array(file)
    if kind not in _NUMBERS:
        raise ValueError(f"The GGUF file's header is damaged: there is no type {kind}.")
    return _number(file, _NUMBERS[kind])


def _array(file: BinaryIO) -> list[Any] | None:
    kind, count = _number(file, "I"), _number(file, "Q")
    if count > _MOST_ITEMS:
        raise ValueError("The GGUF file's header is damaged: a list that long cannot be.")
    if kind in _NUMBERS:
        form = struct.Struct(f"<{count}{_NUMBERS[kind]}")
        data = file.read(form.size)
        if len(data) != form.size:
            raise ValueError("The GGUF file ends inside its header.")
        return list(form.unpack(data)) if count <= _KEPT else None
    if kind != _STRING:
        raise ValueError("The GGUF file's header is damaged: lists of lists are not known.")
    if count <= _KEPT:
        return [_text(file) for _ in range(count)]
    for _ in range(count):
        _text(file)
    return None
