"""Answers from tables, by transformers' own pipeline (TAPAS)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForTableQuestionAnswering, AutoTokenizer, TableQuestionAnsweringPipeline

from corral.inference.engines.base import SAFE, Engine, Job, Refused, device


class TableQuestionAnswering(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        model = AutoModelForTableQuestionAnswering.from_pretrained(folder, dtype=torch.float32, **SAFE)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
        self._pipe = TableQuestionAnsweringPipeline(model=model.eval(), tokenizer=tokenizer, device=device())

    def run(self, job: Job) -> Any:
        if job.op != "look-up":
            raise Refused(f"This model cannot do {job.op!r}: it answers questions about tables.")
        params = job.params
        tokenizer = self._pipe.tokenizer
        if 2 * len(tokenizer.tokenize(params["query"])) > tokenizer.model_max_length:
            raise Refused("The question takes most of what this model reads at once: shorten it.")
        options = {"sequential": params["sequential"]} if params["sequential"] is not None else {}
        with torch.inference_mode():
            # of a long table as many rows as fit
            found = self._pipe(table=params["table"], query=params["query"], **options)
        if "coordinates" not in found:
            return found
        # tuples of numpy's numbers
        return found | {"coordinates": [[int(place) for place in one] for one in found["coordinates"]]}
