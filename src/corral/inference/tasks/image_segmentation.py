"""Which pixels of a picture show what: bytes or base64 -> `[{"label", "score", "mask"}]`.

A mask is a PNG in base64, as large as the picture: white where the thing is. Its score is null for models that give
each pixel one of their labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base

SUBTASKS = ("semantic", "instance", "panoptic")


def _request(body: base.Body) -> Request:
    values = body.parameters
    limits = (0.0, 1.0)
    params = base.numbered(values, threshold=limits, mask_threshold=limits, overlap_mask_area_threshold=limits)
    return Request("segment", params | {"subtask": base.choice(values, "subtask", SUBTASKS)}, (base.file(body),))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "src") or base.PICTURES


TASK = base.Task(
    "image-segmentation",
    "Image segmentation",
    (base.Input("inputs", "picture", "Picture"),),
    "masks",
    _request,
    _examples,
    knobs=(base.Knob("threshold", "How sure it must be", 0, 1, 0.05),),
    client='client.image_segmentation("picture.jpg")',
)
