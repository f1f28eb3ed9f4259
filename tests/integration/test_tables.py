"""scikit-learn models as skops saves them: what they predict, what is refused, and files made to do harm."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from building.asking import ask, refused

pytestmark = pytest.mark.slow

COLOURS = {"size": [1.0, 2.0, 3.0, 4.0] * 5, "colour": ["red", "blue", "red", "green"] * 5}
KINDS = ["a", "b", "a", "c"] * 5
Save = Callable[..., Any]


def program(values: Any) -> Any:
    """A function that no file may have called."""
    return values


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Fit a model, save it as skops does, and load the engine with it."""

    def with_engine(model: Any, data: Any, target: Any, change: Any = None, columns: Any = None) -> Any:
        import skops.io as sio

        from corral.inference import engines

        model.fit(data, target)
        if change is not None:
            change(model)
        sio.dump(model, tmp_path / "model.skops")
        (tmp_path / "config.json").write_text(json.dumps({"sklearn": {"columns": columns or []}}))
        return engines.load("tabular", tmp_path, {"skops": "model.skops"})

    return with_engine


def iris() -> tuple[Any, Any]:
    from sklearn.datasets import load_iris

    data, target = load_iris(return_X_y=True, as_frame=True)
    return data, target


def models() -> list[Any]:
    from sklearn import ensemble, linear_model, naive_bayes, neural_network, pipeline, preprocessing, svm, tree

    few = {"n_estimators": 3}
    return [
        pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        linear_model.Ridge(),
        svm.SVC(),
        naive_bayes.GaussianNB(),
        neural_network.MLPClassifier(max_iter=5),
        tree.DecisionTreeClassifier(),
        ensemble.RandomForestClassifier(**few),
        ensemble.ExtraTreesRegressor(**few),
        ensemble.GradientBoostingClassifier(**few),
        ensemble.GradientBoostingRegressor(**few),
        ensemble.HistGradientBoostingClassifier(max_iter=3),
        ensemble.HistGradientBoostingRegressor(max_iter=3),
        ensemble.BaggingClassifier(**few, max_features=2),
        ensemble.VotingClassifier([("a", tree.DecisionTreeClassifier()), ("b", linear_model.LogisticRegression())]),
    ]


@pytest.mark.filterwarnings("ignore")
def test_predictions_are_the_models_own(save: Save) -> None:
    data, target = iris()
    for model in models():
        engine = save(model, data, target)
        rows = data.iloc[::20]
        # the columns' order is the model's, whatever the caller's
        table = {name: rows[name].tolist() for name in reversed(data.columns)} | {"besides": [1] * len(rows)}
        task = "tabular-regression" if hasattr(model, "coef_") else "tabular-classification"
        assert ask(engine, task, inputs={"data": table}) == pytest.approx(model.predict(rows).tolist()), model
        one = ask(engine, task, table={name: [str(table[name][0])] for name in table})
        assert one == pytest.approx(model.predict(rows[:1]).tolist()), "numbers may be written as texts"


def mixed() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    parts = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["size"]))
    return make_pipeline(parts, DecisionTreeClassifier())


def test_texts_and_numbers_mix_and_what_does_not_fit_is_said(save: Save) -> None:
    import pandas as pd

    engine = save(mixed(), pd.DataFrame(COLOURS), KINDS)
    assert ask(engine, "tabular-classification", inputs={"data": {"size": [1, "4"], "colour": ["red", "green"]}}) == [
        "a",
        "c",
    ]
    for data, says in (
        ({"size": [1]}, "lacks columns that the model knows: 'colour'"),
        ({"size": ["big"], "colour": ["red"]}, "could not convert string to float: 'big'"),
        ({"size": [1], "colour": ["pink"]}, "unknown categories"),
        ({"size": [None], "colour": [None]}, "does not take this table"),
    ):
        refused(engine, "tabular-classification", says, inputs={"data": data})


def test_columns_without_names_in_the_model_are_those_of_config_json(save: Save) -> None:
    from sklearn.linear_model import LinearRegression

    data, target = [[1, 10], [2, 30], [3, 20]], [8.0, 26.0, 14.0]
    engine = save(LinearRegression(), data, target, columns=["x", "y"])
    assert ask(engine, "tabular-regression", table={"y": [10], "x": [1]}) == pytest.approx([8.0])
    unnamed = save(LinearRegression(), data, target)
    assert ask(unnamed, "tabular-regression", table={"a": [1], "b": [10]}) == pytest.approx([8.0])
    refused(unnamed, "tabular-regression", "1 features, but LinearRegression is expecting 2", table={"a": [1]})


def test_what_is_not_scikit_learns_own_is_refused_by_its_name(save: Save) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from corral.inference.engines.base import Refused

    data, target = iris()
    with pytest.raises(Refused, match=r"\.program\. It loads") as caught:
        save(make_pipeline(FunctionTransformer(program), Ridge()), data, target)
    assert caught.value.status == 501


def spoil(name: str, value: int) -> Callable[[Any], None]:
    """A change to the first node of a tree, as somebody may make to a file."""

    def change(model: Any) -> None:
        state = model.tree_.__getstate__()
        state["nodes"] = state["nodes"].copy()
        state["nodes"][name][0] = value
        model.tree_.__setstate__(state)

    return change


@pytest.mark.parametrize(
    ("name", "value"), [("left_child", 10**6), ("right_child", -7), ("left_child", 0), ("feature", 99), ("feature", -5)]
)
def test_a_tree_that_leads_to_what_is_not_there_is_refused(save: Save, name: str, value: int) -> None:
    from sklearn.tree import DecisionTreeClassifier

    from corral.inference.engines.base import Refused

    with pytest.raises(Refused, match="damaged"):
        save(DecisionTreeClassifier(), *iris(), change=spoil(name, value))


def test_boosted_trees_that_lead_to_what_is_not_there_are_refused(save: Save) -> None:
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

    from corral.inference.engines.base import Refused

    def nodes(name: str, value: int) -> Callable[[Any], None]:
        return lambda model: model._predictors[0][0].nodes[name].__setitem__(0, value)

    for change in (nodes("left", 10**6), nodes("feature_idx", 50), nodes("right", 0)):
        with pytest.raises(Refused, match="damaged"):
            save(HistGradientBoostingClassifier(max_iter=2), *iris(), change=change)

    def narrow(model: Any) -> None:
        model.n_features_in_ = 1

    with pytest.raises(Refused, match="damaged"):
        save(GradientBoostingClassifier(n_estimators=2), *iris(), change=narrow)


def test_a_model_that_would_read_files_is_refused(save: Save, tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from corral.inference.engines.base import Refused

    texts = [tmp_path / name for name in ("one.txt", "two.txt")]
    for text in texts:
        text.write_text(f"the {text.name} text")
    with pytest.raises(Refused, match="reads files"):
        save(make_pipeline(CountVectorizer(input="filename"), LogisticRegression()), texts, [0, 1])


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_read(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import Ridge

    from corral.inference import engines
    from corral.inference.engines import tabular
    from corral.inference.engines.base import Refused

    save(Ridge(), *iris())
    monkeypatch.setattr(tabular, "_UNPACKED", 2**20)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", bytes(2**21))
    for name, data in (("a.npy", bytes(2**21)), ("a.npz", inner.getvalue())):
        with zipfile.ZipFile(tmp_path / "bomb.skops", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        with pytest.raises(Refused, match="unpacks to more"):
            engines.load("tabular", tmp_path, {"skops": "bomb.skops"})
