"""Fisher's discriminant analysis of his irises, trained here by scikit-learn on the data that it ships.

No forest of trees: their files name places in memory, and skops rightly does not trust them.
"""

from __future__ import annotations

from pathlib import Path

from zoo.base import Recipe

RECIPE = Recipe(
    name="iris",
    repo="corral/iris",
    type="model",
    title="a classifier of irises by their measures",
    proof="model.skops",
    license="bsd-3-clause",
    task="tabular-classification",
    needs=("sklearn", "skops"),
)


def build(sources: list[Path], folder: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import cross_val_score

    from zoo.tables import names_of, write

    data = load_iris(as_frame=True)
    values = data.data.rename(columns=names_of(data.data))
    kinds = data.target.map(dict(enumerate(map(str, data.target_names))))
    model = LinearDiscriminantAnalysis()
    accuracy = cross_val_score(model, values, kinds, cv=10)
    model.fit(values, kinds)
    write(folder, model, values, "tabular-classification", {"cross-validated accuracy": round(accuracy.mean(), 4)})
