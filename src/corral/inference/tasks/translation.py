"""A text in another language: a text -> `[{"translation_text"}]`; a list of texts gives one of them for each.

`src_lang` and `tgt_lang` are codes as the model has them; models for one pair of languages take none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base, text2text_generation

_check = text2text_generation.request("translate")


def _request(body: base.Body) -> Request:
    asked = _check(body)
    for name in ("src_lang", "tgt_lang"):
        code = body.parameters.get(name)
        if code is not None and len(base.filled(code, f"'{name}'")) > 40:
            raise BadRequest(f"'{name}' must be the code of a language.")
        asked.params[name] = code
    return asked


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "My name is Sarah and I live in London."},
        {"inputs": "The weather is lovely today."},
    ]


TASK = base.Task(
    "translation",
    "Translation",
    (base.Input("inputs", "area", "Text"),),
    "text",
    _request,
    _examples,
    text2text_generation.answer("translation_text"),
    (
        base.Knob("src_lang", "From the language"),
        base.Knob("tgt_lang", "Into the language"),
        *text2text_generation.KNOBS,
    ),
    client='client.translation("My name is Sarah and I live in London.")',
)
