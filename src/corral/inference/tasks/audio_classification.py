"""What a sound is: bytes or base64 -> `[{"label", "score"}]`, best first."""

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
    return Request("classify", params, (base.file(body, "sound"),))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "src") or base.SOUNDS


TASK = base.Task(
    "audio-classification",
    "Audio classification",
    (base.Input("inputs", "sound", "Sound"),),
    "bars",
    _request,
    _examples,
    knobs=(base.Knob("top_k", "How many answers", 1, 100, 1, 5),),
    client='client.audio_classification("sound.flac")',
)
