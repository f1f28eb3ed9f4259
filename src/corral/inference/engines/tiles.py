"""Pictures made larger piece by piece, so that what a network needs does not grow with the picture."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from corral.inference.calls import Media
from corral.inference.engines.base import Job, Refused

#: (height, width, 3), 0 to 1
Pixels = npt.NDArray[np.float32]

#: pixels of the largest answer
MOST = 4096 * 4096
#: seconds between two looks at what there is by now, and their longer side
_LOOK, _LOOKED_AT = 1.0, 512


def enlarge(
    image: Image.Image, scale: int, step: Callable[[Pixels], Pixels], job: Job, side: int, overlap: int = 10
) -> Image.Image:
    """`image` times `scale`. `step` enlarges a piece of at most `side` pixels each way.

    Pieces overlap by `overlap` pixels each way, of which nothing is kept but at the edges of the picture. After each
    piece the job is told of it. Raises Refused for a picture whose answer would be too large, or when nobody waits
    any more.
    """
    if image.width * image.height * scale * scale > MOST:
        size = f"{image.width * scale}x{image.height * scale}"
        raise Refused(f"The answer would have {size} pixels, and {MOST} are the most: send a smaller picture.")
    overlap = min(overlap, side // 4)
    pixels = np.asarray(image, np.float32) / 255
    canvas = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    pieces = [
        (across, down) for down in _cuts(image.height, side, overlap) for across in _cuts(image.width, side, overlap)
    ]
    looked = time.monotonic()
    for done, (across, down) in enumerate(pieces, 1):
        if job.cancelled.is_set():
            raise Refused("cancelled", 499)
        left, right, keep_left, keep_right = across
        top, bottom, keep_top, keep_bottom = down
        large = step(np.ascontiguousarray(pixels[top:bottom, left:right]))
        kept = large[
            (keep_top - top) * scale : (keep_bottom - top) * scale,
            (keep_left - left) * scale : (keep_right - left) * scale,
        ]
        piece = Image.fromarray((np.nan_to_num(kept).clip(0, 1) * 255 + 0.5).astype(np.uint8))
        canvas.paste(piece, (keep_left * scale, keep_top * scale))
        look = None
        if len(pieces) > 1 and time.monotonic() - looked > _LOOK:
            look, looked = _look(canvas), time.monotonic()
        job.progress(done, len(pieces), look)
    return canvas


def _cuts(length: int, side: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """(from, to, kept from, kept to) of each piece of a line: all are `side` long where the line is."""
    if length <= side:
        return [(0, length, 0, length)]
    cuts, kept = [], 0
    while kept < length:
        start = min(max(0, kept - overlap), length - side)
        end = start + side
        upto = length if end == length else end - overlap
        cuts.append((start, end, kept, upto))
        kept = upto
    return cuts


def _look(canvas: Image.Image) -> Media:
    small = canvas.copy()
    small.thumbnail((_LOOKED_AT, _LOOKED_AT), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80)
    return Media(out.getvalue(), "image/jpeg")
