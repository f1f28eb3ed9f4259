"""Pictures made larger piece by piece look as if they had been made larger whole."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from corral.inference.calls import Media
from corral.inference.engines.base import Job, Refused
from corral.inference.engines.tiles import Pixels, enlarge


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def blurred(pixels: Pixels) -> Pixels:
    """Twice as large, each pixel mixed with those up to two beside it: so pieces need some of their neighbours."""
    wide = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), "edge")
    height, width = pixels.shape[:2]
    mixed = sum(wide[y : y + height, x : x + width] for y in range(5) for x in range(5)) / 25
    return np.asarray(mixed, np.float32).repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 64), (31, 200), (200, 150), (129, 63)])
def test_pieces_leave_no_seams(size: tuple[int, int]) -> None:
    image = noise(*size)
    whole = enlarge(image, 2, blurred, Job("image-to-image"), side=4096)
    assert whole.size == (size[0] * 2, size[1] * 2)
    sides: list[tuple[int, ...]] = []

    def step(pixels: Pixels) -> Pixels:
        sides.append(pixels.shape)
        return blurred(pixels)

    pieces = enlarge(image, 2, step, Job("image-to-image"), side=64, overlap=4)
    assert np.abs(np.asarray(pieces).astype(int) - np.asarray(whole)).max() <= 1
    assert all(max(shape[:2]) <= 64 for shape in sides)


def test_each_piece_is_told_of_and_now_and_then_a_picture() -> None:
    told: list[tuple[int, int, Media | None]] = []
    job = Job("image-to-image", progress=lambda done, total, look: told.append((done, total, look)))
    enlarge(noise(100, 50), 2, blurred, job, side=50)
    assert [(done, total) for done, total, _ in told] == [(i, 3) for i in (1, 2, 3)]


def test_an_answer_that_would_be_too_large_is_refused_before_it_begins() -> None:
    with pytest.raises(Refused, match="12000x8000"):
        enlarge(Image.new("RGB", (6000, 4000)), 2, blurred, Job("image-to-image"), side=64)


def test_nobody_waits_for_the_rest() -> None:
    job = Job("image-to-image")
    done = 0

    def step(pixels: Pixels) -> Pixels:
        nonlocal done
        done += 1
        job.cancelled.set()
        return blurred(pixels)

    with pytest.raises(Refused) as caught:
        enlarge(noise(300, 300), 2, step, job, side=64)
    assert (caught.value.status, done) == (499, 1)
