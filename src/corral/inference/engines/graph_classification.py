"""Image classification by ONNX and TFLite models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.classes import ranked
from corral.inference.engines.graphs import TfliteGraph, config_of, label, labels_of, open_graph
from corral.inference.engines.pictures import picture
from corral.inference.engines.preparing import IMAGENET, Preparation, preparation

#: where the repository does not say: what models for ImageNet mostly want, and TensorFlow's from -1 to 1
_ONNX = Preparation(224, 224, *IMAGENET, crop=0.875)
_TFLITE = Preparation(224, 224, (0.5,), (0.5,), crop=0.875)


class GraphClassification(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = config_of(folder)
        self._graph = open_graph(folder, options)
        self._labels = labels_of(folder, config, self._graph)
        usual = _TFLITE if isinstance(self._graph, TfliteGraph) else _ONNX
        self._prepare = preparation(folder, config, self._graph, usual)

    def run(self, job: Job) -> Any:
        if job.op != "classify":
            raise Refused(f"This model cannot do {job.op!r}: it classifies pictures.")
        image = picture(job.files[0])
        values, _ = self._prepare(image, self._graph)
        outputs = self._graph.run(values, image.size)
        row = np.asarray(outputs[0], np.float32).reshape(-1)
        # TensorFlow's models may have a first label for none of the others
        extra = 1 if len(row) == len(self._labels) + 1 else 0
        done = bool(row.min() >= 0 and abs(float(row.sum()) - 1) < 0.01)
        return ranked(row[extra:], job.params, lambda place: label(self._labels, place), "none" if done else "softmax")
