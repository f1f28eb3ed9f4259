"""NanoDet (COCO), from a TensorFlow.js graph to ONNX. The outputs are the network's own: a table of labels and one of
distances for each of three grids."""

from __future__ import annotations

from pathlib import Path

from zoo.base import Recipe
from zoo.human_models import HUMAN_MODELS

RECIPE = Recipe(
    name="nanodet",
    repo="corral/nanodet",
    type="model",
    title="a quick object detector",
    proof="model.onnx",
    license="apache-2.0",
    task="object-detection",
    sources=(HUMAN_MODELS,),
    needs=("onnx",),
)
#: cells on one side of a grid -> the outputs with its labels and its distances
_GRIDS = {52: ("Identity", "Identity_3"), 26: ("Identity_1", "Identity_4"), 13: ("Identity_2", "Identity_5")}


def build(sources: list[Path], folder: Path) -> None:
    import onnx

    from zoo import coco
    from zoo.tfjs import Graph
    from zoo.writing import add_examples, write_json

    graph = Graph(sources[0] / "nanodet.json")
    outputs: dict[str, tuple[str, int, list[int]]] = {}
    for side, (labels, distances) in _GRIDS.items():
        stride = 416 // side
        outputs[f"labels_{stride}"] = (graph.tensor(labels), onnx.TensorProto.FLOAT, [1, side * side, 80])
        outputs[f"distances_{stride}"] = (graph.tensor(distances), onnx.TensorProto.FLOAT, [1, side * side, 44])
    onnx.save(graph.model(outputs), folder / "model.onnx")
    config = {"model_type": "nanodet", "output_layout": "nanodet", "threshold": 0.4, "id2label": coco.id2label()}
    write_json(folder / "config.json", config)
    preparation = {
        "size": {"height": 416, "width": 416},
        "do_flip_channel_order": True,
        "do_rescale": False,
        "image_mean": [103.53, 116.28, 123.675],
        "image_std": [57.375, 57.12, 58.395],
    }
    write_json(folder / "preprocessor_config.json", preparation)
    add_examples(folder, "astronaut.jpg", "coffee.jpg", "officer.jpg")
