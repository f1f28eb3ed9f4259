"""The tensors of a TensorFlow graph while it is translated to ONNX, each in one or both of two orders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.onnx_building import Building
from zoo.tfjs_files import Node

#: from TensorFlow's [picture, height, width, channel] to ONNX's [picture, channel, height, width], and back
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def output(name: str) -> str:
    """`name:0` is the same as `name`."""
    return name.removesuffix(":0")


class Tensors(Building):
    """Every tensor may exist twice: as TensorFlow has it, and "channels first", which ONNX's convolutions want.

    Whichever is asked for and is not there yet is made by a Transpose; what works channel by channel stays in the
    order it came in, so that few are needed.
    """

    def __init__(self) -> None:
        super().__init__()
        #: what is known before anything runs
        self.known: dict[str, np.ndarray] = {}
        self._plain: dict[str, str] = {}
        self._channels_first: dict[str, str] = {}

    def tensor(self, name: str) -> str:
        """The tensor that TensorFlow calls `name`, in TensorFlow's order of dimensions."""
        name = output(name)
        if name in self.known and name not in self._plain:
            self._plain[name] = self.constant(self.known[name])
        if name not in self._plain:
            self._plain[name] = self.op("Transpose", self._channels_first[name], perm=LAST)
        return self._plain[name]

    def channels_first(self, name: str) -> str:
        """The same for a tensor [picture, height, width, channel], as [picture, channel, height, width]."""
        name = output(name)
        if name not in self._channels_first:
            self._channels_first[name] = self.op("Transpose", self.tensor(name), perm=FIRST)
        return self._channels_first[name]

    def _alias(self, name: str, of: str) -> None:
        of = output(of)
        if of in self.known:
            self.known[name] = self.known[of]
            return
        if of in self._plain:
            self._plain[name] = self._plain[of]
        if of in self._channels_first:
            self._channels_first[name] = self._channels_first[of]

    def _is_first(self, name: str) -> bool:
        return output(name) in self._channels_first

    def _same_order(self, node: Node, make: Callable[[str], str]) -> None:
        """What works on each number alone."""
        if self._is_first(node.inputs[0]):
            self._channels_first[node.name] = make(self.channels_first(node.inputs[0]))
        else:
            self._plain[node.name] = make(self.tensor(node.inputs[0]))

    def _binary(self, node: Node, make: Callable[[str, str], str]) -> None:
        first = [self._is_first(n) for n in node.inputs]
        other = [output(n) in self.known and self.known[output(n)].ndim in (0, 1, 4) for n in node.inputs]
        if any(first) and all(f or o for f, o in zip(first, other, strict=True)):
            a, b = (self.channels_first(n) if f else self._spread(n) for f, n in zip(first, node.inputs, strict=True))
            self._channels_first[node.name] = make(a, b)
        else:
            self._plain[node.name] = make(*map(self.tensor, node.inputs))

    def _spread(self, name: str) -> str:
        """A constant that is to meet tensors with channels first."""
        value = self.known[output(name)]
        return self.constant(value.transpose(FIRST) if value.ndim == 4 else value.reshape(-1, 1, 1))

    def _several(self, node: Node, names: list[str]) -> None:
        for index, name in enumerate(names):
            self._plain[f"{node.name}:{index}" if index else node.name] = name


def _sparse_to_dense(indices: np.ndarray, shape: np.ndarray, values: np.ndarray, default: np.ndarray) -> np.ndarray:
    made = np.full([int(v) for v in shape], default, values.dtype)
    made[tuple(indices.reshape(-1, len(shape)).T)] = values
    return made


#: worked out at once where all that goes in is known
FOLD: dict[str, Callable[..., np.ndarray]] = {
    "SparseToDense": _sparse_to_dense,
    "Pack": lambda *parts: np.stack(parts),
    "Add": np.add,
    "AddV2": np.add,
    "Mul": np.multiply,
    "Sub": np.subtract,
    "RealDiv": np.divide,
}
