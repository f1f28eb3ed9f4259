"""How pictures are prepared for networks: as transformers does it from the same words, and back again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from corral.inference.engines.graphs import Array, Graph, Port
from corral.inference.engines.preparing import Preparation, preparation, timm_preparation

USUAL = Preparation(64, 64, pad=114)


class Still(Graph):
    """A graph that is asked for the form of its input only."""

    def __init__(self, shape: tuple[int, ...] = (1, 3, 0, 0), kind: npt.DTypeLike = np.float32) -> None:
        self.picture, self.outputs = Port("input", shape, kind), ()

    def run(self, values: Array, size: tuple[int, int]) -> list[Array]:
        return [values]


def smooth(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    planes = [x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        ("ViTImageProcessorPil", {"size": {"height": 48, "width": 32}}),
        ("CLIPImageProcessorPil", {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}),
        ("BitImageProcessorPil", {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}),
        (
            "EfficientNetImageProcessorPil",
            {
                "size": {"height": 40, "width": 40},
                "do_center_crop": True,
                "crop_size": {"height": 32, "width": 32},
                "include_top": False,
            },
        ),
        ("MobileViTImageProcessorPil", {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}),
    ],
)
def test_as_transformers_does_it(processor: str, words: dict[str, Any], tmp_path: Path) -> None:
    import transformers

    theirs = getattr(transformers, processor)(**words)
    theirs.save_pretrained(tmp_path)
    image = smooth(120, 90)
    expected = theirs(images=image, return_tensors="np")["pixel_values"][0]
    prepare = preparation(tmp_path, {}, Still(), USUAL)
    values, _ = prepare(image, Still())
    assert values.shape[1:] == expected.shape
    # they cut whole pixels after resizing, we cut and resize at once: less than a pixel of this slope
    slope = 2 * 255 / 32 / 255 / 0.25
    assert np.abs(values[0] - expected).max() < slope


def test_timms_words() -> None:
    said = {
        "input_size": [3, 48, 64],
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "crop_pct": 0.5,
        "interpolation": "bicubic",
    }
    prepare = timm_preparation(said, USUAL)
    assert (prepare.width, prepare.height, prepare.crop, prepare.resample) == (64, 48, 0.5, Image.Resampling.BICUBIC)
    placed, where = prepare.place(smooth(200, 100))
    assert placed.size == (64, 48)
    # the middle stays the middle
    assert where.back(np.array([32.0, 24.0])) == pytest.approx([100, 50], abs=0.01)
    white = prepare.planes(Image.new("RGB", (9, 9), "white"))
    assert white.shape == (3, 48, 64)
    assert white == pytest.approx(2)


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (33, 34), (1, 1)])
@pytest.mark.parametrize(
    "prepare",
    [
        Preparation(64, 48),
        Preparation(64, 48, pad=0),
        Preparation(64, 48, pad=114, corner=True),
        Preparation(64, 48, crop=0.875),
        Preparation(64, 48, crop=0.5, stretched=True),
    ],
)
def test_points_come_back_to_where_they_were(prepare: Preparation, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size)
    _, placed = prepare.place(image)
    there = np.array([[0.0, 0.0], [size[0], size[1]], [size[0] / 3, size[1] / 4]])
    seen = there * np.array(placed.scale) + np.array(placed.offset)
    assert placed.back(seen) == pytest.approx(there, abs=1e-3)


def test_what_is_left_is_filled_around_the_picture_or_beside_it() -> None:
    image = Image.new("RGB", (100, 50), "white")
    around, _ = Preparation(64, 64, pad=0).place(image)
    assert [around.getpixel((32, y))[0] for y in (0, 15, 16, 47, 48)] == [0, 0, 255, 255, 0]  # type: ignore[index]
    below, _ = Preparation(64, 64, pad=114, corner=True).place(image)
    assert [below.getpixel((32, y))[0] for y in (0, 31, 32, 63)] == [255, 255, 114, 114]  # type: ignore[index]


def test_layouts_types_and_colours() -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    plain = Preparation(8, 8)
    assert plain(red, Still((1, 3, 8, 8)))[0][0, :, 0, 0].tolist() == [1, 0, 0]
    assert plain(red, Still((1, 8, 8, 3)))[0][0, 0, 0].tolist() == [1, 0, 0]
    assert plain(red, Still((1, 8, 8, 3), np.uint8))[0][0, 0, 0].tolist() == [255, 0, 0]
    assert plain(red, Still((1, 8, 8, 3), np.int8))[0][0, 0, 0].tolist() == [127, -128, -128]
    half = plain(red, Still((1, 3, 8, 8), np.float16))[0]
    assert half.dtype == np.float16
    assert Preparation(8, 8, blue_first=True)(red, Still((1, 3, 8, 8)))[0][0, :, 0, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"size": "large"},
        {"size": {"height": -5, "width": 10**9}},
        {"size": {"shortest_edge": True}, "crop_size": [1]},
        {
            "image_mean": "none",
            "image_std": [1, 2],
            "resample": 99,
            "rescale_factor": "x",
            "pad_value": 1e9,
            "do_pad": 1,
        },
        {"do_center_crop": True, "crop_size": 10**7},
    ],
)
def test_words_that_are_none_are_passed_over(said: Any, tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    values, _ = preparation(tmp_path, {}, Still(), USUAL)(smooth(100, 80), Still())
    assert max(values.shape) <= 1536
    assert np.isfinite(values).all()


def test_the_graphs_own_size_goes_first(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 100, "width": 100}}')
    prepare = preparation(tmp_path, {}, Still((1, 3, 32, 48)), USUAL)
    assert (prepare.width, prepare.height) == (48, 32)
