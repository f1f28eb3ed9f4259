"""Source text to HTML with classes (`hl-…`, coloured in `corral.css`): no inline style, so a strict policy holds."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

#: characters that are worth colouring; longer text is shown plain
COLOURED = 300_000
_LONGEST_LINE = 20_000

_formatter = HtmlFormatter(nowrap=True, classprefix="hl-")
_NAMES = {
    ".gitattributes": "ini",
    ".gitignore": "text",
    ".jsonl": "json",
    ".ipynb": "json",
    ".jinja": "html+jinja",
    "dockerfile": "docker",
}


@lru_cache(maxsize=256)
def _named(name: str) -> Lexer | None:
    try:
        return get_lexer_by_name(name)
    except ClassNotFound:
        return None


def _lexer_of(filename: str) -> Lexer | None:
    base = filename.rsplit("/", 1)[-1].lower()
    known = _NAMES.get(base) or next((lexer for end, lexer in _NAMES.items() if base.endswith(end)), None)
    if known:
        return _named(known)
    try:
        return get_lexer_for_filename(base)
    except ClassNotFound:
        return None


def _coloured(text: str, lexer: Lexer | None) -> str:
    if lexer is None or len(text) > COLOURED or max(map(len, text.split("\n")), default=0) > _LONGEST_LINE:
        return escape(text)
    lexer.stripnl = lexer.stripall = False
    lexer.ensurenl = False
    return highlight(text, lexer, _formatter)


def block(code: str, language: str) -> str:
    """The inside of `<code>` for a fenced block; `language` is the word after the fence and may be anything."""
    return _coloured(code, _named(language.lower()[:40]) if language else None)


def lines(text: str, filename: str) -> list[str]:
    """One piece of balanced HTML per line of a file; the language follows from the name."""
    html = _coloured(text.replace("\r\n", "\n"), _lexer_of(filename))
    found = html.split("\n")
    if len(found) > 1 and not found[-1]:
        found.pop()
    return found
