"""The voices of speech models that bring several, by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Kokoro: `voices/af_heart.bin`; Piper: `en_US-joe-medium.onnx` beside its `.onnx.json`
_KOKORO = re.compile(r"voices/(([abefhijpz][fm])_[a-z0-9]+)\.bin")
_PIPER = re.compile(r"((?:.*/)?([^/]+)\.onnx)\.json")


def kokoro(names: Iterable[str]) -> dict[str, str]:
    """Voice -> file. The first is the one that is taken where none is asked for."""
    found = {m[1]: m[0] for m in map(_KOKORO.fullmatch, names) if m}
    # the one that its makers take, and grade best
    return dict(sorted(found.items(), key=lambda item: (item[0] != "af_heart", item[0])))


def piper(names: Iterable[str]) -> dict[str, str]:
    """Voice -> ONNX file, of those that have their configuration beside them."""
    known = frozenset(names)
    found = {m[2]: m[1] for m in map(_PIPER.fullmatch, known) if m and m[1] in known}
    return dict(sorted(found.items()))


def numbered(count: object) -> tuple[str, ...]:
    """The speakers of a model that has `count` of them, and no names."""
    return tuple(str(n) for n in range(count)) if isinstance(count, int) and 1 < count <= 1000 else ()
