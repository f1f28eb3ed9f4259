"""Pictures that people send, decoded safely, and pictures that go back to them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from corral.inference.calls import Media
from corral.inference.engines.base import Refused

#: a picture of more pixels is refused before it is decoded
MAX_PIXELS = 50_000_000
#: one side may be this many times the other: models resize by the shorter one, and the other grows with it
MAX_RATIO = 100
#: a picture with a side shorter than this may be too small for a model
SMALL = 32
#: the shorter side of what models that see pictures small are given
ENOUGH = 1024
#: what pages show, and what cameras and scanners write. Pillow reads far more, EPS by a program of its own among it
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# the limit above comes first; this one holds for pictures inside of pictures too
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def picture(data: bytes, what: str = "The input") -> Image.Image:
    """Decode a picture, upright, in RGB; what is transparent becomes white, of an animation the first frame is taken.

    Raises Refused when it is none of `FORMATS`, broken, or too large.
    """
    if not data:
        raise Refused(f"{what} is empty: send a picture.")
    try:
        return _rgb(_upright(_opened(data, what)))
    except Refused:
        raise
    except UnidentifiedImageError:
        raise Refused(f"{what} is not a picture that can be read: send one of {', '.join(FORMATS)}.") from None
    except Image.DecompressionBombError:
        raise Refused(f"{what} has more than {MAX_PIXELS} pixels: send a smaller one.") from None
    except Exception as error:
        # at broken files the decoders raise whatever they come upon
        raise Refused(f"{what} is a broken picture: {error}") from None


def reduced(image: Image.Image) -> Image.Image:
    """For models that see pictures small: what has many pixels more is averaged first, in whole pixels.

    A picture of 24 megapixels is then ready for a classifier in a tenth of the time.
    """
    factor = min(image.size) // ENOUGH
    return image.reduce(factor) if factor > 1 else image


@contextmanager
def fitting(image: Image.Image) -> Iterator[None]:
    """Around the library that computes with `image`: at few pixels it may fail in any way, and that is refused."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        if min(image.size) >= SMALL:
            raise
        size = f"{image.width}x{image.height}"
        raise Refused(f"This model cannot take a picture of {size} pixels: send a larger one.") from error


def holes(data: bytes, what: str) -> Image.Image | None:
    """White where a picture is transparent and black elsewhere ("L"); None where it is transparent nowhere.

    Raises Refused as `picture` does.
    """
    picture(data, what)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        alpha = _upright(image).convert("RGBA").getchannel("A")
    found = ImageOps.invert(alpha).point(lambda value: 255 * (value > 127))
    return found if found.getbbox() else None


def png(image: Image.Image, notes: Mapping[str, str] | None = None) -> Media:
    """A picture as an answer, with `notes` written into the file."""
    about = {"width": image.width, "height": image.height}
    return Media(_bytes(image, notes or {}), "image/png", about)


def base64_png(image: Image.Image) -> str:
    """A picture inside of a JSON answer."""
    return base64.b64encode(_bytes(image, {})).decode()


def _opened(data: bytes, what: str) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise Refused(f"{what} has more than {MAX_PIXELS} pixels ({image.width}x{image.height}): send a smaller one.")
    if max(image.size) > MAX_RATIO * min(image.size):
        raise Refused(f"{what} is more than {MAX_RATIO} times as long as it is wide: cut it to pieces.")
    image.load()
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # a picture whose EXIF cannot be read is a picture all the same
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow cuts what is above 255 off
        values = np.asarray(image)
        image = Image.fromarray((values.clip(0, 65535) >> (8 if values.max() > 255 else 0)).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _bytes(image: Image.Image, notes: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    chunks = PngInfo()
    for name, text in notes.items():
        chunks.add_text(name, text)
    # the fastest compression: size hardly matters on the way to a browser, time does
    image.save(out, "PNG", compress_level=1, pnginfo=chunks)
    return out.getvalue()
