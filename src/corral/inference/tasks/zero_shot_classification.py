"""Which of some labels fits a text best: a text and `parameters.candidate_labels` -> `[{"label", "score"}]`.

Best first. With `multi_label` each label has a score of its own, 0 to 1; without, the scores add up to 1. A list of
texts gives a list of answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

#: texts times labels: the model reads each pair of them
MOST_PAIRS = 1000


def _request(body: base.Body) -> Request:
    texts, single = base.one_or_many(body.value.get("inputs"))
    values = body.parameters
    labels = base.labels(values.get("candidate_labels"), "'candidate_labels'")
    if not all(label.strip() for label in labels):
        raise BadRequest("'candidate_labels' has a label that is empty: leave it out.")
    if len(texts) * len(labels) > MOST_PAIRS:
        raise Unprocessable(f"That are more than {MOST_PAIRS} pairs of text and label: send fewer of either.")
    template = values.get("hypothesis_template")
    if template is not None and "{}" not in base.text(template, "'hypothesis_template'"):
        raise BadRequest("'hypothesis_template' must have a {} where the label goes.")
    params = {
        "texts": texts,
        "single": single,
        "labels": labels,
        "template": template or "This example is {}.",
        "multi_label": base.flag(values, "multi_label") or False,
    }
    return Request("choose", params)


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = []
    for given in widget:
        labels = given.get("candidate_labels")
        if isinstance(given.get("text"), str) and isinstance(labels, str):
            chosen: dict[str, Any] = {"candidate_labels": [part.strip() for part in labels.split(",")]}
            if isinstance(given.get("multi_class"), bool):
                chosen["multi_label"] = given["multi_class"]
            own.append({"inputs": given["text"], "parameters": chosen})
    return own or [
        {
            "inputs": "I have a problem with my phone that needs to be resolved as soon as possible!",
            "parameters": {"candidate_labels": ["urgent", "not urgent", "phone", "tablet", "computer"]},
        }
    ]


TASK = base.Task(
    "zero-shot-classification",
    "Zero-shot classification",
    (
        base.Input("inputs", "area", "Text"),
        base.Input("parameters.candidate_labels", "labels", "Possible labels, with commas between them"),
    ),
    "bars",
    _request,
    _examples,
    base.first_of_one,
    (base.Knob("hypothesis_template", "Sentence with {} for the label"),),
    client='client.zero_shot_classification("My phone is broken", candidate_labels=["phone", "tablet"])',
)
