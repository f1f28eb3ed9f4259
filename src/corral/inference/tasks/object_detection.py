"""Where things are in a picture: bytes or base64 -> `[{"label", "score", "box": {"xmin", "ymin", "xmax", "ymax"}}]`.

Boxes are in pixels of the picture, the surest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    return Request("detect", base.numbered(body.parameters, threshold=(0.0, 1.0)), (base.file(body),))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "src") or base.PICTURES


TASK = base.Task(
    "object-detection",
    "Object detection",
    (base.Input("inputs", "picture", "Picture"),),
    "boxes",
    _request,
    _examples,
    knobs=(base.Knob("threshold", "How sure it must be", 0, 1, 0.05),),
    client='client.object_detection("picture.jpg")',
)
