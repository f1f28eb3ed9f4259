"""YAML as cards have it, read without trust: one pass over the parser's events, no tags obeyed, no object constructed.

The schema is the core schema of YAML 1.2 (yaml.org/spec/1.2.2, chapter 10.3), as on Hugging Face, so `language: no` is
Norwegian and not false, and dates stay text. What comes out can always be written as JSON and stored by PostgreSQL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

#: of the text, in characters
MOST_TEXT = 2**20
_MOST_DEPTH = 64
#: what the value may come to when every alias is written out: a node counts 160, for what it takes to
#: read, and a character 1
_MOST_WEIGHT = 8 * 2**20
_NODE = 160

_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadYaml(ValueError):
    """The text cannot be read; the message is one sentence for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    value: Any
    #: keys that one mapping has twice; the last one counted
    repeated: tuple[str, ...]


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = ("anchor", "key", "value", "weight")

    def __init__(self, value: Any, anchor: str | None, weight: int) -> None:
        self.value = value
        self.anchor = anchor
        self.weight = weight  # of everything before it
        self.key: str | None = None


class _Reader:
    def __init__(self) -> None:
        self.frames: list[_Frame] = []
        self.anchors: dict[str | None, tuple[Any, int]] = {}
        self.weight = 0
        self.repeated: list[str] = []
        self.result: Any = None

    def read(self, events: Iterator[Any]) -> None:
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    before = self.weight
                    self.grow(_NODE + len(event.value))
                    value = _scalar(event)
                    self.name(event.anchor, value, before)
                    self.add(value)
                case yaml.AliasEvent():
                    if event.anchor not in self.anchors:
                        raise BadYaml(f"The alias *{event.anchor} names nothing that ends before it.")
                    value, weight = self.anchors[event.anchor]
                    self.grow(weight)
                    self.add(value)
                case yaml.SequenceStartEvent():
                    self.open([], event.anchor)
                case yaml.MappingStartEvent():
                    self.open({}, event.anchor)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    frame = self.frames.pop()
                    self.name(frame.anchor, frame.value, frame.weight)
                    self.add(frame.value)
                case yaml.DocumentEndEvent():
                    return

    def grow(self, weight: int) -> None:
        self.weight += weight
        if self.weight > _MOST_WEIGHT:
            raise BadYaml("It has too many entries, counting what its aliases repeat: use fewer.")

    def name(self, anchor: str | None, value: Any, before: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, self.weight - before)

    def open(self, value: Any, anchor: str | None) -> None:
        if len(self.frames) >= _MOST_DEPTH:
            raise BadYaml(f"It is nested more than {_MOST_DEPTH} levels deep.")
        self.frames.append(_Frame(value, anchor, self.weight))
        self.grow(_NODE)

    def add(self, value: Any) -> None:
        if not self.frames:
            self.result = value
            return
        frame = self.frames[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is None:
            if isinstance(value, list | dict):
                raise BadYaml("A list or a mapping cannot be the key of a mapping.")
            frame.key = value if isinstance(value, str) else "null" if value is None else str(value)
        else:
            if frame.key in frame.value:
                self.repeated.append(frame.key)
            frame.value[frame.key] = value
            frame.key = None


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if not event.style and event.implicit[0]:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            # beyond 64 bits JSON readers differ: the digits are kept as they are
            number = int(text) if len(text) < 20 else 2**64
            return number if -(2**63) <= number < 2**63 else text
        if _BASED.fullmatch(text) and len(text) <= 16:
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            real = float(text)
            return real if math.isfinite(real) else text
    # neither PostgreSQL nor UTF-8 takes these
    return _SURROGATE.sub("\ufffd", text.replace("\0", ""))


def load(text: str) -> Loaded:
    """The first document in `text`. Raises BadYaml, and nothing else, for what is broken, too deep or too large."""
    if len(text) > MOST_TEXT:
        raise BadYaml(f"It has {len(text)} characters, more than the {MOST_TEXT} that are read.")
    reader = _Reader()
    try:
        reader.read(yaml.parse(_SURROGATE.sub("\ufffd", text), Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadYaml(f"It is no valid YAML{line}: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise BadYaml(f"It is no valid YAML: {' '.join(str(error).split())}.") from None
    return Loaded(reader.result, tuple(dict.fromkeys(reader.repeated)))
