"""Words that are missing in texts, by transformers' own pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForMaskedLM, FillMaskPipeline

from corral.inference.engines.base import Engine, Job, Refused, device
from corral.inference.engines.texts import Texts

#: how people write a mask who do not know the model's own
_MASKS = ("[MASK]", "<mask>")
_MOST_MASKS = 50


class FillMask(Engine):
    """One text at a time: the answer for each of its tokens is as long as the vocabulary."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._texts = Texts(folder, AutoModelForMaskedLM)
        self._mask = self._texts.tokenizer.mask_token
        if self._mask is None:
            raise Refused("This model's tokenizer has no mask.", 501)
        self._pipe = FillMaskPipeline(model=self._texts.model, tokenizer=self._texts.tokenizer, device=device())

    def run(self, job: Job) -> Any:
        if job.op != "fill":
            raise Refused(f"This model cannot do {job.op!r}: it fills in missing words.")
        texts = [self._masked(text) for text in job.params["texts"]]
        filled = []
        for text in texts:
            filled.append(self._fill(text, job))
            job.progress(len(filled), len(texts), None)
        return filled

    def _masked(self, text: str) -> str:
        if self._mask not in text:
            for other in _MASKS:
                text = text.replace(other, self._mask)
        count = text.count(self._mask)
        if not count:
            raise Refused(f"The text needs {self._mask} where a word is missing.")
        if count > _MOST_MASKS:
            raise Refused(f"The text has {count} masks, and {_MOST_MASKS} are the most.")
        ids = self._texts.rows([text], truncation=True)[0]["input_ids"]
        if self._texts.tokenizer.mask_token_id not in ids:
            raise Refused(f"The mask is not among the {self._texts.longest} tokens that this model reads: shorten it.")
        return text

    def _fill(self, text: str, job: Job) -> Any:
        if job.cancelled.is_set():
            raise Refused("The caller went away.", 499)
        options: dict[str, Any] = {"top_k": min(job.params.get("top_k") or 5, len(self._texts.tokenizer))}
        if job.params.get("targets"):
            options["targets"] = job.params["targets"]
        cut = {"truncation": True, "max_length": self._texts.longest}
        return self._pipe(text, tokenizer_kwargs=cut, **options)
