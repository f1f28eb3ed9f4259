"""Where the joints of people (or other points) are: bytes or base64 ->
`[{"label", "score", "box", "keypoints": [{"label", "x", "y", "score"}], "edges": [[0, 1], …]}]`, the surest first.

x and y are in pixels of the picture, the box as in object detection; edges join keypoints by their places in the list.
Hugging Face's API has no such answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    return Request("keypoints", base.numbered(body.parameters, threshold=(0.0, 1.0)), (base.file(body),))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    # the one of a person first
    return base.own_examples(widget, "src") or base.PICTURES[::-1]


TASK = base.Task(
    "keypoint-detection",
    "Keypoint detection",
    (base.Input("inputs", "picture", "Picture"),),
    "points",
    _request,
    _examples,
    knobs=(base.Knob("threshold", "How sure it must be", 0, 1, 0.05),),
)
