"""How near in meaning sentences are to one: `{"source_sentence", "sentences"}` -> a list of cosines, -1 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    inputs = body.value.get("inputs")
    if not isinstance(inputs, Mapping):
        raise BadRequest("'inputs' must be an object with 'source_sentence' and 'sentences'.")
    source = base.text(inputs.get("source_sentence"), "'inputs.source_sentence'")
    return Request(
        "similarity", {"source": source, "sentences": base.texts(inputs.get("sentences"), "'inputs.sentences'")}
    )


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = [
        {"inputs": {"source_sentence": w["source_sentence"], "sentences": w["sentences"]}}
        for w in widget
        if isinstance(w.get("source_sentence"), str) and isinstance(w.get("sentences"), list)
    ]
    return own or [
        {
            "inputs": {
                "source_sentence": "A cat is sleeping on the sofa",
                "sentences": ["A kitten naps on the couch", "The dog chases a ball", "Shares fell on Monday"],
            }
        }
    ]


TASK = base.Task(
    "sentence-similarity",
    "Sentence similarity",
    (
        base.Input("inputs.source_sentence", "area", "Source sentence"),
        base.Input("inputs.sentences", "lines", "Compare it with"),
    ),
    "similarity",
    _request,
    _examples,
    client='client.sentence_similarity("A cat is asleep", other_sentences=["A kitten naps", "Shares fell"])',
)
