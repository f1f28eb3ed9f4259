"""A picture from a picture: made larger, or drawn anew by a prompt. Bytes or base64 -> the bytes of a PNG.

`prompt` and what belongs to it (huggingface_hub's `image_to_image`, and diffusers' `strength`, `seed` and a mask:
white is drawn anew) are for models of diffusers; models that enlarge pass them over, as Hugging Face's did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base, text_to_image

_DIFFUSERS = ("diffusers",)
#: a side of the answer, pixels
LARGEST = 8192


def _request(body: base.Body) -> Request:
    values = body.parameters if body.value else {}
    params = text_to_image.drawn(values) | base.numbered(values, strength=(0.0, 1.0))
    if values.get("prompt") is not None:
        params["prompt"] = text_to_image.prompt(values["prompt"], "'prompt'")
    if (size := values.get("target_size")) is not None:
        if not isinstance(size, Mapping):
            raise BadRequest("'target_size' must be an object with 'width' and 'height'.")
        params |= base.numbered(size, width=(1, LARGEST), height=(1, LARGEST))
        if params["width"] is None or params["height"] is None:
            raise BadRequest("'target_size' must have 'width' and 'height'.")
    files = [base.file(body)]
    if values.get("mask_image") is not None:
        files.append(base.decoded(values["mask_image"], "'mask_image'"))
    # the files are the picture and, where there is one, the mask
    return Request("image-to-image", params | {"mask": len(files) > 1}, tuple(files))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = []
    for given in widget:
        for body in base.own_examples([given], "src"):
            if isinstance(given.get("prompt"), str):
                body["parameters"] = {"prompt": given["prompt"]} | body.get("parameters", {})
            own.append(body)
    return own or base.PICTURES


TASK = base.Task(
    "image-to-image",
    "Image to image",
    (
        base.Input("inputs", "picture", "Picture"),
        base.Input("parameters.prompt", "area", "Prompt", optional=True, libraries=_DIFFUSERS),
    ),
    "picture",
    _request,
    _examples,
    knobs=(
        base.Knob("negative_prompt", "What not to draw", libraries=_DIFFUSERS),
        base.Knob("strength", "How much to change", 0, 1, 0.05, libraries=_DIFFUSERS),
        *text_to_image.KNOBS,
    ),
    client='client.image_to_image("picture.jpg").save("larger.png")',
)
