"""Vectors for texts: a text -> its vector, a list of texts -> a list of vectors.

Models without a pooling of their own give one vector for each token of each text, as transformers' pipeline does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    inputs = body.value.get("inputs")
    single = isinstance(inputs, str)
    values = body.parameters
    params: dict[str, Any] = {
        "texts": [base.text(inputs, "'inputs'")] if single else base.texts(inputs, "'inputs'"),
        "single": single,
        "normalize": base.flag(values, "normalize"),
        "truncate": base.flag(values, "truncate"),
        "truncation_direction": base.choice(
            {"truncation_direction": str(values["truncation_direction"]).lower()}
            if values.get("truncation_direction")
            else {},
            "truncation_direction",
            ("left", "right"),
        ),
        "dimensions": base.number(values, "dimensions", 1, 100_000, whole=True),
    }
    if values.get("prompt_name") is not None:
        params["prompt_name"] = base.text(values["prompt_name"], "'prompt_name'")
    return Request("features", params)


def _answer(request: Request, result: Any) -> Any:
    pooled = not isinstance(result[0][0], list)
    return result[0] if request.params["single"] and pooled else result


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [{"inputs": "The quick brown fox jumps over the lazy dog"}]


TASK = base.Task(
    "feature-extraction",
    "Feature extraction",
    (base.Input("inputs", "area", "Text"),),
    "numbers",
    _request,
    _examples,
    _answer,
    client='client.feature_extraction("A cat is asleep")',
)
