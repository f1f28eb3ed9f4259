"""Which task a body means, for models that draw from texts, from pictures and within masks alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

from corral.inference.tasks.base import Body

#: how base64 of PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF begins, and data URLs of pictures
_PICTURE = re.compile(r"data:image/|iVBORw0KGgo|/9j/|UklGR|R0lGOD|Qk[0-3]|SUkqA|TU0AK|AAAA.{2}Z0eX")


def meant(tasks: Sequence[str], body: Body) -> str:
    """One of `tasks`; the first where nothing tells. `InferenceClient` sends all of them to the same address."""
    values = body.value.get("parameters")
    masked = isinstance(values, dict) and values.get("mask_image") is not None
    inputs = body.value.get("inputs")
    picture = bool(body.data) or (isinstance(inputs, str) and _PICTURE.match(inputs) is not None)
    told = {"inpainting": masked, "image-to-image": picture, "text-to-image": not picture}
    return next((task for task, is_told in told.items() if is_told and task in tasks), tasks[0])
