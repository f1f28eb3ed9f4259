"""Zero-shot image classification by transformers: CLIP, SigLIP and what is made like them.

As transformers' pipeline does it, which cannot be told to cut labels that are too long for the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoModelForZeroShotImageClassification, AutoTokenizer

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.pictures import fitting, picture, reduced


class ZeroShotImageClassification(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._processor = AutoImageProcessor.from_pretrained(folder, **CODE)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, **CODE)
        self._model = AutoModelForZeroShotImageClassification.from_pretrained(folder, dtype=torch.float32, **SAFE)
        self._model.eval().to(device())
        text = getattr(self._model.config, "text_config", None)
        self._longest = getattr(text, "max_position_embeddings", None) or 77
        self._sigmoid = "siglip" in self._model.config.model_type

    def run(self, job: Job) -> Any:
        if job.op != "match":
            raise Refused(f"This model cannot do {job.op!r}: it says which of some labels fits a picture.")
        labels: list[str] = job.params["labels"]
        template: str = job.params.get("template") or "This is a photo of {}."
        image = reduced(picture(job.files[0]))
        # filled in by hand: read as Python's format, a template could ask for gigabytes of spaces
        words = self._tokenizer(
            [template.replace("{}", label) for label in labels],
            # SigLIP has learnt from texts that are all padded to the full length
            padding="max_length" if self._sigmoid else True,
            max_length=self._longest,
            truncation=True,
            return_tensors="pt",
        )
        with torch.inference_mode(), fitting(image):
            inputs = self._processor(images=[image], return_tensors="pt")
            logits = self._model(**words.to(self._model.device), **inputs.to(self._model.device)).logits_per_image[0]
        scores = logits.float().sigmoid() if self._sigmoid else logits.float().softmax(-1)
        pairs = zip(labels, scores.tolist(), strict=True)
        return [{"label": label, "score": score} for label, score in sorted(pairs, key=lambda pair: -pair[1])]
