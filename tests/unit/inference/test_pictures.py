"""What people send as a picture: decoded as they see it, or refused with a sentence before it can do harm."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from corral.inference.engines.base import Refused
from corral.inference.engines.pictures import fitting, picture, png, reduced


def written(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def claims(width: int, height: int) -> bytes:
    """A PNG that says it is this large, and is not."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


NOISE = Image.effect_noise((300, 200), 50).convert("RGB")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture"),
        (written(NOISE)[:5000], "broken"),
        (written(NOISE, "JPEG")[:4000], "broken"),
        (claims(300, 300), "broken"),
        (claims(20_000, 20_000), "more than 50000000 pixels"),
        (claims(9_000, 9_000), "more than 50000000 pixels"),
        (written(Image.new("RGB", (1, 500))), "100 times as long"),
        (written(NOISE, "PPM"), "not a picture"),
    ],
)
def test_refused(data: bytes, says: str) -> None:
    began = time.process_time()
    with pytest.raises(Refused, match=says):
        picture(data)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("image", "form", "colour"),
    [
        (Image.new("RGB", (1, 1), (200, 10, 20)), "PNG", (200, 10, 20)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG", (127, 127, 127)),
        (Image.new("LA", (4, 4), (0, 255)), "PNG", (0, 0, 0)),
        (Image.new("1", (4, 4), 1), "TIFF", (255, 255, 255)),
        (Image.new("I;16", (4, 4), 40_000), "PNG", (156, 156, 156)),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), "JPEG", (0, 0, 0)),
        (Image.new("P", (4, 4), 0), "GIF", (0, 0, 0)),
    ],
)
def test_decoded_as_it_is_seen(image: Image.Image, form: str, colour: tuple[int, int, int]) -> None:
    read = picture(written(image, form))
    assert (read.mode, read.size) == ("RGB", image.size)
    assert read.getpixel((0, 0)) == pytest.approx(colour, abs=1)


def test_a_camera_that_was_held_on_its_side() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (40, 20), "blue")
    assert picture(written(image, "JPEG", exif=exif)).size == (20, 40)
    assert picture(written(image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")).size == (40, 20), "broken EXIF"


def test_an_answer_is_a_png() -> None:
    media = png(Image.new("RGB", (30, 20), "green"))
    assert (media.type, media.about) == ("image/png", {"width": 30, "height": 20})
    assert np.array_equal(picture(media.data), np.full((20, 30, 3), (0, 128, 0)))


def test_pictures_of_many_pixels_are_averaged_for_models_that_see_them_small() -> None:
    assert reduced(Image.new("RGB", (6000, 4000))).size == (2000, 1334)
    assert reduced(Image.new("RGB", (2000, 1500))).size == (2000, 1500)
    assert reduced(Image.new("RGB", (6000, 100))).size == (6000, 100)


def test_where_a_library_fails_at_few_pixels_the_picture_is_refused() -> None:
    with pytest.raises(Refused, match="1x40 pixels"), fitting(Image.new("RGB", (1, 40))):
        raise IndexError
    with pytest.raises(IndexError), fitting(Image.new("RGB", (100, 100))):
        raise IndexError
