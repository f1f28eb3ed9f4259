"""MediaPipe's selfie segmentation, the TFLite file as its JavaScript package ships it."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Tarball

RECIPE = Recipe(
    name="selfie_segmentation",
    repo="corral/selfie-segmentation",
    type="model",
    title="a cutter-out of people in front of a camera",
    proof="selfie_segmentation.tflite",
    license="apache-2.0",
    task="image-segmentation",
    sources=(
        Tarball(
            "@mediapipe/selfie_segmentation",
            "0.1.1675465747",
            "7767b33eaa68990ee06c28bbb89f39a13a47ebb07ff0f1fd4947d9e817bb9bf9",
            "package",
            4,
            files=("selfie_segmentation.tflite",),
        ),
    ),
)


def build(sources: list[Path], folder: Path) -> None:
    from zoo.writing import add_examples, write_json

    shutil.copyfile(sources[0] / "selfie_segmentation.tflite", folder / "selfie_segmentation.tflite")
    write_json(folder / "config.json", {"model_type": "selfie", "id2label": {"0": "background", "1": "person"}})
    preparation = {"size": {"height": 256, "width": 256}, "do_rescale": True, "do_normalize": False}
    write_json(folder / "preprocessor_config.json", preparation)
    add_examples(folder, "astronaut.jpg", "officer.jpg")
