"""Image classification by transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from corral.inference.engines.base import SAFE, Engine, Job, Refused, device
from corral.inference.engines.pictures import picture


class ImageClassification(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        self._model = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32, **SAFE)
        self._model.eval().to(device())

    def run(self, job: Job) -> Any:
        if job.op != "classify":
            raise Refused(f"This model cannot do {job.op!r}: it classifies pictures.")
        params = job.params
        inputs = self._processor(images=picture(job.files[0]), return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            logits = self._model(**inputs).logits[0].float()
        several = self._model.config.problem_type == "multi_label_classification"
        match params.get("function_to_apply") or ("sigmoid" if several else "softmax"):
            case "softmax":
                scores = logits.softmax(-1)
            case "sigmoid":
                scores = logits.sigmoid()
            case _:
                scores = logits
        best = scores.topk(min(params.get("top_k") or 5, len(scores)))
        names = self._model.config.id2label
        return [
            {"label": str(names.get(int(i), f"LABEL_{int(i)}")), "score": float(score)}
            for score, i in zip(best.values, best.indices, strict=True)
        ]
