"""A static Space: a chat with the models of the hub, on its public API."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import HERE, Recipe

RECIPE = Recipe(
    name="chat",
    repo="corral/chat",
    type="space",
    title="a chat with the models of this hub",
    proof="index.html",
    license="apache-2.0",
    sdk="static",
    core=True,
)


def build(sources: list[Path], folder: Path) -> None:
    shutil.copytree(HERE / "chat" / "site", folder, dirs_exist_ok=True)
