"""TensorFlow.js graphs as ONNX, against the same computation in torch."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from onnx import TensorProto  # noqa: E402
from zoo.tfjs import Graph  # noqa: E402

Value = Any


class Written:
    """A graph model as TensorFlow.js' converter writes it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "model.json"
        self.nodes: list[dict[str, Value]] = []
        self.weights: list[dict[str, Value]] = []
        self.data = b""

    def node(self, name: str, op: str, *inputs: str, **attributes: Value) -> str:
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        return name

    def constant(self, name: str, value: Value, dtype: str = "float32") -> str:
        array = np.asarray(value)
        weight: dict[str, Value] = {"name": name, "shape": list(array.shape), "dtype": dtype}
        if dtype == "float32":
            # as the packages ship them
            weight["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
            array = array.astype("<f2")
        self.weights.append(weight)
        self.data += array.astype("<i4").tobytes() if dtype == "int32" else array.tobytes()
        return self.node(name, "Const")

    def input(self, shape: list[int], kind: str = "DT_FLOAT") -> str:
        dims = {"dim": [{"size": str(n)} for n in shape]}
        return self.node("x", "Placeholder", dtype={"type": kind}, shape={"shape": dims})

    def graph(self) -> Graph:
        (self.file.parent / "model.bin").write_bytes(self.data)
        manifest = [{"paths": ["model.bin"], "weights": self.weights}]
        self.file.write_text(json.dumps({"modelTopology": {"node": self.nodes}, "weightsManifest": manifest}))
        return Graph(self.file)


def _run(graph: Graph, name: str, shape: list[int], given: np.ndarray) -> tuple[np.ndarray, list[str]]:
    model = graph.model({"out": (graph.tensor(name), TensorProto.FLOAT, shape)})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    return found, [node.op_type for node in model.graph.node]


def _text(words: str) -> dict[str, str]:
    return {"s": base64.b64encode(words.encode()).decode()}


def _texts(*words: str) -> dict[str, Value]:
    return {"list": {"s": [base64.b64encode(word.encode()).decode() for word in words]}}


def _numbers(*values: int) -> dict[str, Value]:
    return {"list": {"i": [str(v) for v in values]}}


def _half(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float16).astype(np.float32)


def _first(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.transpose(0, 3, 1, 2).copy())


def test_a_network_of_convolutions_computes_what_it_did(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).normal(0, 1, (1, 9, 12, 3)).astype(np.float32)
    kernel, bias, deep = _half((3, 3, 3, 4), 1), _half((4,), 2), _half((3, 3, 4, 2), 3)
    w = Written(tmp_path)
    w.input([1, 9, 12, 3])
    w.constant("kernel", kernel)
    w.constant("bias", bias)
    w.constant("deep", deep)
    w.constant("scale", 0.25)
    w.constant("size", [10, 12], "int32")
    w.constant("axis", 3, "int32")
    same, steps = _text("SAME"), _numbers(1, 2, 2, 1)
    fused = _texts("BiasAdd", "Relu6")
    one = _numbers(1, 1, 1, 1)
    w.node("conv", "_FusedConv2D", "x", "kernel", "bias", padding=same, strides=steps, dilations=one, fused_ops=fused)
    w.node("depth", "DepthwiseConv2dNative", "conv", "deep", padding=_text("VALID"), strides=one)
    w.node("large", "ResizeBilinear", "depth", "size", half_pixel_centers={"b": True}, align_corners={"b": False})
    w.node("scaled", "Mul", "large", "scale")
    w.node("both", "ConcatV2", "scaled", "large", "axis")
    w.node("small", "MaxPool", "both", padding=same, strides=steps, ksize=_numbers(1, 3, 3, 1))
    w.node("out", "Sigmoid", "small")
    found, operations = _run(w.graph(), "out", [1, 5, 6, 16], picture)

    # as TensorFlow pads, what is odd goes below and to the right
    x = F.pad(_first(picture), (0, 1, 1, 1))
    x = F.conv2d(x, torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()), torch.from_numpy(bias), stride=2).clamp(0, 6)
    x = F.conv2d(x, torch.from_numpy(deep.transpose(2, 3, 0, 1).reshape(8, 1, 3, 3).copy()), groups=4)
    x = F.interpolate(x, (10, 12), mode="bilinear", align_corners=False)
    x = F.max_pool2d(F.pad(torch.cat([x * 0.25, x], 1), (0, 1, 0, 1), value=-torch.inf), 3, 2).sigmoid()
    np.testing.assert_allclose(found, x.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    # to channels first at the start, and back at the end: no more than that
    assert operations.count("Transpose") == 2


def test_the_ends_of_networks_cut_count_and_gather_as_they_did(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(0, 1, (1, 4, 4, 3)).astype(np.float32)
    w = Written(tmp_path)
    w.input([1, 4, 4, 3])
    w.constant("flat", [16, 3], "int32")
    w.constant("k", 5, "int32")
    w.constant("axis", 0, "int32")
    w.constant("last", 1, "int32")
    w.constant("four", 4, "int32")
    for name, value in (("begin", [0, 1]), ("end", [0, 2]), ("step", [1, 1])):
        w.constant(name, value, "int32")
    w.node("rows", "Reshape", "x", "flat")
    w.node("middle", "StridedSlice", "rows", "begin", "end", "step", begin_mask={"i": "1"}, end_mask={"i": "1"},
           shrink_axis_mask={"i": "2"})  # fmt: skip
    w.node("top", "TopKV2", "middle", "k")
    w.node("best", "GatherV2", "rows", "top:1", "axis")
    w.node("down", "FloorDiv", "top:1", "four", T={"type": "DT_INT32"})
    w.node("across", "FloorMod", "top:1", "four", T={"type": "DT_INT32"})
    w.node("places", "Pack", "down", "across", axis={"i": "1"})
    w.node("numbers", "Cast", "places", DstT={"type": "DT_FLOAT"})
    w.node("out", "ConcatV2", "best", "numbers", "last")
    found, _ = _run(w.graph(), "out", [5, 5], table)
    rows = table.reshape(16, 3)
    order = np.argsort(-rows[:, 1])[:5]
    np.testing.assert_allclose(found, np.column_stack([rows[order], order // 4, order % 4]), atol=1e-6)


def test_what_has_no_translation_is_named(tmp_path: Path) -> None:
    w = Written(tmp_path)
    w.input([1, 2])
    w.node("odd", "Erf", "x")
    with pytest.raises(NotImplementedError, match=r"no translation for the operation Erf \(odd\)"):
        w.graph()


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    w = Written(tmp_path)
    w.constant("one", [1.0, 2.0])
    w.data += b"\0"
    with pytest.raises(ValueError, match="5 bytes, and 4 were expected"):
        w.graph()
