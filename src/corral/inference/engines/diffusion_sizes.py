"""How large the pictures are that a pipeline of diffusers draws, and how those that it is given are made to fit."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

from corral.inference.engines.base import Refused

#: a picture may have this many times the pixels that the model was made for
_MOST = 4
#: the latent size of models that do not say theirs
_SAMPLE = 64


class Sizes:
    """Of one pipeline. `native` is the side, in pixels, of the square pictures that the model was made for."""

    def __init__(self, pipe: Any) -> None:
        part = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
        sample = getattr(getattr(part, "config", None), "sample_size", None)
        sample = sample or getattr(pipe, "default_sample_size", None) or _SAMPLE
        side = int(max(sample) if isinstance(sample, list | tuple) else sample)
        # without a VAE the model draws pixels
        scale = int(getattr(pipe, "vae_scale_factor", 0) or 8) if getattr(pipe, "vae", None) else 1
        #: it makes the picture that it is given larger, and adds noise to the pixels themselves
        self.enlarges = "Upscale" in type(pipe).__name__
        self.native = side if self.enlarges and "Latent" not in type(pipe).__name__ else side * scale
        # transformers look at squares of two by two latents; many pipelines check for 8 whatever their VAE is
        self._step = math.lcm(8, scale if getattr(pipe, "unet", None) else 2 * scale)
        self._low, self._high = max(self._step, self.native // 8), _MOST * self.native
        self._pixels = _MOST * self.native**2

    def asked(self, width: int | None, height: int | None) -> tuple[int, int]:
        """The size to draw. Raises Refused, with the sizes that would do."""
        wide, high = width or self.native, height or self.native
        for name, side in (("width", wide), ("height", high)):
            if not self._low <= side <= self._high:
                raise Refused(f"This model's '{name}' must be from {self._low} to {self._high} pixels, not {side}.")
            if rest := side % self._step:
                near = f"{side - rest} or {side - rest + self._step}"
                raise Refused(f"This model's '{name}' must be a multiple of {self._step}: {near}, not {side}.")
        if wide * high > self._pixels:
            raise Refused(
                f"This model draws at most {self._pixels} pixels (it was made for {self.native}x{self.native}), and "
                f"{wide}x{high} are more."
            )
        return wide, high

    def fitting(self, image: Image.Image, width: int | None, height: int | None) -> Image.Image:
        """`image` in the size that was asked for; else in its own, made smaller where it is larger than native."""
        if width or height:
            return _resized(image, *self.asked(width, height))
        if self.enlarges:
            return self._small_enough(image)
        shrink = min(1.0, (self.native**2 / (image.width * image.height)) ** 0.5)
        stretch = max(shrink, self._low / min(image.size))
        return _resized(image, *(self._near(side * stretch) for side in image.size))

    def _small_enough(self, image: Image.Image) -> Image.Image:
        if image.width * image.height > self._pixels:
            raise Refused(
                f"This model enlarges pictures of at most {self._pixels} pixels, and {image.width}x{image.height} are "
                "more: send a smaller one."
            )
        # its UNet halves the picture itself, not the latents of one
        return _resized(image, *(max(8, round(side / 8) * 8) for side in image.size))

    def _near(self, side: float) -> int:
        return min(max(self._step, round(side / self._step) * self._step), self._high - self._high % self._step)


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)
