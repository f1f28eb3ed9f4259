"""From a TensorFlow.js graph model (`model.json` and its weights) to ONNX.

Every tensor of the graph may exist twice here: as TensorFlow has it, and "channels first", which ONNX's convolutions
want. Whichever is asked for and is not there yet is made by a Transpose; what works channel by channel stays in the
order it came in, so that few are needed. Weights stay in half precision where they were shipped so (a Cast follows,
which runtimes do once, when they load the model).

Sources: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter/src/operations/op_list (what each operation and
its attributes mean), https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)
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


class Graph:
    """The ONNX graph as it grows. Recipes add what their model needs around it, by `op` and `constant`."""

    def __init__(self, model: Path) -> None:
        described = json.loads(model.read_text())
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        #: what is known before anything runs
        self.known: dict[str, np.ndarray] = {}
        self._weights = _weights(described, model.parent)
        self._plain: dict[str, str] = {}
        self._channels_first: dict[str, str] = {}
        self._count = 0
        for node in described["modelTopology"]["node"]:
            self._add(_Node(node))

    # --- building ------------------------------------------------------------------------------------------------

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operation; the name of its output, or a list of names where it has several."""
        names = [self._name(kind) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add numbers to the graph. Half precision is widened where it is used."""
        array = np.ascontiguousarray(value, dtype)
        name = self._name("constant")
        self.initializers.append(numpy_helper.from_array(array, name))
        if array.dtype == np.float16:
            return str(self.op("Cast", name, to=TensorProto.FLOAT))
        return name

    def tensor(self, name: str) -> str:
        """The tensor that TensorFlow calls `name`, in TensorFlow's order of dimensions."""
        name = _output(name)
        if name in self.known and name not in self._plain:
            self._plain[name] = self.constant(self.known[name])
        if name not in self._plain:
            self._plain[name] = self.op("Transpose", self._channels_first[name], perm=_LAST)
        return self._plain[name]

    def channels_first(self, name: str) -> str:
        """The same for a tensor [picture, height, width, channel], as [picture, channel, height, width]."""
        name = _output(name)
        if name not in self._channels_first:
            self._channels_first[name] = self.op("Transpose", self.tensor(name), perm=_FIRST)
        return self._channels_first[name]

    def model(self, outputs: dict[str, tuple[str, int, Sequence[int | str]]], **metadata: str) -> onnx.ModelProto:
        """The finished model, checked. `outputs`: name in the model -> (name in the graph, type, shape)."""
        for name, (inner, _, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [inner], [name]))
        results = [helper.make_tensor_value_info(name, kind, shape) for name, (_, kind, shape) in outputs.items()]
        graph = helper.make_graph(self._needed(list(outputs)), "model", self.inputs, results)
        used = {name for node in graph.node for name in node.input}
        graph.initializer.extend(i for i in self.initializers if i.name in used)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="corral-zoo")
        made.ir_version = 9
        helper.set_model_props(made, metadata)
        onnx.checker.check_model(made, full_check=True)
        return made

    def _needed(self, wanted: list[str]) -> list[onnx.NodeProto]:
        """The nodes that the outputs hang on, in an order in which they can run."""
        makers = {name: node for node in self.nodes for name in node.output}
        order: dict[int, onnx.NodeProto] = {}
        stack = [makers[name] for name in reversed(wanted)]
        while stack:
            node = stack[-1]
            missing = [makers[n] for n in node.input if n in makers and id(makers[n]) not in order]
            if missing:
                stack.extend(missing)
                continue
            order[id(stack.pop())] = node
        return list(order.values())

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    # --- translating ---------------------------------------------------------------------------------------------

    def _add(self, node: _Node) -> None:
        if (fold := _FOLD.get(node.op)) and all(_output(n) in self.known for n in node.inputs):
            self.known[node.name] = fold(*(self.known[_output(n)] for n in node.inputs))
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

    def _placeholder(self, node: _Node) -> None:
        self._plain[node.name] = node.name
        kind = TensorProto.FLOAT if node.type("dtype") == "DT_FLOAT" else TensorProto.INT32
        self.inputs.append(helper.make_tensor_value_info(node.name, kind, node.shape("shape")))

    def replace_input(
        self, shape: Sequence[int | str], prepare: Callable[[str], str], name: str = "pixel_values"
    ) -> None:
        """Give the model another input, of 32-bit numbers, from which `prepare` makes the one that it has now."""
        old = self.inputs.pop().name
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        self.nodes.append(helper.make_node("Identity", [prepare(name)], [old]))

    def _alias(self, name: str, of: str) -> None:
        of = _output(of)
        if of in self.known:
            self.known[name] = self.known[of]
            return
        if of in self._plain:
            self._plain[name] = self._plain[of]
        if of in self._channels_first:
            self._channels_first[name] = self._channels_first[of]

    def _is_first(self, name: str) -> bool:
        return _output(name) in self._channels_first

    def _same_order(self, node: _Node, make: Callable[[str], str]) -> None:
        """What works on each number alone."""
        if self._is_first(node.inputs[0]):
            self._channels_first[node.name] = make(self.channels_first(node.inputs[0]))
        else:
            self._plain[node.name] = make(self.tensor(node.inputs[0]))

    def _binary(self, node: _Node, make: Callable[[str, str], str]) -> None:
        first = [self._is_first(n) for n in node.inputs]
        other = [_output(n) in self.known and self.known[_output(n)].ndim in (0, 1, 4) for n in node.inputs]
        if any(first) and all(f or o for f, o in zip(first, other, strict=True)):
            a, b = (self.channels_first(n) if f else self._spread(n) for f, n in zip(first, node.inputs, strict=True))
            self._channels_first[node.name] = make(a, b)
        else:
            self._plain[node.name] = make(*map(self.tensor, node.inputs))

    def _spread(self, name: str) -> str:
        """A constant that is to meet tensors with channels first."""
        value = self.known[_output(name)]
        return self.constant(value.transpose(_FIRST) if value.ndim == 4 else value.reshape(-1, 1, 1))

    def _convolution(self, node: _Node) -> None:
        weights = self.known[_output(node.inputs[1])]
        height, width, channels, out = weights.shape
        attributes = {"strides": node.numbers("strides")[1:3], "dilations": (node.numbers("dilations") or [1] * 4)[1:3]}
        if "epthwise" in node.op:
            attributes["group"] = channels
            weights = weights.transpose(2, 3, 0, 1).reshape(channels * out, 1, height, width)
        else:
            weights = weights.transpose(3, 2, 0, 1)
        inputs = [self.channels_first(node.inputs[0]), self.constant(weights)]
        fused = [
            base64.b64decode(word).decode()
            for word in node.attributes.get("fused_ops", {}).get("list", {}).get("s", [])
        ]
        if fused[:1] == ["BiasAdd"]:
            inputs.append(self.constant(self.known[_output(node.inputs[2])].reshape(-1)))
            fused = fused[1:]
        made = self.op("Conv", *inputs, kernel_shape=[height, width], **attributes, **self._padding(node))
        for activation in fused:
            made = self._activate(activation, made, node)
        self._channels_first[node.name] = made

    def _activate(self, kind: str, name: str, node: _Node) -> str:
        if kind == "Relu6":
            return str(self.op("Clip", name, self.constant(0, np.float32), self.constant(6, np.float32)))
        if kind == "LeakyRelu":
            return str(self.op("LeakyRelu", name, alpha=node.number("leakyrelu_alpha", node.number("alpha", 0.2))))
        if kind in _UNARY:
            return str(self.op(_UNARY[kind], name))
        raise NotImplementedError(f"no translation for the activation {kind}")

    def _padding(self, node: _Node) -> dict[str, Any]:
        kind = node.text("padding")
        if kind == "EXPLICIT":
            _, _, top, bottom, left, right, _, _ = node.numbers("explicit_paddings")
            return {"pads": [top, left, bottom, right]}
        return {"auto_pad": "SAME_UPPER"} if kind == "SAME" else {}

    def _relu6(self, node: _Node) -> None:
        self._same_order(node, lambda x: self._activate("Relu6", x, node))

    def _leaky_relu(self, node: _Node) -> None:
        self._same_order(node, lambda x: self._activate("LeakyRelu", x, node))

    def _softmax(self, node: _Node) -> None:
        self._plain[node.name] = self.op("Softmax", self.tensor(node.inputs[0]), axis=-1)

    def _cast(self, node: _Node) -> None:
        self._same_order(node, lambda x: self.op("Cast", x, to=_TYPES[node.type("DstT")]))

    def _squared_difference(self, node: _Node) -> None:
        def square(a: str, b: str) -> str:
            difference = self.op("Sub", a, b)
            return str(self.op("Mul", difference, difference))

        self._binary(node, square)

    def _floor_div(self, node: _Node) -> None:
        # whole numbers here are indices, never negative: ONNX cuts off what TensorFlow rounds down
        whole = node.type("T") != "DT_FLOAT"
        self._binary(node, lambda a, b: self.op("Div", a, b) if whole else self.op("Floor", self.op("Div", a, b)))

    def _floor_mod(self, node: _Node) -> None:
        whole = node.type("T") != "DT_FLOAT"
        self._binary(node, lambda a, b: self.op("Mod", a, b, fmod=0 if whole else 1))

    def _pool(self, node: _Node, kind: str) -> None:
        self._channels_first[node.name] = self.op(
            kind,
            self.channels_first(node.inputs[0]),
            kernel_shape=node.numbers("ksize")[1:3],
            strides=node.numbers("strides")[1:3],
            **self._padding(node),
        )

    def _max_pool(self, node: _Node) -> None:
        self._pool(node, "MaxPool")

    def _avg_pool(self, node: _Node) -> None:
        self._pool(node, "AveragePool")

    def _resize_bilinear(self, node: _Node) -> None:
        mode = "align_corners" if node.flag("align_corners") else "asymmetric"
        self._channels_first[node.name] = self.op(
            "Resize",
            self.channels_first(node.inputs[0]),
            "",
            "",
            self.constant(self.known[_output(node.inputs[1])], np.int64),
            mode="linear",
            axes=[2, 3],
            coordinate_transformation_mode="half_pixel" if node.flag("half_pixel_centers") else mode,
        )

    def _pad(self, node: _Node) -> None:
        pads = self.known[_output(node.inputs[1])]
        value = self.known[_output(node.inputs[2])] if len(node.inputs) > 2 else np.float32(0)
        first = self._is_first(node.inputs[0])
        if first:
            pads = pads[list(_FIRST)]
        x = self.channels_first(node.inputs[0]) if first else self.tensor(node.inputs[0])
        made = self.op("Pad", x, self.constant(pads.T.reshape(-1), np.int64), self.constant(value, np.float32))
        (self._channels_first if first else self._plain)[node.name] = made

    _pad_v2 = _pad

    def _transpose(self, node: _Node) -> None:
        order = tuple(int(v) for v in self.known[_output(node.inputs[1])])
        source = _output(node.inputs[0])
        if order == _FIRST:
            self._plain[node.name] = self.channels_first(source)
        elif order == _LAST:
            self._channels_first[node.name] = self.tensor(source)
        else:
            self._plain[node.name] = self.op("Transpose", self.tensor(source), perm=order)

    def _concat_v2(self, node: _Node) -> None:
        *inputs, axis_name = node.inputs
        axis = int(self.known[_output(axis_name)])
        if all(map(self._is_first, inputs)):
            made = self.op("Concat", *map(self.channels_first, inputs), axis=_FIRST.index(axis % 4))
            self._channels_first[node.name] = made
        else:
            self._plain[node.name] = self.op("Concat", *map(self.tensor, inputs), axis=axis)

    def _split_v(self, node: _Node) -> None:
        sizes, axis = (self.known[_output(n)] for n in node.inputs[1:3])
        pieces = self.op(
            "Split", self.tensor(node.inputs[0]), self.constant(sizes, np.int64), outputs=len(sizes), axis=int(axis)
        )
        self._several(node, pieces if len(sizes) > 1 else [pieces])

    def _unpack(self, node: _Node) -> None:
        count, axis = int(node.number("num")), int(node.number("axis"))
        pieces = self.op("Split", self.tensor(node.inputs[0]), outputs=count, axis=axis, num_outputs=count)
        axes = self.constant([axis], np.int64)
        self._several(node, [self.op("Squeeze", p, axes) for p in (pieces if count > 1 else [pieces])])

    def _several(self, node: _Node, names: list[str]) -> None:
        for index, name in enumerate(names):
            self._plain[f"{node.name}:{index}" if index else node.name] = name

    def _pack(self, node: _Node) -> None:
        axis = int(node.number("axis"))
        axes = self.constant([axis], np.int64)
        parts = [self.op("Unsqueeze", self.tensor(n), axes) for n in node.inputs]
        self._plain[node.name] = self.op("Concat", *parts, axis=axis)

    def _reshape(self, node: _Node) -> None:
        shape = self.constant(self.known[_output(node.inputs[1])], np.int64)
        self._plain[node.name] = self.op("Reshape", self.tensor(node.inputs[0]), shape)

    def _expand_dims(self, node: _Node) -> None:
        axes = self.constant(self.known[_output(node.inputs[1])].reshape(-1), np.int64)
        self._plain[node.name] = self.op("Unsqueeze", self.tensor(node.inputs[0]), axes)

    def _squeeze(self, node: _Node) -> None:
        axes = self.constant(node.numbers("squeeze_dims"), np.int64)
        self._plain[node.name] = self.op("Squeeze", self.tensor(node.inputs[0]), axes)

    def _mean(self, node: _Node) -> None:
        axes = self.known[_output(node.inputs[1])].reshape(-1)
        kept = node.flag("keep_dims")
        if kept and self._is_first(node.inputs[0]):
            inner = self.constant([_FIRST.index(a % 4) for a in axes], np.int64)
            self._channels_first[node.name] = self.op(
                "ReduceMean", self.channels_first(node.inputs[0]), inner, keepdims=1
            )
            return
        self._plain[node.name] = self.op(
            "ReduceMean", self.tensor(node.inputs[0]), self.constant(axes, np.int64), keepdims=int(kept)
        )

    def _arg_max(self, node: _Node) -> None:
        axis = int(self.known[_output(node.inputs[1])])
        self._plain[node.name] = self.op("ArgMax", self.tensor(node.inputs[0]), axis=axis, keepdims=0)

    def _top_kv2(self, node: _Node) -> None:
        count = self.constant(self.known[_output(node.inputs[1])].reshape(1), np.int64)
        self._several(node, self.op("TopK", self.tensor(node.inputs[0]), count, outputs=2, axis=-1))

    def _gather_v2(self, node: _Node) -> None:
        axis = int(self.known[_output(node.inputs[2])])
        self._plain[node.name] = self.op("Gather", *map(self.tensor, node.inputs[:2]), axis=axis)

    def _gather_nd(self, node: _Node) -> None:
        self._plain[node.name] = self.op("GatherND", *map(self.tensor, node.inputs))

    def _strided_slice(self, node: _Node) -> None:
        begin, end, step = (self.known[_output(n)].astype(np.int64) for n in node.inputs[1:4])
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


class _Node:
    """One operation of the graph, its attributes as their JSON says them."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.name: str = described["name"]
        self.op: str = described["op"]
        self.inputs: list[str] = [n for n in described.get("input", []) if not n.startswith("^")]
        self.attributes: dict[str, Any] = described.get("attr", {})

    def text(self, name: str) -> str:
        return base64.b64decode(self.attributes.get(name, {}).get("s", "")).decode()

    def texts(self, name: str) -> list[str]:
        return [base64.b64decode(word).decode() for word in self.attributes.get(name, {}).get("list", {}).get("s", [])]

    def type(self, name: str) -> str:
        return str(self.attributes.get(name, {}).get("type", ""))

    def flag(self, name: str) -> bool:
        return bool(self.attributes.get(name, {}).get("b", False))

    def number(self, name: str, otherwise: float = 0) -> float:
        found = self.attributes.get(name, {})
        return float(found.get("i", found.get("f", otherwise)))

    def numbers(self, name: str) -> list[int]:
        return [int(v) for v in self.attributes.get(name, {}).get("list", {}).get("i", [])]

    def shape(self, name: str) -> list[int]:
        return [int(d["size"]) for d in self.attributes[name]["shape"].get("dim", [])]


def _sparse_to_dense(indices: np.ndarray, shape: np.ndarray, values: np.ndarray, default: np.ndarray) -> np.ndarray:
    made = np.full([int(v) for v in shape], default, values.dtype)
    made[tuple(indices.reshape(-1, len(shape)).T)] = values
    return made


_CONVOLUTIONS = frozenset(("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"))
#: worked out at once where all that goes in is known
_FOLD: dict[str, Callable[..., np.ndarray]] = {
    "SparseToDense": _sparse_to_dense,
    "Pack": lambda *parts: np.stack(parts),
    "Add": np.add,
    "AddV2": np.add,
    "Mul": np.multiply,
    "Sub": np.subtract,
    "RealDiv": np.divide,
}


def _weights(described: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """All constants by name. 32-bit whole numbers are widened to what ONNX counts with."""
    found: dict[str, np.ndarray] = {}
    for group in described["weightsManifest"]:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for weight in group["weights"]:
            quantized = weight.get("quantization", {})
            stored = np.dtype(quantized.get("dtype", weight["dtype"])).newbyteorder("<")
            if "scale" in quantized:
                raise NotImplementedError(f"no translation for weights of the type {stored}")
            count = math.prod(weight["shape"])
            array = np.frombuffer(data, stored, count, at).reshape(weight["shape"])
            at += count * stored.itemsize
            found[weight["name"]] = array.astype(np.int64) if array.dtype.kind == "i" else array
        if at != len(data):
            raise ValueError(f"the weights have {len(data)} bytes, and {at} were expected")
    return found


def _output(name: str) -> str:
    """`name:0` is the same as `name`."""
    return name.removesuffix(":0")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
