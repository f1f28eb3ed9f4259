"""Text that must follow a JSON schema or a regular expression, by llguidance (MIT), for every engine that writes text.

A grammar is one of llguidance's, as text. Its parser has limits of its own on the size and the steps of a grammar, so a
hostile one is refused and does not run for ever.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from llguidance import LLMatcher, LLTokenizer

from corral.inference.engines.base import Refused

#: small models go on with spaces for ever where they may
_COMPACT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}


def grammar(wanted: dict[str, Any]) -> str:
    """The grammar for `{"json": schema}` or `{"regex": pattern}`. Raises Refused for what cannot be followed."""
    if "regex" in wanted:
        pattern = wanted["regex"].replace("/", r"\/").replace("\n", r"\n")
        made, what = f"%llguidance {{}}\nstart: /{pattern}/", "regular expression"
    else:
        made, what = "%llguidance {}\nstart: %json " + json.dumps(wanted["json"] | _COMPACT), "JSON schema"
    if problem := LLMatcher.validate_grammar(made) or _no_beginning(made):
        raise Refused(f"The {what} cannot be followed: {_first(problem)}")
    return made


def _no_beginning(made: str) -> str:
    """What is wrong with a grammar that is well formed, and that no text follows."""
    matcher = LLMatcher(_bytes(), made, log_level=0)
    allowed = matcher.compute_logit_bias()
    return "" if any(allowed) and not matcher.is_error() else "no text could be as it says"


@cache
def _bytes() -> LLTokenizer:
    return LLTokenizer("byte")


def _first(problem: str) -> str:
    lines = [line.strip() for line in problem.splitlines() if line.strip()]
    return (lines[0] if lines else "it is not valid")[:300].rstrip(".") + "."
