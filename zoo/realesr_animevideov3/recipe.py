"""Real-ESRGAN animevideo v3 (two, three and four times), for drawings, as ncnn."""

from __future__ import annotations

from pathlib import Path

from zoo import realesrgan

RECIPE = realesrgan.recipe(
    "realesr_animevideov3",
    "corral/realesr-animevideov3",
    "a quick upscaler of drawings",
    "realesr-animevideov3-x4",
)


def build(sources: list[Path], folder: Path) -> None:
    models = [f"realesr-animevideov3-x{scale}" for scale in (4, 3, 2)]
    realesrgan.write(sources[0], folder, *models, example="small-drawing.png")
