"""Audio classification by transformers: the spectrogram transformer (AST), wav2vec2, HuBERT, Whisper and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.sounds import sound

#: seconds that go through the model at once; of a longer sound, the windows' scores are averaged
WINDOW = 30


class AudioClassification(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._extractor = AutoFeatureExtractor.from_pretrained(folder, **CODE)
        self._model = AutoModelForAudioClassification.from_pretrained(folder, dtype=torch.float32, **SAFE)
        self._model.eval().to(device())
        self._rate: int = self._extractor.sampling_rate
        # models with a window of their own cut off what is beyond it
        frames = getattr(self._extractor, "max_length", 0) or 0
        own = frames // 100 if type(self._extractor).__name__ == "ASTFeatureExtractor" else WINDOW
        self._window = max(1, min(own, WINDOW)) * self._rate

    def run(self, job: Job) -> Any:
        if job.op != "classify":
            raise Refused(f"This model cannot do {job.op!r}: it classifies sounds.")
        wave = sound(job.files[0], self._rate)
        pieces = [wave[i : i + self._window] for i in range(0, len(wave), self._window)]
        if len(pieces) > 1 and len(pieces[-1]) < self._rate:
            # a rest of less than a second says nothing
            pieces.pop()
        total = torch.zeros(self._model.config.num_labels)
        for number, piece in enumerate(pieces):
            if job.cancelled.is_set():
                raise Refused("The caller went away.", 499)
            if len(pieces) > 1:
                job.progress(number, len(pieces), None)
            total += self._logits(piece)
        return self._best(total / len(pieces), job.params)

    def _logits(self, wave: np.ndarray) -> torch.Tensor:
        # the models' first layers want a tenth of a second at least
        wave = np.pad(wave, (0, max(0, self._rate // 10 - len(wave))))
        inputs = self._extractor(wave, sampling_rate=self._rate, return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            logits: torch.Tensor = self._model(**inputs).logits[0]
        return logits.float().cpu()

    def _best(self, logits: torch.Tensor, params: dict[str, Any]) -> list[dict[str, Any]]:
        config = self._model.config
        default = {"multi_label_classification": "sigmoid", "regression": "none"}.get(config.problem_type, "softmax")
        match params.get("function_to_apply") or default:
            case "softmax":
                scores = logits.softmax(-1)
            case "sigmoid":
                scores = logits.sigmoid()
            case _:
                scores = logits
        best = scores.topk(min(params.get("top_k") or 5, len(scores)))
        return [
            {"label": str(config.id2label.get(int(i), f"LABEL_{int(i)}")), "score": float(score)}
            for score, i in zip(best.values, best.indices, strict=True)
        ]
