"""From a picture to what a network takes, as `preprocessor_config.json` says it (or timm's `config.json`).

The members are transformers': `size` ({height, width} or {shortest_edge}), `do_center_crop` with `crop_size`,
`resample`, `do_rescale` with `rescale_factor`, `do_normalize` with `image_mean` and `image_std`, and
`do_flip_channel_order` (blue first). Besides: `do_pad` keeps the picture's shape and fills what is left of `size` with
`pad_value` (0 to 255), around it, or below and to the right of it where `pad_position` is "corner". They may also stand
in `config.json` under `preprocessor`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from corral.inference.engines.graphs import Array, Graph

#: a network that takes pictures of any size is not given more pixels than this on one side
_LARGEST = 1536
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a picture lies in what the network sees: pixel (x, y) of it is at (x * scale[0] + offset[0], …) there."""

    scale: tuple[float, float]
    offset: tuple[float, float]
    size: tuple[int, int]

    def back(self, points: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Points (…, 2), x and y in pixels of the network's input, in pixels of the picture."""
        moved = (points.astype(np.float32) - np.array(self.offset, np.float32)) / np.array(self.scale, np.float32)
        return moved.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Preparation:
    """`width` and `height` are the network's. `crop` is the share of each side that is kept of a picture, before that
    cut to the network's shape unless it is `stretched`. `pad` is what fills the rest where nothing is cut (None: it is
    stretched then)."""

    width: int
    height: int
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    factor: float = 1 / 255
    crop: float | None = None
    stretched: bool = False
    pad: int | None = None
    corner: bool = False
    blue_first: bool = False
    resample: int = Image.Resampling.BILINEAR

    def place(self, image: Image.Image) -> tuple[Image.Image, Placed]:
        """The picture as large as the network's input."""
        wide, high = image.size
        if self.crop is not None:
            exact = (self.width / wide / self.crop, self.height / high / self.crop)
            scales = exact if self.stretched else (max(exact), max(exact))
            left, top = (wide * scales[0] - self.width) / 2, (high * scales[1] - self.height) / 2
            box = (left / scales[0], top / scales[1], wide - left / scales[0], high - top / scales[1])
            fitted = image.resize((self.width, self.height), self.resample, box=_inside(box, image.size))
            return fitted, Placed(scales, (-left, -top), image.size)
        if self.pad is None:
            scales = (self.width / wide, self.height / high)
            return image.resize((self.width, self.height), self.resample), Placed(scales, (0, 0), image.size)
        scale = min(self.width / wide, self.height / high)
        inner = (max(1, round(wide * scale)), max(1, round(high * scale)))
        corner = (0, 0) if self.corner else ((self.width - inner[0]) // 2, (self.height - inner[1]) // 2)
        ground = Image.new("RGB", (self.width, self.height), (self.pad,) * 3)
        ground.paste(image.resize(inner, self.resample), corner)
        return ground, Placed((inner[0] / wide, inner[1] / high), corner, image.size)

    def values(self, image: Image.Image, graph: Graph) -> Array:
        """One picture of the network's size as its input: a batch of one."""
        pixels = np.asarray(image)
        if self.blue_first:
            pixels = pixels[..., ::-1]
        kind = np.dtype(graph.picture.type)
        if kind.kind == "f":
            prepared = self._scaled(pixels).astype(kind)
        elif kind == np.int8:
            prepared = (pixels.astype(np.int16) - 128).astype(np.int8)
        else:
            prepared = pixels.astype(kind)
        return np.ascontiguousarray(prepared.transpose(2, 0, 1) if graph.channels_first else prepared)[None]

    def planes(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """(3, height, width), for networks that are no graphs."""
        return np.ascontiguousarray(self._scaled(np.asarray(self.place(image)[0])).transpose(2, 0, 1))

    def _scaled(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scaled = pixels.astype(np.float32) * np.float32(self.factor)
        return np.asarray((scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32), np.float32)

    def values_shape(self, graph: Graph) -> tuple[int, ...]:
        """The shape of what `values` gives."""
        return (1, 3, self.height, self.width) if graph.channels_first else (1, self.height, self.width, 3)

    def __call__(self, image: Image.Image, graph: Graph) -> tuple[Array, Placed]:
        placed, where = self.place(image)
        return self.values(placed, graph), where


def preparation(folder: Path, config: Mapping[str, Any], graph: Graph, usual: Preparation) -> Preparation:
    """What the repository says, else `usual`; the size that the graph has goes before both."""
    file = folder / "preprocessor_config.json"
    said = json.loads(file.read_text()) if file.is_file() else config.get("preprocessor")
    timm = config.get("pretrained_cfg")
    if isinstance(said, Mapping):
        usual = _transformers(said, usual)
    elif isinstance(timm, Mapping):
        usual = timm_preparation(timm, usual)
    width, height = graph.side
    return replace(usual, width=width or min(usual.width, _LARGEST), height=height or min(usual.height, _LARGEST))


def timm_preparation(said: Mapping[str, Any], usual: Preparation) -> Preparation:
    """timm's `pretrained_cfg`."""
    channels, height, width = _numbers(said.get("input_size"), 3) or (3, usual.height, usual.width)
    del channels
    names = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
    crop = said.get("crop_pct")
    return replace(
        usual,
        width=int(width),
        height=int(height),
        mean=_numbers(said.get("mean"), 3) or IMAGENET[0],
        std=_numbers(said.get("std"), 3) or IMAGENET[1],
        crop=None if said.get("crop_mode") == "squash" else float(crop if isinstance(crop, int | float) else 0.875),
        pad=None,
        resample=names.get(str(said.get("interpolation")), Image.Resampling.BICUBIC),
    )


def _transformers(said: Mapping[str, Any], usual: Preparation) -> Preparation:
    width, height, short = _size(said.get("size"))
    if not width and short:
        width = height = short
    new = replace(usual, width=width or usual.width, height=height or usual.height, crop=None)
    crop_width, crop_height, crop_short = _size(said.get("crop_size"))
    cut = crop_width or crop_short
    if said.get("do_center_crop") and cut:
        wide = new.width
        share, stretched = min(1.0, cut / wide), not short
        new = replace(new, width=cut, height=crop_height or cut, crop=share, stretched=stretched)
    elif short:
        # the shorter side is fitted and nothing is said of cutting: the shape is kept by cutting all the same
        new = replace(new, crop=1.0)
    value = said.get("pad_value", 114)
    fill = int(value) if isinstance(value, int | float) and 0 <= value <= 255 else 114
    new = replace(new, pad=fill if said.get("do_pad") else None, corner=said.get("pad_position") == "corner")
    factor = said.get("rescale_factor", 1 / 255)
    whole = said.get("do_rescale") is False or not isinstance(factor, int | float)
    # MobileViT's files name a mean that it does not use
    unused = "MobileViT" in str(said.get("image_processor_type"))
    plain = said.get("do_normalize", False if unused else None) is False
    return replace(
        new,
        factor=1.0 if whole else float(factor),
        mean=(0.0,) if plain else _numbers(said.get("image_mean"), 3) or usual.mean,
        std=(1.0,) if plain else _numbers(said.get("image_std"), 3) or usual.std,
        blue_first=bool(said.get("do_flip_channel_order", usual.blue_first)),
        resample=said["resample"] if said.get("resample") in range(6) else usual.resample,
    )


def _size(value: Any) -> tuple[int, int, int]:
    """(width, height, shortest edge), 0 for what is not said."""
    if isinstance(value, int):
        return value, value, 0
    if isinstance(value, list) and len(value) == 2:
        value = dict(zip(("height", "width"), value, strict=True))
    given = value if isinstance(value, Mapping) else {}
    found = [given.get(name) for name in ("width", "height", "shortest_edge")]
    width, height, short = (n if isinstance(n, int) and 0 < n <= 16384 else 0 for n in found)
    return width, height, short


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    good = isinstance(value, list | tuple) and len(value) == count and all(isinstance(n, int | float) for n in value)
    return tuple(float(n) for n in value) if good else None


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    return max(0.0, box[0]), max(0.0, box[1]), min(float(size[0]), box[2]), min(float(size[1]), box[3])
