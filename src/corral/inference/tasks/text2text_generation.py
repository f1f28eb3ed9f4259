"""A text made from a text: a text -> `[{"generated_text"}]`; a list of texts gives one of them for each.

How it is generated is said by `parameters.generate_parameters`, or beside it as the Inference API had it. Translation
and summarization are this too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from corral.core.errors import BadRequest, NotSupported
from corral.inference.calls import Request
from corral.inference.tasks import base

#: numbers that say how to generate: least and most
NUMBERS: dict[str, tuple[float, float]] = {
    "max_length": (1, 4096),
    "min_length": (0, 4096),
    "max_new_tokens": (1, 4096),
    "min_new_tokens": (0, 4096),
    "num_beams": (1, 16),
    "no_repeat_ngram_size": (0, 100),
    "top_k": (0, 1_000_000),
    "seed": (-(2**63), 2**63 - 1),
    "temperature": (0.000_001, 100.0),
    "top_p": (0.000_001, 1.0),
    "repetition_penalty": (0.000_001, 100.0),
    "length_penalty": (-100.0, 100.0),
}
FLAGS = ("do_sample", "early_stopping")
_TRUNCATIONS = ("do_not_truncate", "longest_first", "only_first", "only_second")

KNOBS = (
    base.Knob("max_new_tokens", "Longest answer, in tokens", 1, 1024, 1),
    base.Knob("num_beams", "Beams (more search, slower)", 1, 8, 1),
)


def request(op: str) -> Callable[[base.Body], Request]:
    """The check of a body for the operation `op`."""

    def check(body: base.Body) -> Request:
        texts, single = base.one_or_many(body.value.get("inputs"))
        values = body.parameters
        params = {
            "texts": texts,
            "single": single,
            "truncation": base.choice(values, "truncation", _TRUNCATIONS),
            "clean_up": base.flag(values, "clean_up_tokenization_spaces"),
            "generate": _generation(values),
        }
        return Request(op, params)

    return check


def _generation(values: Mapping[str, Any]) -> dict[str, Any]:
    inner = values.get("generate_parameters")
    if inner is not None and not isinstance(inner, Mapping):
        raise BadRequest("'generate_parameters' must be an object.")
    for name in inner or {}:
        if name not in NUMBERS and name not in FLAGS:
            raise NotSupported(f"'{name}' in 'generate_parameters' is not supported: leave it out.")
    given = {**values, **(inner or {})}
    found = base.numbered(given, **NUMBERS) | {name: base.flag(given, name) for name in FLAGS}
    return {name: value for name, value in found.items() if value is not None}


def answer(member: str) -> Callable[[Request, Any], Any]:
    """The engine's texts, each under `member`."""
    return lambda _, result: [{member: text} for text in result]


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "translate English to German: The house is wonderful."},
        {"inputs": "Answer the question: what is the boiling point of water?"},
    ]


TASK = base.Task(
    "text2text-generation",
    "Text to text",
    (base.Input("inputs", "area", "Text"),),
    "text",
    request("rewrite"),
    _examples,
    answer("generated_text"),
    KNOBS,
)
