"""Object detection, image segmentation and depth estimation by transformers' pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForDepthEstimation,
    AutoModelForImageSegmentation,
    AutoModelForObjectDetection,
    AutoModelForSemanticSegmentation,
    AutoModelForUniversalSegmentation,
    AutoTokenizer,
    DepthEstimationPipeline,
    ImageSegmentationPipeline,
    ObjectDetectionPipeline,
)

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.pictures import base64_png, fitting, picture
from corral.inference.engines.timm_loading import lend_timm_to_transformers

#: pictures are made this small (pixels) before they are cut to segments: a model may have a hundred maps of that size
_SEGMENTED = 600_000
#: rows and columns of a depth map that is told in numbers
_DEPTHS = 512


class _Pipeline(Engine):
    """`pipeline` is built from an automatic model class and what goes with it."""

    op: ClassVar[str]
    does: ClassVar[str]
    pipeline: ClassVar[Any]
    models: ClassVar[tuple[Any, ...]]

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = AutoConfig.from_pretrained(folder, **CODE, local_files_only=True)
        if getattr(getattr(config, "backbone_config", None), "model_type", "") == "timm_backbone":
            lend_timm_to_transformers()
            # the backbone's weights lie with the others
            config.backbone_config.use_pretrained_backbone = False
        chosen = next((kind for kind in self.models if type(config) in kind._model_mapping), self.models[0])
        self.config = config
        self.model = chosen.from_pretrained(folder, config=config, dtype=torch.float32, **SAFE).eval()
        self.pipe = self.pipeline(model=self.model, device=device(), **self.parts(folder))

    def parts(self, folder: Path) -> dict[str, Any]:
        return {"image_processor": AutoImageProcessor.from_pretrained(folder, **CODE)}

    def run(self, job: Job) -> Any:
        if job.op != self.op:
            raise Refused(f"This model cannot do {job.op!r}: it {self.does}.")
        given = {name: value for name, value in job.params.items() if value is not None}
        image = picture(job.files[0])
        with torch.inference_mode(), fitting(image):
            return self.answer(image, given)

    def answer(self, image: Image.Image, params: dict[str, Any]) -> Any:
        raise NotImplementedError


class ObjectDetection(_Pipeline):
    op, does = "detect", "finds things in pictures"
    pipeline, models = ObjectDetectionPipeline, (AutoModelForObjectDetection,)

    def answer(self, image: Image.Image, params: dict[str, Any]) -> Any:
        found = self.pipe(image, **params)
        return sorted(found, key=lambda one: -one["score"])


class ImageSegmentation(_Pipeline):
    op, does = "segment", "cuts pictures to segments"
    pipeline = ImageSegmentationPipeline
    models = (AutoModelForUniversalSegmentation, AutoModelForSemanticSegmentation, AutoModelForImageSegmentation)

    def parts(self, folder: Path) -> dict[str, Any]:
        # OneFormer is told in words which kind of segments to make
        told = self.config.model_type == "oneformer"
        tokenizer = {"tokenizer": AutoTokenizer.from_pretrained(folder, **CODE)} if told else {}
        return super().parts(folder) | tokenizer

    def answer(self, image: Image.Image, params: dict[str, Any]) -> Any:
        subtask = params.get("subtask")
        if subtask and not hasattr(self.pipe.image_processor, f"post_process_{subtask}_segmentation"):
            raise Refused(f"This model does no {subtask} segmentation: leave 'subtask' out.")
        small = image.copy()
        share = (_SEGMENTED / (image.width * image.height)) ** 0.5
        if share < 1:
            small.thumbnail((round(image.width * share), round(image.height * share)))
        found = self.pipe(small, **params)
        return [
            {"score": one["score"], "label": one["label"], "mask": base64_png(_as_large(one["mask"], image))}
            for one in found
        ]


def _as_large(mask: Image.Image, image: Image.Image) -> Image.Image:
    return mask.resize(image.size, Image.Resampling.NEAREST) if mask.size != image.size else mask


class DepthEstimation(_Pipeline):
    op, does = "depth", "estimates how far away things are"
    pipeline, models = DepthEstimationPipeline, (AutoModelForDepthEstimation,)

    def answer(self, image: Image.Image, params: dict[str, Any]) -> Any:
        found = self.pipe(image)
        depths = found["predicted_depth"].float()
        share = min(1.0, _DEPTHS / max(depths.shape[-2:]))
        size = [max(1, round(side * share)) for side in depths.shape[-2:]]
        rows = torch.nn.functional.interpolate(depths.reshape(1, 1, *depths.shape[-2:]), size, mode="area")[0, 0]
        return {"depth": base64_png(found["depth"]), "predicted_depth": _rounded(rows.cpu().numpy())}


def _rounded(rows: np.ndarray) -> list[list[float]]:
    """Five digits are more than the models know, and half as long to send."""
    return [[float(f"{value:.5g}") for value in row] for row in rows.tolist()]
