"""Names and other things in texts by transformers: its pipeline reads and puts together, the texts go in batches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForTokenClassification, TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

from corral.inference.engines.base import Job, Refused, device
from corral.inference.engines.texts import Part, TextEngine, Texts


class TokenClassification(TextEngine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.texts = Texts(folder, AutoModelForTokenClassification)
        # the pipeline cuts texts by it
        self.texts.tokenizer.model_max_length = self.texts.longest
        self._pipe = TokenClassificationPipeline(
            model=self.texts.model, tokenizer=self.texts.tokenizer, device=device()
        )

    def read(self, job: Job) -> list[Part]:
        """Of a long text several parts, which overlap; each knows whether it is the last one of its text."""
        if job.op != "entities":
            raise Refused(f"This model cannot do {job.op!r}: it finds things in texts.")
        longest, tokenizer, params = self.texts.longest, self.texts.tokenizer, job.params
        stride = params.get("stride")
        if stride is not None and stride >= longest // 2:
            raise Refused(f"'stride' must be less than half of this model's {longest} tokens.")
        if not tokenizer.is_fast and params["strategy"] not in ("none", "simple"):
            raise Refused("This model's tokenizer knows no words: use the 'aggregation_strategy' simple.")
        options: dict[str, Any] = {}
        if tokenizer.is_fast and params["strategy"] != "none":
            step = longest // 8 if stride is None else stride
            options = {"return_overflowing_tokens": True, "padding": True, "stride": step}
        parts = []
        for text in params["texts"]:
            for read in self._pipe.preprocess(text, is_split_into_words=False, tokenizer_params=dict(options)):
                parts.append(Part({n: read[n][0].tolist() for n in tokenizer.model_input_names if n in read}, read))
        return parts

    def keep(self, op: str, output: Any, mask: torch.Tensor) -> Iterable[torch.Tensor]:
        # the padding is that of the batch and, of a long text, that of its last part
        return [one[:length] for one, length in zip(output.logits.float().cpu(), mask.sum(1).tolist(), strict=True)]

    def answer(self, job: Job, parts: list[Part], kept: list[torch.Tensor]) -> Any:
        answers, text = [], []
        for part, logits in zip(parts, kept, strict=True):
            text.append(part.about | {"logits": logits[None]})
            if part.about["is_last"]:
                answers.append(self._together(text, job.params))
                text = []
        return answers

    def _together(self, parts: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._pipe.postprocess(parts, AggregationStrategy(params["strategy"]), params.get("ignore_labels"))
        return [{name: _plain(value) for name, value in one.items()} for one in found]


def _plain(value: Any) -> Any:
    """Without numpy's and torch's own kinds of numbers."""
    return value.item() if hasattr(value, "item") else value
