"""A small picture of what a pipeline of diffusers is drawing, for next to no time.

Latents are nearly linear in colours. The matrix between the two is found once, by encoding a few smooth random pictures
with the model's own VAE, so that any number of channels will do.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

#: side of the latents of the random pictures, and how many of them
_SIDE, _SAMPLES = 16, 4
#: no side of a preview is longer
_LONGEST = 256


class Preview:
    """Of one pipeline, whose latents are those of its `vae`."""

    def __init__(self, pipe: Any) -> None:
        self._vae = getattr(pipe, "vae", None)
        self._matrix: torch.Tensor | None = None

    def draw(self, latents: torch.Tensor) -> list[Image.Image]:
        """A picture for each of `latents` (pictures, channels, height, width); none for latents of another form."""
        config = getattr(self._vae, "config", {})
        if latents.ndim != 4 or latents.shape[1] != config.get("latent_channels") or "scaling_factor" not in config:
            return []
        if self._matrix is None:
            self._matrix = _fit(self._vae, latents.device)
        # some schedulers begin with noise that is many times as strong as a picture
        strength = latents.float().std((1, 2, 3), keepdim=True).clamp(min=1)
        values = (latents.float() / strength).permute(0, 2, 3, 1)
        colours = (_affine(values) @ self._matrix).add(1).mul(127.5).clamp(0, 255).byte().cpu().numpy()
        pictures = [Image.fromarray(one) for one in colours]
        for one in pictures:
            one.thumbnail((_LONGEST, _LONGEST))
        return pictures


def _fit(vae: Any, where: torch.device) -> torch.Tensor:
    """The matrix (channels + 1, 3) from latents to colours from -1 to 1, by least squares."""
    seeded = torch.Generator().manual_seed(0)
    coarse = torch.rand(_SAMPLES, 3, 4, 4, generator=seeded) * 2 - 1
    colours = torch.nn.functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic").clamp(-1, 1)
    smooth = torch.nn.functional.interpolate(colours, scale_factor=_scale(vae), mode="bicubic")
    with torch.inference_mode():
        found = vae.encode(smooth.to(where, vae.dtype)).latent_dist.mode().float().cpu()
    latents = (found - (getattr(vae.config, "shift_factor", None) or 0.0)) * (vae.config.scaling_factor or 1.0)
    flat = _affine(latents.permute(0, 2, 3, 1)).flatten(0, 2)
    return torch.linalg.lstsq(flat, colours.permute(0, 2, 3, 1).flatten(0, 2)).solution.to(where)


def _scale(vae: Any) -> int:
    """Pixels for each latent, along a side."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))


def _affine(values: torch.Tensor) -> torch.Tensor:
    return torch.cat([values, torch.ones_like(values[..., :1])], -1)
