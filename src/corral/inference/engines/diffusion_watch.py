"""Following a pipeline of diffusers as it draws: how far it is, a look at the picture, an end when nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from corral.inference.calls import Media
from corral.inference.engines import pictures
from corral.inference.engines.base import Job
from corral.inference.engines.diffusion_preview import Preview

#: seconds between two previews, and between two signs of life within a step
LOOK, SIGN = 0.4, 10.0


class Gone(Exception):
    """Nobody waits for the pictures any more."""


class Pulse:
    """Tells of each block of the networks that was computed: a step of a large model takes a minute."""

    def __init__(self, pipe: Any) -> None:
        self._beat: Callable[[], None] | None = None
        for part in pipe.components.values():
            for module in part.modules() if isinstance(part, torch.nn.Module) else ():
                for block in module if isinstance(module, torch.nn.ModuleList) else ():
                    block.register_forward_hook(self._computed)

    @contextmanager
    def telling(self, beat: Callable[[], None]) -> Iterator[None]:
        self._beat = beat
        try:
            yield
        finally:
            self._beat = None

    def _computed(self, *_: Any) -> None:
        if self._beat is not None:
            self._beat()


class Watch:
    """Over one call of `pipe` with the arguments `given`, for `jobs` with a picture each."""

    def __init__(self, jobs: Sequence[Job], steps: int, given: dict[str, Any], preview: Preview) -> None:
        self._jobs, self._given, self._preview = jobs, given, preview
        self._done, self._total = 0, steps
        self._looked = self._told = time.monotonic()

    def arguments(self, takes: Any) -> dict[str, Any]:
        """By which a pipeline that takes `takes` tells of each step."""
        if "callback_on_step_end" in takes:
            return {"callback_on_step_end": self._at_end}
        if "callback" in takes:
            return {"callback": lambda index, _, latents: self._step(index + 1, latents), "callback_steps": 1}
        return {}

    def beat(self) -> None:
        """Something was computed. Raises Gone when nobody waits."""
        if all(job.cancelled.is_set() for job in self._jobs):
            raise Gone
        if time.monotonic() - self._told > SIGN:
            self._tell([None] * len(self._jobs))

    def _at_end(self, pipe: Any, index: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._total = getattr(pipe, "num_timesteps", None) or self._total
        latents = tensors.get("latents")
        if latents is not None and latents.ndim == 3 and "width" in self._given and hasattr(pipe, "_unpack_latents"):
            # Flux and its like lay the latents of two by two squares into rows
            wide, high = self._given["width"], self._given["height"]
            latents = pipe._unpack_latents(latents, high, wide, pipe.vae_scale_factor)
        self._step(index + 1, latents)
        return {}

    def _step(self, done: int, latents: torch.Tensor | None) -> None:
        self._done = min(done, self._total)
        shown: list[Any] = []
        if latents is not None and done < self._total and time.monotonic() - self._looked > LOOK:
            shown = [pictures.png(one) for one in self._preview.draw(latents)]
            self._looked = time.monotonic()
        self._tell(shown or [None] * len(self._jobs))
        if all(job.cancelled.is_set() for job in self._jobs):
            raise Gone

    def _tell(self, shown: Sequence[Media | None]) -> None:
        self._told = time.monotonic()
        for job, picture in zip(self._jobs, shown, strict=True):
            job.progress(self._done, self._total, picture)
