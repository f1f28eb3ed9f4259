"""What a picture shows, in words (or the words in it, for models that read): bytes or base64 -> `[{"generated_text"}]`.

Parameters: `max_new_tokens`, and `generation_parameters` with those of transformers' `generate` that are listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    values = body.parameters
    given = values.get("generation_parameters", values.get("generate_kwargs"))
    if given is not None and not isinstance(given, Mapping):
        raise BadRequest("'generation_parameters' must be an object.")
    values = {**values, **(given or {})}
    params = base.numbered(
        values,
        max_new_tokens=(1, 1000),
        min_new_tokens=(0, 1000),
        num_beams=(1, 10),
        temperature=(0.0, 100.0),
        top_k=(0, 100_000),
        top_p=(0.0, 1.0),
        typical_p=(0.0, 1.0),
        repetition_penalty=(0.01, 100.0),
        seed=(0, 2**53),
    )
    params["do_sample"] = base.flag(values, "do_sample")
    return Request("caption", params, (base.file(body),))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "src") or base.PICTURES


TASK = base.Task(
    "image-to-text",
    "Image to text",
    (base.Input("inputs", "picture", "Picture"),),
    "text",
    _request,
    _examples,
    lambda _, result: [{"generated_text": result["text"]}],
    knobs=(base.Knob("max_new_tokens", "Longest answer, in tokens", 1, 200, 1, 50),),
    client='client.image_to_text("picture.jpg")',
)
