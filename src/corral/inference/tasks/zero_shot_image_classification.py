"""Which of some labels fits a picture best: base64 and `parameters.candidate_labels` -> `[{"label", "score"}]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

MOST_LABELS = 200


def _request(body: base.Body) -> Request:
    if body.data:
        raise BadRequest("Send JSON: a picture in base64 under 'inputs', labels in 'parameters.candidate_labels'.")
    values = body.parameters
    labels = base.labels(values.get("candidate_labels"), "'candidate_labels'")
    if len(labels) > MOST_LABELS:
        raise Unprocessable(f"'candidate_labels' has more than {MOST_LABELS} labels: leave some out.")
    template = values.get("hypothesis_template")
    if template is not None and "{}" not in base.text(template, "'hypothesis_template'"):
        raise BadRequest("'hypothesis_template' must have a {} where the label goes.")
    return Request("match", {"labels": labels, "template": template}, (base.file(body),))


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = []
    for given in widget:
        for body in base.own_examples([given], "src"):
            if isinstance(given.get("candidate_labels"), str):
                body["parameters"] = {"candidate_labels": base.labels(given["candidate_labels"], "candidate_labels")}
            if "candidate_labels" in body.get("parameters", {}):
                own.append(body)
    choices = {"candidate_labels": ["a cat", "a dog", "a cup of coffee", "a street"]}
    return own or [picture | {"parameters": choices} for picture in base.PICTURES]


TASK = base.Task(
    "zero-shot-image-classification",
    "Zero-shot image classification",
    (
        base.Input("inputs", "picture", "Picture"),
        base.Input("parameters.candidate_labels", "labels", "Possible labels, with commas between them"),
    ),
    "bars",
    _request,
    _examples,
    client='client.zero_shot_image_classification("picture.jpg", candidate_labels=["a cat", "a dog"])',
)
