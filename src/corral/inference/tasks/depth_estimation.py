"""How far away each pixel is: bytes or base64 -> `{"depth", "predicted_depth"}`.

`depth` is a grey PNG in base64, as large as the picture, white where the model's number is highest (for most models
that is nearest); `predicted_depth` is what the model said, rows of numbers in its own size.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Media, Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    return Request("depth", {}, (base.file(body),))


def _shown(_: Request, result: Any) -> Media:
    return Media(base64.b64decode(result["depth"]), "image/png")


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "src") or base.PICTURES


TASK = base.Task(
    "depth-estimation",
    "Depth estimation",
    (base.Input("inputs", "picture", "Picture"),),
    "picture",
    _request,
    _examples,
    shown=_shown,
)
