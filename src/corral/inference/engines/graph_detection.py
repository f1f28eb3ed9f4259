"""Object detection by ONNX and TFLite models, whatever the layout of their outputs: `engines.boxes` lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from corral.inference.engines import boxes
from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.graphs import TfliteGraph, config_of, label, labels_of, open_graph
from corral.inference.engines.pictures import picture
from corral.inference.engines.preparing import IMAGENET, Preparation, preparation

#: how a layout's pictures are prepared where the repository does not say
_YOLO = Preparation(640, 640, pad=114)
_USUAL = {
    "yolox": Preparation(640, 640, pad=114, corner=True, blue_first=True, factor=1.0),
    "nanodet": Preparation(
        416, 416, blue_first=True, factor=1.0, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)
    ),
    "ssd": Preparation(640, 640),
    "detr": Preparation(800, 800, *IMAGENET),
}


class GraphDetection(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = config_of(folder)
        self._graph = open_graph(folder, options)
        self._labels = labels_of(folder, config, self._graph)
        named = config.get("output_layout")
        # a run on nothing shows the shapes that the file leaves open
        first = preparation(folder, config, self._graph, _YOLO)
        size = (first.width, first.height)
        values = np.zeros(first.values_shape(self._graph), self._graph.picture.type)
        self._layout = str(named or boxes.recognise(self._graph.run(values, size), len(self._labels)))
        if self._layout not in boxes.LAYOUTS:
            raise Refused(
                "The outputs of this model are of no layout that Corral knows: name one in config.json, as "
                f"output_layout ({', '.join(boxes.LAYOUTS)}).",
                501,
            )
        self._prepare = preparation(folder, config, self._graph, _USUAL.get(self._layout, _YOLO))
        names = " ".join(self._graph.outputs).lower()
        self._y_first = isinstance(self._graph, TfliteGraph) or "detection_boxes" in names
        sure = config.get("threshold")
        self._threshold = float(sure) if isinstance(sure, int | float) else 0.4

    def run(self, job: Job) -> Any:
        if job.op != "detect":
            raise Refused(f"This model cannot do {job.op!r}: it finds things in pictures.")
        image = picture(job.files[0])
        asked = job.params.get("threshold")
        values, placed = self._prepare(image, self._graph)
        outputs = self._graph.run(values, image.size)
        size = image.size if self._graph.told_size else (self._prepare.width, self._prepare.height)
        least = self._threshold if asked is None else asked
        found = boxes.decode(self._layout, outputs, len(self._labels), size, least, self._y_first)
        corners = found.corners.reshape(-1, 2, 2)
        if not self._graph.told_size:
            corners = placed.back(corners)
        corners = corners.reshape(-1, 4).clip(0, [*image.size, *image.size])
        return [
            {
                "label": label(self._labels, int(place)),
                "score": round(float(score), 6),
                "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), map(int, corner), strict=True)),
            }
            for corner, score, place in zip(corners[: boxes.MOST], found.scores, found.labels, strict=False)
        ]
