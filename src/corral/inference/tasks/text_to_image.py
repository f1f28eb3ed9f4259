"""A picture from a text: the answer is the bytes of a PNG, which notes the prompt, the seed and the rest.

Parameters are the specification's, and `lora_scale`, for adapters. OpenAI's endpoint asks for the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

#: characters; text encoders read a few hundred words at most
MAX_PROMPT = 10_000
#: a side, pixels; models have their own limits below this
LARGEST = 8192
_DIFFUSERS = ("diffusers",)

#: what all drawing has in common
KNOBS = (
    base.Knob("num_inference_steps", "Steps", 1, 100, 1, libraries=_DIFFUSERS),
    base.Knob("guidance_scale", "How closely to follow the prompt", 0, 20, 0.5, libraries=_DIFFUSERS),
    base.Knob("seed", "Seed", 0, 2**32 - 1, 1, libraries=_DIFFUSERS),
    base.Knob("scheduler", "Scheduler", libraries=_DIFFUSERS),
    base.Knob("lora_scale", "Strength of the adapter", 0, 2, 0.05, libraries=_DIFFUSERS, adapter=True),
)


def drawn(values: Mapping[str, Any]) -> dict[str, Any]:
    """The checked parameters that all drawing has in common."""
    params = base.numbered(
        values,
        num_inference_steps=(1, 1000),
        guidance_scale=(0.0, 100.0),
        lora_scale=(-10.0, 10.0),
        seed=(0, 2**53),
    )
    if values.get("negative_prompt") is not None:
        params["negative_prompt"] = prompt(values["negative_prompt"], "'negative_prompt'")
    if values.get("scheduler") is not None:
        params["scheduler"] = base.text(values["scheduler"], "'scheduler'")[:100]
    return params


def prompt(value: Any, where: str) -> str:
    """It may be empty: then the model draws what it likes."""
    text = base.text(value, where)
    if len(text) > MAX_PROMPT:
        raise Unprocessable(f"{where} is longer than {MAX_PROMPT} characters, and no model reads so much: shorten it.")
    return text


def _request(body: base.Body) -> Request:
    return request(body.value.get("inputs"), "'inputs'", body.parameters)


def request(text: Any, where: str, values: Mapping[str, Any]) -> Request:
    """`where` is what refusals call the prompt."""
    size = base.numbered(values, width=(1, LARGEST), height=(1, LARGEST))
    return Request("text-to-image", {"prompt": prompt(text, where)} | drawn(values) | size)


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "A small red house by a lake, watercolour"},
        {"inputs": "A friendly robot made of cardboard, studio light"},
        {"inputs": "A bowl of ramen, flat illustration"},
    ]


TASK = base.Task(
    "text-to-image",
    "Text to image",
    (base.Input("inputs", "area", "Prompt"),),
    "picture",
    _request,
    _examples,
    knobs=(
        base.Knob("negative_prompt", "What not to draw"),
        base.Knob("width", "Width", 8, 2048, 8),
        base.Knob("height", "Height", 8, 2048, 8),
        *KNOBS,
    ),
    client='client.text_to_image("A small red house by a lake, watercolour").save("picture.png")',
)
