"""Rows of tables by scikit-learn models that skops saved: such a file names types and holds arrays, and no program."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io as sio

from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.estimators import CHECKED, check

#: bytes that a file may unpack to
_UNPACKED = 2 * 2**30
#: types that skops does not trust by itself: trees, which are looked through, and plain objects that only hold values
_TRUSTED = (
    *CHECKED,
    "sklearn.utils._bunch.Bunch",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)


class Tabular(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        file = folder / options["skops"]
        with zipfile.ZipFile(file) as archive:
            _measure(archive, _UNPACKED)
        if others := set(sio.get_untrusted_types(file=file)) - set(_TRUSTED):
            raise Refused(
                f"This model holds what Corral does not load, since it may be or call a program: "
                f"{', '.join(sorted(others)[:20])}. It loads models made of scikit-learn's own types.",
                501,
            )
        self._model = sio.load(file, trusted=list(_TRUSTED))
        check(self._model)
        if not hasattr(self._model, "predict"):
            raise Refused(f"The model is a {type(self._model).__name__}, which predicts nothing.", 501)
        names = getattr(self._model, "feature_names_in_", None)
        self._named = names is not None
        #: the columns in the model's order; where it only counts them, as skops wrote them beside it
        self._columns: list[str] = [str(name) for name in (names if names is not None else _written(folder))]

    def run(self, job: Job) -> Any:
        if job.op != "predict":
            raise Refused(f"This model cannot do {job.op!r}: it predicts rows of tables.")
        table = self._table(job.params["data"])
        try:
            with warnings.catch_warnings():
                # about names of columns, which are looked at here
                warnings.simplefilter("ignore")
                found = np.asarray(self._model.predict(table))
        except (ValueError, TypeError, KeyError) as error:
            # what scikit-learn says is about the values and the columns
            raise Refused(f"The model does not take this table: {_first_line(error)}") from None
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise Refused("The model's answer is no number for some row: look at the values there.")
        return found.tolist()

    def _table(self, data: dict[str, list[Any]]) -> Any:
        """The columns that the model knows, in its order."""
        if missing := [name for name in self._columns if name not in data]:
            raise Refused(f"The table lacks columns that the model knows: {', '.join(map(repr, missing[:10]))}.")
        table = pd.DataFrame({name: _column(data[name]) for name in self._columns or data})
        return table if self._named else table.to_numpy()


def _written(folder: Path) -> list[str]:
    """The columns as `skops.hub_utils.init` wrote them into config.json."""
    file = folder / "config.json"
    config = json.loads(file.read_text()) if file.is_file() else {}
    found = config.get("sklearn", {}).get("columns", [])
    return found if isinstance(found, list) else []


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _column(values: list[Any]) -> Any:
    """Numbers as such; what has texts as objects, which scikit-learn reads as numbers where it wants them."""
    if any(isinstance(value, str) for value in values):
        return pd.Series(values, dtype=object)
    return pd.Series([np.nan if value is None else value for value in values])


def _measure(archive: zipfile.ZipFile, left: int) -> int:
    """Bytes that may still be unpacked after `archive` and the sparse matrices in it. Raises Refused (501)."""
    for one in archive.infolist():
        left -= one.file_size
        if left < 0:
            raise Refused(f"The model unpacks to more than {_UNPACKED} bytes.", 501)
        if one.filename.endswith(".npz"):
            with zipfile.ZipFile(io.BytesIO(archive.read(one))) as inner:
                left = _measure(inner, left)
    return left
