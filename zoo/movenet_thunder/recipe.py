"""MoveNet Thunder, from a TensorFlow.js graph to ONNX."""

from __future__ import annotations

from pathlib import Path

from zoo.base import Recipe
from zoo.human_models import HUMAN_MODELS

RECIPE = Recipe(
    name="movenet_thunder",
    repo="corral/movenet-thunder",
    type="model",
    title="a pose detector for one person",
    proof="model.onnx",
    license="apache-2.0",
    task="keypoint-detection",
    sources=(HUMAN_MODELS,),
    needs=("onnx",),
)


def build(sources: list[Path], folder: Path) -> None:
    import onnx

    from zoo.tfjs import Graph
    from zoo.writing import add_examples, write_json

    graph = Graph(sources[0] / "movenet-thunder.json")
    points = graph.tensor("Identity")
    onnx.save(graph.model({"keypoints": (points, onnx.TensorProto.FLOAT, [1, 1, 17, 3])}), folder / "model.onnx")
    write_json(folder / "config.json", {"model_type": "movenet", "output_layout": "movenet"})
    preparation = {"size": {"height": 256, "width": 256}, "do_pad": True, "pad_value": 0, "do_rescale": False}
    write_json(folder / "preprocessor_config.json", preparation)
    add_examples(folder, "astronaut.jpg", "officer.jpg")
