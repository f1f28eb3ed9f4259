"""Which class each row of a table is of: `{"data": {column: [value of each row]}}` -> a label for each row.

As huggingface_hub's client sends it, the table may also be `table` beside `inputs`. Values are numbers, texts or null;
texts that are numbers are read as such where the model wants numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

MOST_ROWS = 10_000
MOST_CELLS = 1_000_000

_FLOWERS = {
    "sepal length (cm)": [5.1, 6.4, 6.3],
    "sepal width (cm)": [3.5, 3.2, 3.3],
    "petal length (cm)": [1.4, 4.5, 6.0],
    "petal width (cm)": [0.2, 1.5, 2.5],
}

FORM = (base.Input("inputs.data", "rows", "Table"),)


def request(body: base.Body) -> Request:
    """The check of a body. Raises BadRequest, Unprocessable."""
    inputs = body.value.get("inputs")
    if inputs is None and "table" in body.value:
        inputs = {"data": body.value["table"]}
    if not isinstance(inputs, Mapping):
        raise BadRequest("'inputs' must be an object with 'data': {column: [value of each row]}.")
    data = inputs.get("data", inputs.get("table"))
    if not isinstance(data, Mapping) or not data:
        raise BadRequest("'inputs.data' must be an object that is not empty: {column: [value of each row]}.")
    for name, column in data.items():
        if not isinstance(column, list) or not column:
            raise BadRequest(f"Column '{name[:100]}' must be a list of values that is not empty.")
    rows = {len(column) for column in data.values()}
    if len(rows) > 1:
        raise BadRequest(f"The columns must have the same number of values; they have from {min(rows)} to {max(rows)}.")
    if max(rows) > MOST_ROWS or max(rows) * len(data) > MOST_CELLS:
        raise Unprocessable(f"The table has more than {MOST_ROWS} rows or {MOST_CELLS} cells: send it in parts.")
    for name, column in data.items():
        for value in column:
            if not (value is None or isinstance(value, (int, float, str))):
                raise BadRequest(f"Column '{name[:100]}' has a value that is no number, text or null.")
            if isinstance(value, str):
                base.text(value, f"A value of column '{name[:100]}'")
    return Request("predict", {"data": dict(data)})


def examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The card's tables, or one of flowers."""
    own = [
        {"inputs": {"data": given["structuredData"]}}
        for given in widget
        if isinstance(given.get("structuredData"), Mapping)
    ]
    return own or [{"inputs": {"data": _FLOWERS}}]


TASK = base.Task(
    "tabular-classification",
    "Tabular classification",
    FORM,
    "table",
    request,
    examples,
    client=f"client.tabular_classification({_FLOWERS!r})",
)
