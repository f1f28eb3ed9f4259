"""Pictures made larger: by ONNX models, by transformers' Swin2SR, and by ncnn models (Real-ESRGAN and its like)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from corral.inference.engines.base import SAFE, Engine, Job, Refused, device
from corral.inference.engines.graphs import config_of, open_graph
from corral.inference.engines.pictures import picture, png
from corral.inference.engines.tiles import Pixels, enlarge

#: the sides of pieces (pixels), where a network takes any
_SIDE = 128
#: networks that cannot take fewer pixels each way are given a larger piece of which a part is kept
_LEAST = 16


class _Upscaling(Engine):
    scale = 1
    side = _SIDE

    def run(self, job: Job) -> Any:
        if job.op != "image-to-image":
            raise Refused(f"This model cannot do {job.op!r}: it makes pictures larger.")
        large = enlarge(picture(job.files[0]), self.scale, self._padded, job, self.side)
        wanted = (job.params.get("width"), job.params.get("height"))
        return png(large.resize(wanted) if all(wanted) else large)

    def step(self, pixels: Pixels) -> Pixels:
        """A piece, `scale` times as large."""
        raise NotImplementedError

    def _padded(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        least = self.least
        missing = [max(0, least[0] - height), max(0, least[1] - width)]
        if any(missing):
            pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
        return self.step(pixels)[: height * self.scale, : width * self.scale]

    @property
    def least(self) -> tuple[int, int]:
        """(height, width) of the smallest piece that the network takes."""
        return _LEAST, _LEAST

    def measure(self) -> None:
        """Find `scale` out by trying."""
        sample = np.full((max(_LEAST, self.least[0]), max(_LEAST, self.least[1]), 3), 0.5, np.float32)
        large = self.step(sample)
        self.scale = large.shape[0] // sample.shape[0]
        if large.shape != (sample.shape[0] * self.scale, sample.shape[1] * self.scale, 3) or not 1 <= self.scale <= 16:
            raise Refused(f"This model makes {large.shape} of {sample.shape}, which is no larger picture.", 501)


class GraphUpscaling(_Upscaling):
    """ONNX: [1, 3, height, width] from 0 to 1, red first, to the same `scale` times as large."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._graph = open_graph(folder, options)
        width, height = self._graph.side
        if width != height:
            raise Refused("This model takes pieces that are no squares, which Corral does not cut.", 501)
        self.side = width or _SIDE
        self._fixed = (width, width)
        self.measure()

    @property
    def least(self) -> tuple[int, int]:
        return self._fixed if self._fixed[0] else super().least

    def step(self, pixels: Pixels) -> Pixels:
        first = self._graph.channels_first
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1) if first else pixels)[None]
        large = np.asarray(self._graph.run(values.astype(self._graph.picture.type), pixels.shape[1::-1])[0][0])
        return np.asarray(large.transpose(1, 2, 0) if first else large, np.float32)


class Swin2SR(_Upscaling):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        from transformers import AutoModelForImageToImage

        self._model = AutoModelForImageToImage.from_pretrained(folder, **SAFE).float().eval().to(device())
        self._multiple = int(self._model.config.window_size)
        self.scale = int(self._model.config.upscale)

    def step(self, pixels: Pixels) -> Pixels:
        import torch

        height, width = pixels.shape[:2]
        rest = [-side % self._multiple for side in (height, width)]
        pixels = np.pad(pixels, ((0, rest[0]), (0, rest[1]), (0, 0)), "edge")
        with torch.inference_mode():
            values = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(self._model.device)
            large = self._model(pixel_values=values).reconstruction[0].permute(1, 2, 0).cpu().numpy()
        return np.asarray(large[: height * self.scale, : width * self.scale], np.float32)


class NcnnUpscaling(_Upscaling):
    """ncnn: `NAME.param` and `NAME.bin`, planes from 0 to 1. Of several, `config.json` may name one, as `model`."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        import ncnn

        config = config_of(folder)
        files = sorted(file for file in folder.glob("*.param") if file.with_suffix(".bin").is_file())
        named = [file for file in files if file.stem == config.get("model")]
        file = (named or files)[-1]
        self._input, self._output = _ends(file)
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = _threads()
        if self._net.load_param(str(file)) or self._net.load_model(str(file.with_suffix(".bin"))):
            raise Refused(f"{file.name} is no network that ncnn can read.", 500)
        self._mat = ncnn.Mat
        self.measure()

    def step(self, pixels: Pixels) -> Pixels:
        extractor = self._net.create_extractor()
        # ncnn reads the memory as it lies, so it must be in one piece, and live until the end
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        extractor.input(self._input, self._mat(planes))
        status, large = extractor.extract(self._output)
        if status:
            raise RuntimeError(f"ncnn ended with {status}")
        return np.array(large, np.float32).transpose(1, 2, 0)


def _ends(file: Path) -> tuple[str, str]:
    """The names of the first input and of the last layer's output, from the lines of a .param file."""
    lines = [line.split() for line in file.read_text().splitlines()[2:] if line.strip()]
    first = next(words for words in lines if words[0] == "Input")
    last = lines[-1]
    bottoms, tops = int(last[2]), int(last[3])
    return first[4 + int(first[2])], last[4 + bottoms + tops - 1]


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())
