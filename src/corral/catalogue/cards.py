"""A repository's card: the front matter of README.md as typed data, and the text below it.

A card is written by anybody, so nothing in it can fail: what cannot be read becomes a warning and an empty card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corral.catalogue import yaml
from corral.core.errors import BadRequest

#: bytes of a README.md that are read
MOST_BYTES = 4 * 2**20

# the same block as REGEX_YAML_BLOCK in huggingface_hub/repocard.py (2.4.0)
_OPENING = re.compile(r"\s*---[ \t]*(?:\r\n|\r|\n)")
_CLOSING = re.compile(r"(?<=[\r\n])---[ \t]*(?:\r\n|\r|\n|\Z)")

EMPTY_WARNING = "empty or missing yaml metadata in repo card"


@dataclass(frozen=True, slots=True)
class Card:
    """`meta` is JSON-able; `text` is the Markdown below the front matter; `error` says why `meta` could not be read."""

    meta: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    warnings: tuple[str, ...] = ()
    error: str | None = None

    def strings(self, key: str) -> list[str]:
        """The member `key` as a list of texts, whether the card has one, several or something else."""
        return strings(self.meta, key)

    def string(self, key: str) -> str | None:
        """The member `key` as one text: the first, where there are several."""
        return next(iter(self.strings(key)), None)


def strings(meta: Mapping[str, Any], key: str) -> list[str]:
    """`meta[key]` as distinct, trimmed, non-empty texts in order; numbers are written out, anything else left out."""
    value = meta.get(key)
    values = value if isinstance(value, list) else [value]
    texts = (str(v).strip() for v in values if isinstance(v, str | int | float) and not isinstance(v, bool))
    return list(dict.fromkeys(text for text in texts if text))


def decode(data: bytes) -> tuple[str, bool]:
    """The text of a file, and whether it was good UTF-8 (a byte order mark is dropped, bad bytes become U+FFFD)."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode().replace("\0", ""), True
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").replace("\0", ""), False


def split(content: str) -> tuple[str | None, str]:
    """(front matter, text below it); no front matter is None. An opening `---` without an end opens nothing."""
    opening = _OPENING.match(content)
    if opening is None:
        return None, content
    closing = _CLOSING.search(content, opening.end())
    if closing is None:
        return None, content
    return content[opening.end() : closing.start()], content[closing.end() :]


def parse(data: bytes | str) -> Card:
    """The card that a README.md holds. Never raises for what is in it."""
    warnings: list[str] = []
    content, good = (data.removeprefix("\ufeff"), True) if isinstance(data, str) else decode(data[:MOST_BYTES])
    if not good:
        warnings.append("README.md is not UTF-8: save it as UTF-8 to have all its characters shown.")
    front, text = split(content)
    if front is None:
        if _OPENING.match(content):
            warnings.append("The front matter of README.md is not closed: add a line '---' after it.")
        return Card({}, text, (*warnings, EMPTY_WARNING))
    try:
        loaded = yaml.load(front)
    except yaml.BadYaml as error:
        sentence = f"The front matter of README.md cannot be read. {error}"
        return Card({}, text, (*warnings, sentence), str(error))
    if loaded.value is None:
        return Card({}, text, (*warnings, EMPTY_WARNING))
    if not isinstance(loaded.value, dict):
        wrong = "It is not a mapping: write lines of the form 'key: value'."
        return Card({}, text, (*warnings, f"The front matter of README.md cannot be read. {wrong}"), wrong)
    warnings += [f'"{key}" stands more than once: the last one counts.' for key in loaded.repeated]
    return Card(loaded.value, text, tuple(warnings))


def with_member(content: str, key: str, value: str) -> str:
    """`content`, a README.md, with one member of its front matter set to a plain word; all else stays as it is written.

    Raises BadRequest when the front matter cannot be read, or when the member that is there takes several lines.
    """
    known = parse(content)
    if known.error is not None:
        raise BadRequest(f"The front matter of README.md cannot be read, so it cannot be changed here. {known.error}")
    ending = "\r\n" if "\r\n" in content else "\n"
    line = f"{key}: {value}"
    opening, (front, _) = _OPENING.match(content), split(content)
    if opening is None or front is None:
        return f"---{ending}{line}{ending}---{ending}{content}"
    own = re.compile(rf"^{re.escape(key)}[ \t]*:[^\r\n]*", re.M)
    changed = own.sub(lambda _: line, front, count=1) if own.search(front) else f"{front}{line}{ending}"
    result = content[: opening.end()] + changed + content[opening.end() + len(front) :]
    if parse(result).meta != known.meta | {key: value}:
        raise BadRequest(f"'{key}' is written over several lines of the card: edit the card itself.")
    return result


_FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
_MARKUP = re.compile(r"<!--.*?-->|<[^>]{0,1000}>|!\[[^\]]{0,500}\]\([^)]{0,1000}\)", re.S)
_LINK = re.compile(r"\[([^\]\[]{0,500})\]\([^)]{0,1000}\)")
_EMPHASIS = re.compile(r"[*_`]{1,3}")
_SKIPPED = re.compile(r"^\s*(#|\||>|[-*_=]{3,}\s*$|\[!|[-*+] |\d+[.)] |:?-+:?\|)")


def summary(text: str, most: int = 300) -> str:
    """The first paragraph of prose in a card's Markdown, as plain text of at most `most` characters."""
    plain = _MARKUP.sub(" ", _FENCE.sub(" ", text[:20_000]))
    for paragraph in re.split(r"\n\s*\n", plain.replace("\r\n", "\n")):
        lines = [line for line in paragraph.split("\n") if not _SKIPPED.match(line)]
        prose = _EMPHASIS.sub("", _LINK.sub(r"\1", " ".join(" ".join(lines).split())))
        if len(prose) >= 20 and any(ch.isalpha() for ch in prose):
            return prose if len(prose) <= most else prose[: most - 1].rsplit(" ", 1)[0] + "…"
    return ""
