"""A static Space: looks through a data set of pictures in the browser, reading its parquet file by Range requests."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import HERE, Recipe

RECIPE = Recipe(
    name="emoji_gallery",
    repo="corral/emoji-gallery",
    type="space",
    title="a gallery of the emoji",
    proof="index.html",
    license="mit",
    sdk="static",
    core=True,
)


def build(sources: list[Path], folder: Path) -> None:
    shutil.copytree(HERE / "emoji_gallery" / "site", folder, dirs_exist_ok=True)
