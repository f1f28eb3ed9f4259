"""Models of tables as scikit-learn's repositories hold them: `model.skops`, and `config.json` about its columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.writing import write_json


def names_of(table: Any) -> dict[str, str]:
    """Column names that are short and have their unit at the end: `sepal length (cm)` -> `sepal length cm`."""
    return {name: name.replace("(", "").replace(")", "") for name in table.columns}


def write(folder: Path, model: Any, table: Any, task: str, measured: dict[str, float]) -> None:
    """`table` is what the model was trained on; three rows of it are the example."""
    import sklearn
    import skops.io

    skops.io.dump(model, folder / "model.skops")
    rows = table.iloc[:: max(1, len(table) // 3)].head(3)
    described = {
        "columns": list(table.columns),
        "environment": [f"scikit-learn=={sklearn.__version__}"],
        "example_input": {name: [round(float(v), 4) for v in rows[name]] for name in table.columns},
        "model": {"file": "model.skops"},
        "model_format": "skops",
        "task": task,
        "use_intelex": False,
    }
    write_json(folder / "config.json", {"sklearn": described})
    write_json(folder / "evaluation.json", measured)
