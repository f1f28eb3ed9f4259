"""What a picture shows: bytes or base64 -> `[{"label", "score"}]`, best first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    values = body.parameters if body.value else {}
    params = {
        "top_k": base.number(values, "top_k", 1, 1000, whole=True),
        "function_to_apply": base.choice(values, "function_to_apply", ("softmax", "sigmoid", "none")),
    }
    return Request("classify", params, base.picture(body))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`image` is an address: absolute, or a path in the repository."""
    return [
        {"image": w["src"]} | ({"title": w["example_title"]} if isinstance(w.get("example_title"), str) else {})
        for w in widget
        if isinstance(w.get("src"), str)
    ]


TASK = base.Task("image-classification", "Image classification", "image", _request, lambda _, r: r, _examples)
