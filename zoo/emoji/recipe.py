"""Emoji drawings with captions in eight languages. Shipped here; `render.py` says how they were made."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import HERE, Recipe

RECIPE = Recipe(
    name="emoji",
    repo="corral/emoji",
    type="dataset",
    title="1,594 emoji drawings with captions",
    proof="data/train-00000-of-00001.parquet",
    license="mit",
    core=True,
)


def build(sources: list[Path], folder: Path) -> None:
    shutil.copytree(HERE / "emoji" / "data", folder / "data")
