"""From a TensorFlow.js graph model (`model.json` and its weights) to ONNX.

Weights stay in half precision where they were shipped so: a Cast follows, which runtimes do once, when they load the
model.

Sources: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter/src/operations/op_list (what each operation and
its attributes mean), https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto

from zoo.tfjs_files import Node, weights
from zoo.tfjs_tensors import FIRST, FOLD, LAST, Tensors, output

_TYPES = {
    "DT_FLOAT": TensorProto.FLOAT,
    "DT_INT32": TensorProto.INT64,
    "DT_INT64": TensorProto.INT64,
    "DT_BOOL": TensorProto.BOOL,
}
_UNARY = {"Relu": "Relu", "Sigmoid": "Sigmoid", "Sqrt": "Sqrt", "Abs": "Abs", "Exp": "Exp", "Tanh": "Tanh"}
_BINARY = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Equal": "Equal",
    "Greater": "Greater",
}


class Graph(Tensors):
    """The model as ONNX. Recipes name its outputs, by `tensor` and `model`."""

    def __init__(self, model: Path) -> None:
        super().__init__()
        described = json.loads(model.read_text())
        self._weights = weights(described, model.parent)
        for node in described["modelTopology"]["node"]:
            self._add(Node(node))

    def _add(self, node: Node) -> None:
        if (fold := FOLD.get(node.op)) and all(output(n) in self.known for n in node.inputs):
            self.known[node.name] = fold(*(self.known[output(n)] for n in node.inputs))
        elif node.op == "Const":
            self.known[node.name] = self._weights[node.name]
        elif node.op == "Placeholder":
            self._placeholder(node)
        elif node.op == "Identity":
            self._alias(node.name, node.inputs[0])
        elif node.op in _CONVOLUTIONS:
            self._convolution(node)
        elif node.op in _UNARY:
            self._same_order(node, lambda x: self.op(_UNARY[node.op], x))
        elif node.op in _BINARY:
            self._binary(node, lambda a, b: self.op(_BINARY[node.op], a, b))
        else:
            translate = getattr(self, f"_{_snake(node.op)}", None)
            if translate is None:
                raise NotImplementedError(f"no translation for the operation {node.op} ({node.name})")
            translate(node)

    def _placeholder(self, node: Node) -> None:
        self._plain[node.name] = node.name
        kind = TensorProto.FLOAT if node.type("dtype") == "DT_FLOAT" else TensorProto.INT32
        self.add_input(node.name, kind, node.shape("shape"))

    def _convolution(self, node: Node) -> None:
        weights = self.known[output(node.inputs[1])]
        height, width, channels, out = weights.shape
        attributes = {"strides": node.numbers("strides")[1:3], "dilations": (node.numbers("dilations") or [1] * 4)[1:3]}
        if "epthwise" in node.op:
            attributes["group"] = channels
            weights = weights.transpose(2, 3, 0, 1).reshape(channels * out, 1, height, width)
        else:
            weights = weights.transpose(3, 2, 0, 1)
        inputs = [self.channels_first(node.inputs[0]), self.constant(weights)]
        fused = node.texts("fused_ops")
        if fused[:1] == ["BiasAdd"]:
            inputs.append(self.constant(self.known[output(node.inputs[2])].reshape(-1)))
            fused = fused[1:]
        made = self.op("Conv", *inputs, kernel_shape=[height, width], **attributes, **self._padding(node))
        for activation in fused:
            made = self._activate(activation, made, node)
        self._channels_first[node.name] = made

    def _activate(self, kind: str, name: str, node: Node) -> str:
        if kind == "Relu6":
            return str(self.op("Clip", name, self.constant(0, np.float32), self.constant(6, np.float32)))
        if kind == "LeakyRelu":
            return str(self.op("LeakyRelu", name, alpha=node.number("leakyrelu_alpha", node.number("alpha", 0.2))))
        if kind in _UNARY:
            return str(self.op(_UNARY[kind], name))
        raise NotImplementedError(f"no translation for the activation {kind}")

    def _padding(self, node: Node) -> dict[str, Any]:
        kind = node.text("padding")
        if kind == "EXPLICIT":
            _, _, top, bottom, left, right, _, _ = node.numbers("explicit_paddings")
            return {"pads": [top, left, bottom, right]}
        return {"auto_pad": "SAME_UPPER"} if kind == "SAME" else {}

    def _relu6(self, node: Node) -> None:
        self._same_order(node, lambda x: self._activate("Relu6", x, node))

    def _leaky_relu(self, node: Node) -> None:
        self._same_order(node, lambda x: self._activate("LeakyRelu", x, node))

    def _softmax(self, node: Node) -> None:
        self._plain[node.name] = self.op("Softmax", self.tensor(node.inputs[0]), axis=-1)

    def _cast(self, node: Node) -> None:
        self._same_order(node, lambda x: self.op("Cast", x, to=_TYPES[node.type("DstT")]))

    def _squared_difference(self, node: Node) -> None:
        def square(a: str, b: str) -> str:
            difference = self.op("Sub", a, b)
            return str(self.op("Mul", difference, difference))

        self._binary(node, square)

    def _floor_div(self, node: Node) -> None:
        # whole numbers here are indices, never negative: ONNX cuts off what TensorFlow rounds down
        whole = node.type("T") != "DT_FLOAT"
        self._binary(node, lambda a, b: self.op("Div", a, b) if whole else self.op("Floor", self.op("Div", a, b)))

    def _floor_mod(self, node: Node) -> None:
        whole = node.type("T") != "DT_FLOAT"
        self._binary(node, lambda a, b: self.op("Mod", a, b, fmod=0 if whole else 1))

    def _pool(self, node: Node, kind: str) -> None:
        self._channels_first[node.name] = self.op(
            kind,
            self.channels_first(node.inputs[0]),
            kernel_shape=node.numbers("ksize")[1:3],
            strides=node.numbers("strides")[1:3],
            **self._padding(node),
        )

    def _max_pool(self, node: Node) -> None:
        self._pool(node, "MaxPool")

    def _avg_pool(self, node: Node) -> None:
        self._pool(node, "AveragePool")

    def _resize_bilinear(self, node: Node) -> None:
        mode = "align_corners" if node.flag("align_corners") else "asymmetric"
        self._channels_first[node.name] = self.op(
            "Resize",
            self.channels_first(node.inputs[0]),
            "",
            "",
            self.constant(self.known[output(node.inputs[1])], np.int64),
            mode="linear",
            axes=[2, 3],
            coordinate_transformation_mode="half_pixel" if node.flag("half_pixel_centers") else mode,
        )

    def _pad(self, node: Node) -> None:
        pads = self.known[output(node.inputs[1])]
        value = self.known[output(node.inputs[2])] if len(node.inputs) > 2 else np.float32(0)
        first = self._is_first(node.inputs[0])
        if first:
            pads = pads[list(FIRST)]
        x = self.channels_first(node.inputs[0]) if first else self.tensor(node.inputs[0])
        made = self.op("Pad", x, self.constant(pads.T.reshape(-1), np.int64), self.constant(value, np.float32))
        (self._channels_first if first else self._plain)[node.name] = made

    _pad_v2 = _pad

    def _transpose(self, node: Node) -> None:
        order = tuple(int(v) for v in self.known[output(node.inputs[1])])
        source = output(node.inputs[0])
        if order == FIRST:
            self._plain[node.name] = self.channels_first(source)
        elif order == LAST:
            self._channels_first[node.name] = self.tensor(source)
        else:
            self._plain[node.name] = self.op("Transpose", self.tensor(source), perm=order)

    def _concat_v2(self, node: Node) -> None:
        *inputs, axis_name = node.inputs
        axis = int(self.known[output(axis_name)])
        if all(map(self._is_first, inputs)):
            made = self.op("Concat", *map(self.channels_first, inputs), axis=FIRST.index(axis % 4))
            self._channels_first[node.name] = made
        else:
            self._plain[node.name] = self.op("Concat", *map(self.tensor, inputs), axis=axis)

    def _split_v(self, node: Node) -> None:
        sizes, axis = (self.known[output(n)] for n in node.inputs[1:3])
        pieces = self.op(
            "Split", self.tensor(node.inputs[0]), self.constant(sizes, np.int64), outputs=len(sizes), axis=int(axis)
        )
        self._several(node, pieces if len(sizes) > 1 else [pieces])

    def _unpack(self, node: Node) -> None:
        count, axis = int(node.number("num")), int(node.number("axis"))
        pieces = self.op("Split", self.tensor(node.inputs[0]), outputs=count, axis=axis, num_outputs=count)
        axes = self.constant([axis], np.int64)
        self._several(node, [self.op("Squeeze", p, axes) for p in (pieces if count > 1 else [pieces])])

    def _pack(self, node: Node) -> None:
        axis = int(node.number("axis"))
        axes = self.constant([axis], np.int64)
        parts = [self.op("Unsqueeze", self.tensor(n), axes) for n in node.inputs]
        self._plain[node.name] = self.op("Concat", *parts, axis=axis)

    def _reshape(self, node: Node) -> None:
        shape = self.constant(self.known[output(node.inputs[1])], np.int64)
        self._plain[node.name] = self.op("Reshape", self.tensor(node.inputs[0]), shape)

    def _expand_dims(self, node: Node) -> None:
        axes = self.constant(self.known[output(node.inputs[1])].reshape(-1), np.int64)
        self._plain[node.name] = self.op("Unsqueeze", self.tensor(node.inputs[0]), axes)

    def _squeeze(self, node: Node) -> None:
        axes = self.constant(node.numbers("squeeze_dims"), np.int64)
        self._plain[node.name] = self.op("Squeeze", self.tensor(node.inputs[0]), axes)

    def _mean(self, node: Node) -> None:
        axes = self.known[output(node.inputs[1])].reshape(-1)
        kept = node.flag("keep_dims")
        if kept and self._is_first(node.inputs[0]):
            inner = self.constant([FIRST.index(a % 4) for a in axes], np.int64)
            self._channels_first[node.name] = self.op(
                "ReduceMean", self.channels_first(node.inputs[0]), inner, keepdims=1
            )
            return
        self._plain[node.name] = self.op(
            "ReduceMean", self.tensor(node.inputs[0]), self.constant(axes, np.int64), keepdims=int(kept)
        )

    def _arg_max(self, node: Node) -> None:
        axis = int(self.known[output(node.inputs[1])])
        self._plain[node.name] = self.op("ArgMax", self.tensor(node.inputs[0]), axis=axis, keepdims=0)

    def _top_kv2(self, node: Node) -> None:
        count = self.constant(self.known[output(node.inputs[1])].reshape(1), np.int64)
        self._several(node, self.op("TopK", self.tensor(node.inputs[0]), count, outputs=2, axis=-1))

    def _gather_v2(self, node: Node) -> None:
        axis = int(self.known[output(node.inputs[2])])
        self._plain[node.name] = self.op("Gather", *map(self.tensor, node.inputs[:2]), axis=axis)

    def _gather_nd(self, node: Node) -> None:
        self._plain[node.name] = self.op("GatherND", *map(self.tensor, node.inputs))

    def _strided_slice(self, node: Node) -> None:
        begin, end, step = (self.known[output(n)].astype(np.int64) for n in node.inputs[1:4])
        if node.number("ellipsis_mask") or node.number("new_axis_mask"):
            raise NotImplementedError("no translation for slices with '...' or new axes")
        gone: list[int] = []
        for axis in range(len(begin)):
            if int(node.number("shrink_axis_mask")) >> axis & 1:
                end[axis] = begin[axis] + 1 if begin[axis] != -1 else np.iinfo(np.int64).max
                gone.append(axis)
                continue
            if int(node.number("begin_mask")) >> axis & 1:
                begin[axis] = 0 if step[axis] > 0 else np.iinfo(np.int64).max
            if int(node.number("end_mask")) >> axis & 1:
                end[axis] = np.iinfo(np.int64).max if step[axis] > 0 else np.iinfo(np.int64).min
        axes = self.constant(np.arange(len(begin)), np.int64)
        made = self.op(
            "Slice", self.tensor(node.inputs[0]), self.constant(begin), self.constant(end), axes, self.constant(step)
        )
        self._plain[node.name] = self.op("Squeeze", made, self.constant(gone, np.int64)) if gone else made


_CONVOLUTIONS = frozenset(("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
