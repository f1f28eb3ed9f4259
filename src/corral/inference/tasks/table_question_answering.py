"""What a table answers to a question: `{"query", "table": {column: [value of each row]}}` -> `{"answer", "cells"}` and
`coordinates`, the row and column of each cell; `aggregator` says what is to be done with them (SUM, COUNT, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

MOST_CELLS = 10_000


def _request(body: base.Body) -> Request:
    inputs = body.value.get("inputs")
    if not isinstance(inputs, Mapping):
        raise BadRequest("'inputs' must be an object with 'query' and 'table'.")
    # its specification says question, its client query
    query = base.filled(inputs.get("query", inputs.get("question")), "'inputs.query'")
    table = inputs.get("table")
    if not isinstance(table, Mapping) or not table:
        raise BadRequest("'inputs.table' must be an object that is not empty: {column: [value of each row]}.")
    columns = {name: base.texts(_written(column), f"Column '{name[:100]}'") for name, column in table.items()}
    rows = {len(column) for column in columns.values()}
    if len(rows) > 1:
        raise BadRequest(f"The columns must have the same number of values; they have from {min(rows)} to {max(rows)}.")
    if max(rows) * len(columns) > MOST_CELLS:
        raise Unprocessable(f"The table has more than {MOST_CELLS} cells: leave some out.")
    values = body.parameters
    for name in ("sequential", "truncation"):
        base.flag(values, name)
    return Request("look-up", {"query": query, "table": columns, "sequential": values.get("sequential")})


def _written(column: Any) -> Any:
    """Numbers as the texts that the model reads."""
    if not isinstance(column, list):
        return column
    return [str(value) if isinstance(value, (int, float)) else value for value in column]


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = [
        {"inputs": {"query": given["text"], "table": given["table"]}}
        for given in widget
        if isinstance(given.get("text"), str) and isinstance(given.get("table"), Mapping)
    ]
    return own or [
        {
            "inputs": {
                "query": "How many stars does the transformers repository have?",
                "table": {
                    "Repository": ["Transformers", "Datasets", "Tokenizers"],
                    "Stars": ["36542", "4512", "3934"],
                    "Programming language": ["Python", "Python", "Rust, Python and NodeJS"],
                },
            }
        }
    ]


TASK = base.Task(
    "table-question-answering",
    "Table question answering",
    (base.Input("inputs.query", "line", "Question"), base.Input("inputs.table", "rows", "Table")),
    "table",
    _request,
    _examples,
    client='client.table_question_answering({"City": ["Paris", "Rome"], "Rivers": ["1", "2"]}, query="Which rivers?")',
)
