"""Networks in files of their own: ONNX by onnxruntime, TFLite by LiteRT. What they do not say stands beside them.

- Of several files `model.onnx`, `onnx/model.onnx`, or else the first is taken.
- `preprocessor_config.json` says how a picture is prepared, in transformers' words, and some more: `engines.preparing`.
- Labels are `id2label` of `config.json`, the lines of `labels.txt`, the names that Ultralytics writes into ONNX files,
  or the label file inside of a TFLite file.
- `config.json` may name `output_layout` where the shapes of the outputs leave it open (`engines.boxes`,
  `engines.graph_keypoints`), `keypoints` (names) and `edges` (pairs of places), and `threshold`.
"""

from __future__ import annotations

import ast
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corral.inference.engines.base import Refused

Array = npt.NDArray[Any]

#: a list of labels is not longer than this, characters
_LABELS = 4 * 2**20
_ONNX_TYPES: dict[str, npt.DTypeLike] = {
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class Port(NamedTuple):
    """An input or output. A size that may vary is 0."""

    name: str
    shape: tuple[int, ...]
    type: npt.DTypeLike


class Graph:
    """`picture` is the input for the picture; `run` gives the outputs, in the order of the file."""

    picture: Port
    outputs: tuple[str, ...]
    #: labels that the file itself has
    labels: tuple[str, ...] = ()
    #: it is told the size of the whole picture, and answers in pixels of that
    told_size = False

    def run(self, values: Array, size: tuple[int, int]) -> list[Array]:
        """`values` for the input `picture`; `size`, the whole picture's (width, height), where it is asked for too."""
        raise NotImplementedError

    @property
    def channels_first(self) -> bool:
        shape = self.picture.shape
        return len(shape) == 4 and shape[3] not in (1, 3)

    @property
    def side(self) -> tuple[int, int]:
        """(width, height) that the input must have, 0 where that is free."""
        shape = self.picture.shape
        return (shape[3], shape[2]) if self.channels_first else (shape[2], shape[1])


class OnnxGraph(Graph):
    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # threads that wait must sleep: others compute here too
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        known = onnxruntime.get_available_providers()
        providers = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in known]
        self._session = onnxruntime.InferenceSession(str(file), options, providers=providers)
        ports = [_onnx_port(one) for one in self._session.get_inputs()]
        self.picture = next((p for p in ports if len(p.shape) == 4), ports[0])
        self._others = [p for p in ports if p is not self.picture]
        self.outputs = tuple(one.name for one in self._session.get_outputs())
        for port in self._others:
            _other(port, self.picture.shape, (1, 1))
        self.told_size = any("size" in port.name for port in self._others)
        self.labels = _written_names(self._session.get_modelmeta().custom_metadata_map.get("names", ""))

    def run(self, values: Array, size: tuple[int, int]) -> list[Array]:
        given = {port.name: _other(port, values.shape, size) for port in self._others}
        found: list[Array] = self._session.run(None, {self.picture.name: values} | given)
        return found


class TfliteGraph(Graph):
    def __init__(self, file: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(file), num_threads=_threads())
        self._interpreter.allocate_tensors()
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1:
            raise Refused(f"This TFLite model has {len(inputs)} inputs, and Corral runs those with one.", 501)
        self._input, self._outputs = inputs[0], self._interpreter.get_output_details()
        shape = tuple(int(n) for n in self._input["shape"])
        self.picture = Port(self._input["name"], shape, self._input["dtype"])
        self.outputs = tuple(one["name"] for one in self._outputs)
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
            self.labels = _packed_labels(archive)

    def run(self, values: Array, size: tuple[int, int]) -> list[Array]:
        self._interpreter.set_tensor(self._input["index"], values)
        self._interpreter.invoke()
        return [_dequantised(self._interpreter.get_tensor(one["index"]), one) for one in self._outputs]


def open_graph(folder: Path, options: Mapping[str, Any]) -> Graph:
    """The graph that `inference.detect` has chosen."""
    file = folder / str(options["graph"])
    return OnnxGraph(file) if file.suffix == ".onnx" else TfliteGraph(file)


def config_of(folder: Path) -> dict[str, Any]:
    """`config.json`, or nothing."""
    file = folder / "config.json"
    value = json.loads(file.read_text()) if file.is_file() else {}
    return value if isinstance(value, dict) else {}


def labels_of(folder: Path, config: dict[str, Any], graph: Graph) -> tuple[str, ...]:
    """The model's labels by number, or none where nothing names them."""
    names = config.get("id2label")
    if isinstance(names, dict) and all(str(key).isdigit() for key in names):
        places = {int(key): str(value) for key, value in names.items()}
        return tuple(places.get(i, f"LABEL_{i}") for i in range(min(max(places, default=-1) + 1, 100_000)))
    timm = config.get("label_names")
    if isinstance(timm, list):
        return tuple(map(str, timm))
    file = folder / "labels.txt"
    if file.is_file() and file.stat().st_size < _LABELS:
        return tuple(line.strip() for line in file.read_text().splitlines() if line.strip())
    return graph.labels


def label(labels: tuple[str, ...], place: int) -> str:
    return labels[place] if 0 <= place < len(labels) else f"LABEL_{place}"


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())


def _onnx_port(one: Any) -> Port:
    types: dict[str, npt.DTypeLike] = {
        "tensor(float16)": np.float16,
        "tensor(uint8)": np.uint8,
        "tensor(int8)": np.int8,
    }
    types |= {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(double)": np.float64}
    shape = tuple(n if isinstance(n, int) and n > 0 else 0 for n in one.shape)
    return Port(one.name, shape, _ONNX_TYPES.get(one.type, np.float32))


def _other(port: Port, picture: tuple[int, ...], size: tuple[int, int]) -> Array:
    """What else exported detectors ask for: the picture's size, a mask of the pixels that count. Raises Refused."""
    if "mask" in port.name and len(port.shape) == 3:
        # transformers' DETR has been exported with a mask of its own size
        height, width = (port.shape[i] or picture[-2:][i - 1] for i in (1, 2))
        return np.ones((1, height, width), port.type)
    if len(port.shape) == 2 and port.shape[1] in (0, 2) and "size" in port.name:
        return np.array([size], port.type)
    if len(port.shape) == 2 and "shape" in port.name:
        return np.array([picture[-2:]], port.type)
    if len(port.shape) == 2 and "scale" in port.name:
        return np.array([(picture[-2] / size[1], picture[-1] / size[0])], port.type)
    raise Refused(f"This model asks for an input {port.name!r}, which Corral does not know.", 501)


def _written_names(text: str) -> tuple[str, ...]:
    """Ultralytics writes `{0: 'person', …}`."""
    if not 0 < len(text) < _LABELS:
        return ()
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        names = ast.literal_eval(text)
        if isinstance(names, dict) and all(isinstance(key, int) for key in names):
            return tuple(str(names[key]) for key in sorted(names))
        if isinstance(names, list):
            return tuple(map(str, names))
    return ()


def _packed_labels(archive: zipfile.ZipFile) -> tuple[str, ...]:
    """TFLite files with metadata are ZIP archives too, which hold a list of labels."""
    for entry in archive.infolist():
        if entry.filename.endswith(".txt") and entry.file_size < _LABELS:
            return tuple(archive.read(entry).decode(errors="replace").splitlines())
    return ()


def _dequantised(values: Array, port: dict[str, Any]) -> Array:
    scale, zero = port["quantization"]
    return (values.astype(np.float32) - zero) * scale if scale and values.dtype.kind in "iu" else values
