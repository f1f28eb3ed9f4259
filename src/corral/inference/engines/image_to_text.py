"""Captions, and text that is read off pictures, by transformers: BLIP, GIT, TrOCR and other encoder-decoder models."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    StoppingCriteria,
    StoppingCriteriaList,
)

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.pictures import fitting, picture, reduced


class ImageToText(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._processor = AutoImageProcessor.from_pretrained(folder, **CODE)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, **CODE)
        self._model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, **SAFE)
        self._model.eval().to(device())
        words = self._model.config.get_text_config(decoder=True)
        # one place is for the token that it starts with
        self._longest = (getattr(words, "max_position_embeddings", None) or 512) - 1

    def run(self, job: Job) -> Any:
        if job.op != "caption":
            raise Refused(f"This model cannot do {job.op!r}: it puts pictures into words.")
        params = {name: value for name, value in job.params.items() if value is not None}
        if (seed := params.pop("seed", None)) is not None:
            torch.manual_seed(seed)
        if params.get("temperature") == 0:
            params |= {"do_sample": False, "temperature": 1.0}
        params["max_new_tokens"] = min(params.get("max_new_tokens", 50), self._longest)
        image = reduced(picture(job.files[0]))
        with torch.inference_mode(), fitting(image):
            inputs = self._processor(images=image, return_tensors="pt").to(self._model.device)
            ids = self._model.generate(
                **inputs,
                **params,
                stopping_criteria=StoppingCriteriaList([_Cancelled(job.cancelled)]),
            )
        return {"text": self._tokenizer.decode(ids[0], skip_special_tokens=True).strip()}


class _Cancelled(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, cancelled: threading.Event) -> None:
        self._cancelled = cancelled

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._cancelled.is_set(), device=input_ids.device)
