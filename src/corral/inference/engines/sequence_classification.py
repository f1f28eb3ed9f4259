"""One verdict on a text or a pair of texts, by transformers: kinds of text, labels of one's own, order for a query.

The scores are those of transformers' own pipelines, of sentence-transformers' `CrossEncoder` and of
text-embeddings-inference's `/rerank`. Unlike a pipeline it reads the pairs of all jobs together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from corral.inference.engines.base import Job, Refused
from corral.inference.engines.texts import Part, Row, TextEngine, Texts


class SequenceClassification(TextEngine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.texts = Texts(folder, AutoModelForSequenceClassification)
        config = self.texts.model.config
        self._labels = [str(config.id2label.get(i, f"LABEL_{i}")) for i in range(config.num_labels)]
        self._problem = config.problem_type

    def read(self, job: Job) -> list[Part]:
        return [Part(row) for row in self._rows(job.op, job.params)]

    def keep(self, op: str, output: Any, mask: torch.Tensor) -> Iterable[torch.Tensor]:
        logits: Iterable[torch.Tensor] = output.logits
        return logits

    def _rows(self, op: str, params: dict[str, Any]) -> list[Row]:
        """The tokens of each text, or each pair, that the job is about."""
        self.texts.tokenizer.truncation_side = params.get("truncation_direction") or "right"
        match op:
            case "classify":
                return self.texts.rows(params["texts"], params.get("pairs"), truncation=True)
            case "choose":
                self._entailment()
                claims = [params["template"].replace("{}", label) for label in params["labels"]]
                firsts = [text for text in params["texts"] for _ in claims]
                return self.texts.rows(firsts, claims * len(params["texts"]), truncation="only_first")
            case "rank":
                return self._pairs(params)
        raise Refused(f"This model cannot do {op!r}: it classifies texts.")

    def _pairs(self, params: dict[str, Any]) -> list[Row]:
        if len(self._labels) > 2:
            raise Refused("This model tells kinds of texts, more than two of them: it cannot put texts in order.")
        texts = params["texts"]
        rows = self.texts.rows([params["query"]] * len(texts), texts, truncation=params.get("truncate") is not False)
        if any(len(row["input_ids"]) > self.texts.longest for row in rows):
            raise Refused(
                f"A text and the query are longer than this model's {self.texts.longest} tokens: shorten them, or "
                "allow truncation."
            )
        return rows

    def answer(self, job: Job, parts: list[Part], kept: list[torch.Tensor]) -> Any:
        params, logits = job.params, torch.stack(kept)
        match job.op:
            case "classify":
                scores = self._scores(logits, params.get("function_to_apply"))
                return [_best(self._labels, row, params.get("top_k")) for row in scores]
            case "choose":
                scores = self._chosen(logits, len(params["labels"]), params["multi_label"])
                return [_best(params["labels"], row, None) for row in scores]
        # of two labels the second is "relevant"
        last = logits[:, -1]
        if not params["raw_scores"]:
            last = last.sigmoid() if logits.shape[1] == 1 else logits.softmax(-1)[:, -1]
        order = last.argsort(descending=True, stable=True).tolist()
        return [{"index": i, "score": float(last[i])} for i in order]

    def _scores(self, logits: torch.Tensor, function: str | None) -> torch.Tensor:
        """(texts, labels) of scores, by what the model was trained for where the caller does not say."""
        if function is None and self._problem != "regression":
            several = self._problem == "multi_label_classification" or logits.shape[1] == 1
            function = "sigmoid" if several else "softmax"
        match function:
            case "sigmoid":
                return logits.sigmoid()
            case "softmax":
                return logits.softmax(-1)
        return logits

    def _entailment(self) -> int:
        """The label that says that the second text follows from the first."""
        for i, label in enumerate(self._labels):
            if label.lower().startswith("entail"):
                return i
        raise Refused(
            "This model cannot choose among labels of one's own: none of its own labels says 'entailment', as those of "
            "models for natural language inference do."
        )

    def _chosen(self, logits: torch.Tensor, labels: int, each: bool) -> torch.Tensor:
        """(texts, labels) of scores, from the logits of all pairs."""
        yes = self._entailment()
        pairs = logits.view(-1, labels, logits.shape[1])
        if not each and labels > 1:
            return pairs[..., yes].softmax(-1)
        # as transformers has it: the contradiction is the first label, or the last where that is the entailment
        no = -1 if yes == 0 else 0
        return pairs[..., [no, yes]].softmax(-1)[..., 1]


def _best(labels: Sequence[str], scores: torch.Tensor, top: int | None) -> list[dict[str, Any]]:
    order = scores.argsort(descending=True, stable=True)[:top].tolist()
    return [{"label": labels[i], "score": float(scores[i])} for i in order]
