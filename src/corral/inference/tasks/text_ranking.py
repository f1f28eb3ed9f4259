"""Which of some texts answer a query best: `{"query", "texts"}` -> `[{"index", "score"}]`, best first.

Bodies and answers are those of text-embeddings-inference's `/rerank`: scores are 0 to 1 unless `raw_scores`, and
`return_text` adds the `text` of each. The members may also lie under `inputs`, and `documents` may stand for `texts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    inputs = body.value.get("inputs", body.value)
    if not isinstance(inputs, Mapping):
        raise BadRequest("'inputs' must be an object with 'query' and 'texts'.")
    texts = inputs.get("texts", inputs.get("documents"))
    values = {**body.parameters, **inputs}
    truncate = base.flag(values, "truncate")
    direction = values.get("truncation_direction")
    params = {
        "query": base.filled(inputs.get("query"), "'query'"),
        "texts": base.texts(texts, "'texts'"),
        "top_k": base.number({"top_n": values.get("top_n", values.get("top_k"))}, "top_n", 1, 1000, whole=True),
        "raw_scores": base.flag(values, "raw_scores") or False,
        "return_text": base.flag(values, "return_text") or base.flag(values, "return_documents") or False,
        "truncate": truncate,
        "truncation_direction": base.choice(
            {"truncation_direction": str(direction).lower() if direction else None},
            "truncation_direction",
            ("left", "right"),
        ),
    }
    return Request("rank", params)


def _answer(request: Request, result: list[dict[str, Any]]) -> Any:
    params = request.params
    kept = result[: params["top_k"] or None]
    return [one | {"text": params["texts"][one["index"]]} for one in kept] if params["return_text"] else kept


def _shown(request: Request, result: list[dict[str, Any]]) -> Any:
    return [{"label": request.params["texts"][one["index"]], "score": one["score"]} for one in _answer(request, result)]


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = [
        {"inputs": {"query": given["source_sentence"], "texts": given["sentences"]}}
        for given in widget
        if isinstance(given.get("source_sentence"), str) and isinstance(given.get("sentences"), list)
    ]
    return own or [
        {
            "inputs": {
                "query": "How many people live in Berlin?",
                "texts": [
                    "Berlin has about 3.7 million inhabitants within its borders.",
                    "Berlin is well known for its museums.",
                    "The cat sleeps on the sofa.",
                ],
            }
        }
    ]


TASK = base.Task(
    "text-ranking",
    "Text ranking",
    (base.Input("inputs.query", "line", "Query"), base.Input("inputs.texts", "lines", "Texts to put in order")),
    "bars",
    _request,
    _examples,
    _answer,
    shown=_shown,
)
