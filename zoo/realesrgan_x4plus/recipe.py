"""Real-ESRGAN x4plus, for photos, as ncnn."""

from __future__ import annotations

from pathlib import Path

from zoo import realesrgan

RECIPE = realesrgan.recipe(
    "realesrgan_x4plus", "corral/realesrgan-x4plus", "an upscaler of photos, four times", "realesrgan-x4plus"
)


def build(sources: list[Path], folder: Path) -> None:
    realesrgan.write(sources[0], folder, "realesrgan-x4plus", example="small-cat.png")
