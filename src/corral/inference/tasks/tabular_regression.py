"""A number for each row of a table: `{"data": {column: [value of each row]}}` -> a list of numbers."""

from __future__ import annotations

from corral.inference.tasks import base, tabular_classification

TASK = base.Task(
    "tabular-regression",
    "Tabular regression",
    tabular_classification.FORM,
    "table",
    tabular_classification.request,
    tabular_classification.examples,
    client=tabular_classification.TASK.client.replace("classification", "regression"),
)
