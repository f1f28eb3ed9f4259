"""How many parameters a file of weights has, from its header alone.

Formats: safetensors (huggingface/safetensors README: 8 bytes little-endian length, then JSON) and GGUF (ggml
docs/gguf.md, versions 2 and 3). A header is written by anybody: every length is checked before it is believed.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import orjson

#: opens a file of the repository at byte `start`, for `length` bytes
Open = Callable[[int, int], BinaryIO]

#: of a safetensors header that is read (the format allows 100 MB)
MOST_HEADER = 8 * 2**20
_MOST_GGUF = 256 * 2**10
_MOST_KEYS = 200
_MOST_DIMENSIONS = 16


def safetensors(open: Open) -> dict[str, int] | None:
    """Data type -> number of parameters, or None when the header is broken or too large."""
    with open(0, 8) as file:
        prefix = file.read(8)
    if len(prefix) != 8:
        return None
    length = int.from_bytes(prefix, "little")
    if not 2 <= length <= MOST_HEADER:
        return None
    with open(8, length) as file:
        raw = file.read(length)
    try:
        header = orjson.loads(raw) if len(raw) == length else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(header, dict):
        return None
    counts: Counter[str] = Counter()
    for name, tensor in header.items():
        if name == "__metadata__" or not isinstance(tensor, dict):
            continue
        shape, dtype = tensor.get("shape"), tensor.get("dtype")
        if not isinstance(shape, list) or not isinstance(dtype, str) or len(shape) > _MOST_DIMENSIONS:
            continue
        if all(type(n) is int and n >= 0 for n in shape):
            counts[dtype[:16]] += math.prod(shape)
    return {dtype: min(count, 2**62) for dtype, count in counts.items() if count}


def parameters(counts: Mapping[str, int]) -> dict[str, Any]:
    """The form of `SafeTensorsInfo`: `{parameters: {dtype: count}, total}`."""
    return {"parameters": dict(counts), "total": sum(counts.values())}


_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9


class _Cut(Exception):
    """The header goes on beyond what was read, or is broken."""


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        if length < 0 or length > len(self._data) - self._at:
            raise _Cut
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        return self.take(self.number("<Q")).decode("utf-8", "replace").replace("\0", "")

    def value(self, kind: int) -> Any:
        """A scalar or a text; None for an array, which is skipped where its members have a fixed size."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise _Cut
        inner, count = self.number("<I"), self.number("<Q")
        if inner in _SCALARS:
            self.take(struct.calcsize(_SCALARS[inner]) * count)
        elif inner == _STRING:
            for _ in range(count):
                self.take(self.number("<Q"))
        else:
            raise _Cut
        return None


def gguf(open: Open, size: int) -> dict[str, Any] | None:
    """What the start of a GGUF file says: `{total?, architecture?, context_length?, …}`, None when it is no GGUF.

    Only the first 256 KiB are read: keys that come after a long vocabulary are left out.
    """
    length = min(size, _MOST_GGUF)
    with open(0, length) as file:
        cursor = _Cursor(file.read(length))
    found: dict[str, Any] = {}
    try:
        if cursor.take(4) != b"GGUF" or cursor.number("<I") not in (2, 3):
            return None
        cursor.number("<Q")
        keys = cursor.number("<Q")
        values: dict[str, Any] = {}
        for _ in range(min(keys, _MOST_KEYS)):
            key = cursor.text()
            value = cursor.value(cursor.number("<I"))
            if value is not None and len(key) <= 200:
                values[key] = value
            _pick(values, found)
    except _Cut:
        pass
    return found


def _pick(values: Mapping[str, Any], found: dict[str, Any]) -> None:
    architecture = values.get("general.architecture")
    if isinstance(architecture, str):
        found["architecture"] = architecture[:64]
        context = values.get(f"{architecture}.context_length")
        if isinstance(context, int):
            found["context_length"] = context
    count = values.get("general.parameter_count")
    if isinstance(count, int) and 0 < count < 2**62:
        found["total"] = count
    template = values.get("tokenizer.chat_template")
    if isinstance(template, str):
        found["chat_template"] = template[:65_536]
    for name in ("bos", "eos"):
        token = values.get(f"tokenizer.ggml.{name}_token_id")
        if isinstance(token, int):
            found[f"{name}_token_id"] = token
