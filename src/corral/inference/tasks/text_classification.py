"""What kind of text it is: a text -> `[[{"label", "score"}]]`, best first; a list of texts -> a list for each.

Models for pairs of texts take `{"text", "text_pair"}` in a text's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    inputs = body.value.get("inputs")
    given = inputs if isinstance(inputs, list) else [inputs]
    pairs = None
    if any(isinstance(one, Mapping) for one in given):
        both = [one if isinstance(one, Mapping) else {} for one in given]
        texts = base.filled_texts([one.get("text") for one in both], "'text' of 'inputs'")
        if any("text_pair" in one for one in both):
            pairs = base.texts([one.get("text_pair") for one in both], "'text_pair' of 'inputs'")
    else:
        texts, _ = base.one_or_many(inputs)
    values = body.parameters
    params = {
        "texts": texts,
        "pairs": pairs,
        "top_k": base.number(values, "top_k", 1, 1000, whole=True),
        "function_to_apply": base.choice(values, "function_to_apply", ("sigmoid", "softmax", "none")),
    }
    return Request("classify", params)


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "I like you. I love you."},
        {"inputs": "The delivery was late again, and nobody answered the phone."},
    ]


TASK = base.Task(
    "text-classification",
    "Text classification",
    (base.Input("inputs", "area", "Text"),),
    "bars",
    _request,
    _examples,
    knobs=(base.Knob("top_k", "How many answers", 1, 100, 1),),
    client='client.text_classification("I like you. I love you.")',
)
