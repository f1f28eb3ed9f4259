"""Where a text answers a question, by transformers: a long text is read in parts that overlap.

The parameters and scores are those of the pipeline that transformers had until version 5, except that the parts of a
long text are weighed against each other instead of each by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForQuestionAnswering

from corral.inference.engines.base import Job, Refused
from corral.inference.engines.texts import Part, TextEngine, Texts

#: of each part this many best places to start and to end are looked at
_LOOKED_AT = 100

#: of a token: its place in the context, None for what is beside it
Span = tuple[int, int] | None


class QuestionAnswering(TextEngine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.texts = Texts(folder, AutoModelForQuestionAnswering)
        if not self.texts.tokenizer.is_fast:
            raise Refused("This model's tokenizer does not say where its tokens are in the text.", 501)

    def read(self, job: Job) -> list[Part]:
        """The parts of the context, each after the question; `about` are the spans of its tokens."""
        if job.op != "answer":
            raise Refused(f"This model cannot do {job.op!r}: it answers questions about texts.")
        params, tokenizer = job.params, self.texts.tokenizer
        question = params["question"]
        if most := params.get("max_question_len"):
            cut = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"][:most]
            question = question[: cut[-1][1]] if cut else question
        length = min(params.get("max_seq_len") or 384, self.texts.longest)
        taken = len(tokenizer(question, "")["input_ids"])
        stride = min(params.get("doc_stride") or 128, length // 2)
        if length - taken <= stride:
            stride = max(0, (length - taken) // 2)
        if length - taken < 1:
            raise Refused(f"The question takes all of the {length} tokens that are read at once: shorten it.")
        read = tokenizer(
            question,
            params["context"],
            truncation="only_second",
            max_length=length,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        parts = []
        for i, offsets in enumerate(read["offset_mapping"]):
            row = {name: read[name][i] for name in tokenizer.model_input_names if name in read}
            within = read.sequence_ids(i)
            spans = [tuple(span) if within[t] == 1 else None for t, span in enumerate(offsets)]
            if params.get("align_to_words") is not False:
                spans = [self._word(read, i, t, span) for t, span in enumerate(spans)]
            parts.append(Part(row, spans))
        if not any(span for part in parts for span in part.about):
            raise Refused("The context is empty for this model, which knows none of its characters.")
        return parts

    def keep(self, op: str, output: Any, mask: torch.Tensor) -> Iterable[torch.Tensor]:
        # (2, tokens) for each part
        both = torch.stack([output.start_logits, output.end_logits], 1).float().cpu()
        return [logits[:, kept] for logits, kept in zip(both, mask.cpu(), strict=True)]

    def answer(self, job: Job, parts: list[Part], kept: list[torch.Tensor]) -> Any:
        return _answers(job.params, [part.about for part in parts], kept)

    def _word(self, read: Any, part: int, token: int, span: Span) -> Span:
        """The whole word that a token is of, as far as the tokenizer knows words."""
        word = read.token_to_word(part, token) if span else None
        if word is None:
            return span
        chars = read.word_to_chars(part, word, sequence_index=1)
        return (chars.start, chars.end)


def _answers(params: dict[str, Any], parts: list[list[Span]], logits: list[torch.Tensor]) -> list[dict[str, Any]]:
    """The best answers. A score is the probability of its start times that of its end, among all of the text."""
    context, impossible = params["context"], bool(params.get("handle_impossible_answer"))
    shares = _shares(parts, logits, impossible)
    found: dict[tuple[int, int], float] = {}
    for part, (starts, ends) in zip(parts, shares, strict=True):
        for start in starts.topk(min(_LOOKED_AT, len(starts))).indices.tolist():
            last = start + (params.get("max_answer_len") or 15)
            window = ends[start:last]
            for end in (window.topk(min(_LOOKED_AT, len(window))).indices + start).tolist():
                first, final = part[start], part[end]
                if first is not None and final is not None:
                    place = _trimmed(context, first[0], final[1])
                    found[place] = max(found.get(place, 0.0), float(starts[start] * ends[end]))
    if impossible:
        # the first token stands for "there is no answer"
        found[0, 0] = min(float(starts[0] * ends[0]) for starts, ends in shares)
    best = sorted(found.items(), key=lambda one: -one[1])[: params.get("top_k") or 1]
    return [{"score": score, "start": a, "end": b, "answer": context[a:b]} for (a, b), score in best]


def _trimmed(context: str, start: int, end: int) -> tuple[int, int]:
    """Without the spaces that some tokenizers count to the words."""
    text = context[start:end]
    return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def _shares(parts: list[list[Span]], logits: list[torch.Tensor], impossible: bool) -> list[torch.Tensor]:
    """(2, tokens) of probabilities for each part, over the tokens of the text: those of several parts count once."""
    best: dict[Span, torch.Tensor] = {}
    masked = []
    for part, both in zip(parts, logits, strict=True):
        allowed = torch.tensor([span is not None for span in part])
        allowed[0] |= impossible
        masked.append(both.masked_fill(~allowed, float("-inf")))
        for token in allowed.nonzero()[:, 0].tolist():
            span = part[token]
            best[span] = both[:, token] if span not in best else torch.maximum(best[span], both[:, token])
    whole = torch.stack(list(best.values()), 1).logsumexp(1, keepdim=True)
    return [(both - whole).exp() for both in masked]
