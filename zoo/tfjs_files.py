"""The files of a TensorFlow.js graph model: its operations and their attributes, and its weights."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import numpy as np


class Node:
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


def weights(described: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
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
