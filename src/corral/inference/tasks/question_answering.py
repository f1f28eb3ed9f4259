"""Where a text answers a question: `{"question", "context"}` -> `{"answer", "score", "start", "end"}`.

`start` and `end` count characters (code points) of the context. With `top_k` above 1 it is a list, best first. An
answer that is empty says that the context has none (`handle_impossible_answer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base


def _request(body: base.Body) -> Request:
    inputs = body.value.get("inputs")
    if not isinstance(inputs, Mapping):
        raise BadRequest("'inputs' must be an object with 'question' and 'context'.")
    values = body.parameters
    params = base.numbered(
        values,
        top_k=(1, 100),
        doc_stride=(1, 8192),
        max_answer_len=(1, 1000),
        max_question_len=(1, 8192),
        max_seq_len=(16, 8192),
    )
    params |= {
        "question": base.filled(inputs.get("question"), "'inputs.question'"),
        "context": base.filled(inputs.get("context"), "'inputs.context'"),
        "handle_impossible_answer": base.flag(values, "handle_impossible_answer"),
        "align_to_words": base.flag(values, "align_to_words"),
    }
    return Request("answer", params)


def _answer(request: Request, result: list[dict[str, Any]]) -> Any:
    return result[0] if (request.params["top_k"] or 1) == 1 else result


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = [
        {"inputs": {"question": given["text"], "context": given["context"]}}
        for given in widget
        if isinstance(given.get("text"), str) and isinstance(given.get("context"), str)
    ]
    return own or [
        {
            "inputs": {
                "question": "Where do I live?",
                "context": "My name is Wolfgang and I live in Berlin. I have a dog, whose name is Emil.",
            }
        }
    ]


TASK = base.Task(
    "question-answering",
    "Question answering",
    (
        base.Input("inputs.question", "line", "Question"),
        base.Input("inputs.context", "area", "Text that has the answer"),
    ),
    "span",
    _request,
    _examples,
    _answer,
    (base.Knob("max_answer_len", "Longest answer, in tokens", 1, 200, 1),),
    client='client.question_answering(question="Where do I live?", context="I am Wolfgang and I live in Berlin.")',
)
