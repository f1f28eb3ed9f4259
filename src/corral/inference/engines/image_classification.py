"""Image classification by transformers, several pictures at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.classes import TOGETHER, TOGETHER_ON_GPU, ranked
from corral.inference.engines.pictures import fitting, picture, reduced


class ImageClassification(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.batch = TOGETHER_ON_GPU if device().type == "cuda" else TOGETHER
        self._processor = AutoImageProcessor.from_pretrained(folder, **CODE)
        self._model = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32, **SAFE)
        self._model.eval().to(device())
        several = self._model.config.problem_type == "multi_label_classification"
        self._usual = "sigmoid" if several else "softmax"

    def run(self, job: Job) -> Any:
        [result] = self.run_many([job])
        if isinstance(result, Exception):
            raise result
        return result

    def run_many(self, jobs: Sequence[Job]) -> list[Any]:
        results: list[Any] = [None] * len(jobs)
        inputs: dict[int, torch.Tensor] = {}
        for place, job in enumerate(jobs):
            try:
                inputs[place] = self._prepared(job)
            except Refused as refused:
                results[place] = refused
        # some processors leave pictures in sizes of their own
        shapes = {values.shape for values in inputs.values()}
        for shape in shapes:
            places = [place for place, values in inputs.items() if values.shape == shape]
            with torch.inference_mode():
                logits = self._model(
                    pixel_values=torch.stack([inputs[p] for p in places]).to(self._model.device)
                ).logits
            for place, row in zip(places, logits.float().cpu().numpy(), strict=True):
                results[place] = ranked(row, jobs[place].params, self._label, self._usual)
        return results

    def _prepared(self, job: Job) -> torch.Tensor:
        if job.op != "classify":
            raise Refused(f"This model cannot do {job.op!r}: it classifies pictures.")
        image = reduced(picture(job.files[0]))
        with fitting(image):
            values: torch.Tensor = self._processor(images=image, return_tensors="pt")["pixel_values"][0]
        return values

    def _label(self, place: int) -> str:
        return str(self._model.config.id2label.get(place, f"LABEL_{place}"))
