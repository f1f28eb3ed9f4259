"""A linear model of how diabetes proceeds within a year, trained here by scikit-learn on the data that it ships."""

from __future__ import annotations

from pathlib import Path

from zoo.base import Recipe

RECIPE = Recipe(
    name="diabetes",
    repo="corral/diabetes-ridge",
    type="model",
    title="a linear model of how a disease proceeds",
    proof="model.skops",
    license="bsd-3-clause",
    task="tabular-regression",
    needs=("sklearn", "skops"),
)


def build(sources: list[Path], folder: Path) -> None:
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from zoo.tables import write

    names = {"s1": "tc", "s2": "ldl", "s3": "hdl", "s4": "tch", "s5": "ltg", "s6": "glu"}
    data = load_diabetes(as_frame=True, scaled=False)
    values = data.data.rename(columns=names)
    model = make_pipeline(StandardScaler(), RidgeCV())
    fit = cross_val_score(model, values, data.target, cv=10, scoring="r2")
    error = -cross_val_score(model, values, data.target, cv=10, scoring="neg_mean_absolute_error")
    model.fit(values, data.target)
    measured = {"cross-validated R2": round(fit.mean(), 4), "mean absolute error": round(error.mean(), 2)}
    write(folder, model, values, "tabular-regression", measured)
