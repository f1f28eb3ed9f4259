"""Words that are missing in a text: a text with a mask -> `[{"score", "token", "token_str", "sequence"}]`, best first.

Several masks give a list for each of them; a list of texts gives a list of answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    texts, single = base.one_or_many(body.value.get("inputs"))
    values = body.parameters
    targets = values.get("targets")
    if targets is not None:
        targets = base.texts([targets] if isinstance(targets, str) else targets, "'targets'")
    top_k = base.number(values, "top_k", 1, 1000, whole=True)
    return Request("fill", {"texts": texts, "single": single, "top_k": top_k, "targets": targets})


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    # the engine reads either way of writing a mask, whichever the model's own is
    return base.own_examples(widget, "text") or [
        {"inputs": "The capital of France is [MASK]."},
        {"inputs": "The goal of life is [MASK]."},
    ]


TASK = base.Task(
    "fill-mask",
    "Fill in the blank",
    (base.Input("inputs", "area", "Text, with [MASK] where a word is missing"),),
    "bars",
    _request,
    _examples,
    base.first_of_one,
    (base.Knob("top_k", "How many answers", 1, 100, 1, 5),),
    client='client.fill_mask("The capital of France is [MASK].")',
)
