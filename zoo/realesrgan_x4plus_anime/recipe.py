"""Real-ESRGAN x4plus-anime, for drawings, as ncnn."""

from __future__ import annotations

from pathlib import Path

from zoo import realesrgan

RECIPE = realesrgan.recipe(
    "realesrgan_x4plus_anime",
    "corral/realesrgan-x4plus-anime",
    "an upscaler of drawings, four times",
    "realesrgan-x4plus-anime",
)


def build(sources: list[Path], folder: Path) -> None:
    realesrgan.write(sources[0], folder, "realesrgan-x4plus-anime", example="small-drawing.png")
