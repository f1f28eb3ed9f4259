"""Image segmentation and depth estimation by ONNX and TFLite models: a number, or one for each label, for each pixel.

Outputs are [1, labels, height, width], [1, height, width, labels] or, for one number, [1, height, width]; the first
is taken. One map is how likely a pixel is part of the thing (a mask with soft edges); of several, the highest counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.graphs import TfliteGraph, config_of, label, labels_of, open_graph
from corral.inference.engines.pictures import base64_png, picture
from corral.inference.engines.points import Floats
from corral.inference.engines.preparing import IMAGENET, Placed, Preparation, preparation

#: where the repository does not say
_ONNX = Preparation(512, 512, *IMAGENET)
_TFLITE = Preparation(256, 256)


class _Maps(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = config_of(folder)
        self._graph = open_graph(folder, options)
        self._labels = labels_of(folder, config, self._graph)
        usual = _TFLITE if isinstance(self._graph, TfliteGraph) else _ONNX
        self._prepare = preparation(folder, config, self._graph, usual)

    def _maps(self, image: Image.Image) -> tuple[Floats, Placed]:
        """(maps, height, width), and where the picture lies in the input."""
        values, placed = self._prepare(image, self._graph)
        first = np.asarray(self._graph.run(values, image.size)[0], np.float32)
        maps = first.reshape(first.shape[-3:] if first.ndim > 2 else (1, *first.shape))
        if first.ndim == 4 and isinstance(self._graph, TfliteGraph):
            maps = maps.transpose(2, 0, 1)
        return maps, placed

    def _as_large(self, values: npt.NDArray[Any], placed: Placed, how: Image.Resampling) -> Image.Image:
        """A map in the size of the picture, cut to where the picture lies."""
        across, down = values.shape[1] / self._prepare.width, values.shape[0] / self._prepare.height
        left, top = max(0.0, placed.offset[0]) * across, max(0.0, placed.offset[1]) * down
        right = min(float(values.shape[1]), left + placed.size[0] * placed.scale[0] * across)
        bottom = min(float(values.shape[0]), top + placed.size[1] * placed.scale[1] * down)
        return Image.fromarray(values).resize(placed.size, how, box=(left, top, right, bottom))


class GraphSegmentation(_Maps):
    def run(self, job: Job) -> Any:
        if job.op != "segment":
            raise Refused(f"This model cannot do {job.op!r}: it cuts pictures to segments.")
        if job.params.get("subtask") not in (None, "semantic"):
            raise Refused(f"This model does no {job.params['subtask']} segmentation: leave 'subtask' out.")
        maps, placed = self._maps(picture(job.files[0]))
        if len(maps) == 1:
            return [self._soft(maps[0], placed, job.params.get("mask_threshold"))]
        best = maps.argmax(0).astype(np.uint8)
        found = []
        for place in np.unique(best).tolist():
            mask = self._as_large(np.where(best == place, 255, 0).astype(np.uint8), placed, Image.Resampling.NEAREST)
            found.append({"score": None, "label": label(self._labels, place), "mask": base64_png(mask)})
        return found

    def _soft(self, values: Floats, placed: Placed, threshold: float | None) -> dict[str, Any]:
        shares = values if values.min() >= 0 and values.max() <= 1 else 1 / (1 + np.exp(-values.clip(-60, 60)))
        mask = self._as_large((shares * 255).astype(np.uint8), placed, Image.Resampling.BILINEAR)
        if threshold is not None:
            mask = mask.point(lambda value: 255 if value > threshold * 255 else 0)
        inside = shares[shares > 0.5]
        score = float(inside.mean()) if inside.size else 0.0
        # of two labels the first is the ground
        return {"score": score, "label": self._labels[-1] if self._labels else "mask", "mask": base64_png(mask)}


class GraphDepth(_Maps):
    def run(self, job: Job) -> Any:
        if job.op != "depth":
            raise Refused(f"This model cannot do {job.op!r}: it estimates how far away things are.")
        maps, placed = self._maps(picture(job.files[0]))
        depths = maps[0]
        spread = max(float(depths.max() - depths.min()), 1e-9)
        grey = ((depths - depths.min()) / spread * 255).astype(np.uint8)
        shown = self._as_large(grey, placed, Image.Resampling.BICUBIC)
        rows = [[float(f"{value:.5g}") for value in row] for row in depths.tolist()]
        return {"depth": base64_png(shown), "predicted_depth": rows}
