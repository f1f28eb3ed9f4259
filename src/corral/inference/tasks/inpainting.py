"""A part of a picture drawn anew: the picture, a mask whose white part is drawn (base64 both), and a prompt -> a PNG.

The body is image-to-image's with `mask_image`, which `InferenceClient.image_to_image` sends along. Outside of the mask
the answer is the picture that was sent. A mask of another size is made to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base, image_to_image

_MASK = "/static/example-cat-mask.png"


def _request(body: base.Body) -> Request:
    if body.parameters.get("mask_image") is None:
        raise BadRequest("'parameters.mask_image' must be a picture in base64 that is white where something is drawn.")
    return image_to_image.TASK.request(body)


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = [e for e in image_to_image.TASK.examples(widget) if "mask_image" in e.get("parameters", {})]
    cat = {"src": "/static/example-cat.jpg"}
    body = {"inputs": cat, "parameters": {"prompt": "a red balloon", "mask_image": {"src": _MASK}}}
    return own or [body | {"example_title": "A balloon beside a cat"}]


TASK = base.Task(
    "inpainting",
    "Inpainting",
    (
        base.Input("inputs", "picture", "Picture"),
        base.Input("parameters.mask_image", "mask", "What to draw anew"),
        base.Input("parameters.prompt", "area", "Prompt", optional=True),
    ),
    "picture",
    _request,
    _examples,
    knobs=image_to_image.TASK.knobs,
    client=(
        "import base64\n\n"
        'mask = base64.b64encode(open("mask.png", "rb").read()).decode()\n'
        'client.image_to_image("picture.jpg", "a red balloon", mask_image=mask).save("drawn.png")'
    ),
)
