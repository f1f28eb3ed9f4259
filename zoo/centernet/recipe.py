"""CenterNet on MobileNetV3 (COCO), from a TensorFlow.js graph to ONNX.

The graph finds the hundred highest peaks itself. Some are of the same thing, so they go out as YOLOv8 writes its boxes
(centre and size, then a score for each label), for which whoever runs it leaves out what overlaps.
"""

from __future__ import annotations

from pathlib import Path

from zoo.base import Recipe
from zoo.human_models import HUMAN_MODELS

RECIPE = Recipe(
    name="centernet",
    repo="corral/centernet-mobilenetv3",
    type="model",
    title="a small object detector",
    proof="model.onnx",
    license="apache-2.0",
    task="object-detection",
    sources=(HUMAN_MODELS,),
    needs=("onnx",),
)


def build(sources: list[Path], folder: Path) -> None:
    import numpy as np
    import onnx

    from zoo import coco
    from zoo.tfjs import Graph
    from zoo.writing import add_examples, write_json

    graph = Graph(sources[0] / "centernet.json")
    # left, top, right, bottom, score, label
    found = graph.op("Split", graph.tensor("tower_0/detections"), graph.constant([2, 2, 1, 1]), outputs=4, axis=2)
    low, high, scores, numbers = found
    half = graph.constant(0.5, np.float32)
    middles = graph.op("Mul", graph.op("Add", low, high), half)
    sizes = graph.op("Sub", high, low)
    number = graph.op("Cast", graph.op("Squeeze", numbers, graph.constant([2])), to=onnx.TensorProto.INT64)
    ones = graph.op("OneHot", number, graph.constant([80]), graph.constant([0, 1], np.float32), axis=-1)
    rows = graph.op("Concat", middles, sizes, graph.op("Mul", ones, scores), axis=2)
    outputs = {"boxes": (graph.op("Transpose", rows, perm=[0, 2, 1]), onnx.TensorProto.FLOAT, [1, 84, 100])}
    onnx.save(graph.model(outputs), folder / "model.onnx")
    config = {"model_type": "centernet", "output_layout": "yolov8", "threshold": 0.35, "id2label": coco.id2label()}
    write_json(folder / "config.json", config)
    preparation = {
        "size": {"height": 512, "width": 512},
        "do_pad": True,
        "pad_value": 0,
        "resample": 2,
        "do_rescale": False,
        "do_normalize": False,
    }
    write_json(folder / "preprocessor_config.json", preparation)
    add_examples(folder, "astronaut.jpg", "coffee.jpg", "officer.jpg")
