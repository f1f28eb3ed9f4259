"""ONNX graphs as recipes make them: operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
#: an output: its name in the graph, its type, its shape
Output = tuple[str, int, Sequence[int | str]]


class Building:
    """A graph as it grows."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def add_input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

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

    def model(self, outputs: dict[str, Output]) -> onnx.ModelProto:
        """The finished model, checked. `outputs` are by their names in the model."""
        for name, (inner, _, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [inner], [name]))
        results = [helper.make_tensor_value_info(name, kind, shape) for name, (_, kind, shape) in outputs.items()]
        graph = helper.make_graph(self._needed(list(outputs)), "model", self.inputs, results)
        used = {name for node in graph.node for name in node.input}
        graph.initializer.extend(i for i in self.initializers if i.name in used)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="corral-zoo")
        made.ir_version = 9
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
