"""The choice of the next token for one caller, from the model's scores, by transformers' own rules."""

from __future__ import annotations

from typing import Any

import torch
from llguidance import LLMatcher
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from corral.inference.engines.base import Refused

#: parameter -> what applies it, in the order in which transformers does; with a value that changes nothing
_WARPERS = (
    ("temperature", TemperatureLogitsWarper, 1.0),
    ("top_k", TopKLogitsWarper, 0),
    ("top_p", TopPLogitsWarper, 1.0),
    ("min_p", MinPLogitsWarper, 0.0),
    ("typical_p", TypicalLogitsWarper, 1.0),
)
#: what is not asked for is taken from the model's own generation_config.json
PARAMETERS = (*(name for name, _, _ in _WARPERS), "repetition_penalty")


class Sampler:
    """`defaults` are the model's own for `PARAMETERS`. `matcher` keeps to a grammar."""

    def __init__(
        self, params: dict[str, Any], defaults: dict[str, Any], prompt: torch.Tensor, matcher: LLMatcher | None
    ) -> None:
        asked = {name: params[name] for name in PARAMETERS if params.get(name) is not None}
        chosen = {name: value for name, value in defaults.items() if value is not None} | asked
        sample = params.get("do_sample")
        if sample is None:
            warped = any(name in asked for name, _, _ in _WARPERS)
            sample = warped or bool(params.get("sample_by_default") and defaults)
        self._sample = bool(sample) and chosen.get("temperature") != 0
        rules: list[Any] = []
        if (penalty := chosen.get("repetition_penalty")) and penalty != 1.0:
            rules.append(RepetitionPenaltyLogitsProcessor(float(penalty)))
        if self._sample:
            wanted = [(kind, chosen[name]) for name, kind, idle in _WARPERS if chosen.get(name, idle) != idle]
            rules += [kind(value if isinstance(value, int) else float(value)) for kind, value in wanted]
        self._rules = LogitsProcessorList(rules)
        self._frequency = params.get("frequency_penalty") or 0.0
        self._presence = params.get("presence_penalty") or 0.0
        self._tops: int | None = params.get("tops")
        self._matcher = matcher
        self._ids, self._start = prompt, prompt.shape[1]
        self._generator: torch.Generator | None = None
        if params.get("seed") is not None:
            self._generator = torch.Generator(prompt.device).manual_seed(params["seed"] % 2**63)

    @property
    def plain(self) -> bool:
        """Whether it is the likeliest token, and nothing else is asked for."""
        other = self._frequency or self._presence or self._matcher is not None or self._tops is not None
        return not (self._sample or other or self._rules)

    def choose(self, scores: torch.Tensor) -> tuple[int, dict[str, Any]]:
        """The next token, and what was asked to be known of it, from the model's scores of shape (vocabulary)."""
        scores = scores.float().reshape(1, -1)
        if self._frequency or self._presence:
            written = self._ids[:, self._start :]
            counts = torch.zeros_like(scores).scatter_add_(1, written, torch.ones_like(written, dtype=scores.dtype))
            scores = scores - self._frequency * counts - self._presence * (counts > 0)
        raw = scores
        if self._matcher is not None:
            scores = scores.masked_fill(~_allowed(self._matcher, scores.shape[1], scores.device), float("-inf"))
        scores = self._rules(self._ids, scores)
        if self._sample:
            token = int(torch.multinomial(scores.softmax(-1), 1, generator=self._generator))
        else:
            token = int(scores.argmax(-1))
        self.take(token)
        return token, {} if self._tops is None else self._chance(raw, token)

    def take(self, token: int) -> None:
        """The token that was chosen, by `choose` or for a `plain` one."""
        if self._rules or self._frequency or self._presence:
            self._ids = torch.cat([self._ids, torch.tensor([[token]], device=self._ids.device)], 1)
        if self._matcher is not None:
            self._matcher.consume_token(token)

    @property
    def over(self) -> bool:
        """Whether the grammar lets nothing follow."""
        return self._matcher is not None and self._matcher.is_stopped()

    def _chance(self, scores: torch.Tensor, token: int) -> dict[str, Any]:
        logs = scores[0].log_softmax(-1)
        # JSON has no number for what cannot be
        found: dict[str, Any] = {"logprob": max(float(logs[token]), -9999.0), "top": []}
        if self._tops:
            best = logs.topk(min(self._tops, len(logs)))
            found["top"] = [
                {"id": int(i), "logprob": max(float(v), -9999.0)}
                for v, i in zip(best.values, best.indices, strict=True)
            ]
        return found


def _allowed(matcher: LLMatcher, size: int, where: torch.device) -> torch.Tensor:
    known = torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8).bool()
    if matcher.is_error() or not bool(known.any()):
        raise Refused("What the text must follow is too much to keep in mind: make the schema simpler.")
    allowed = torch.zeros(size, dtype=torch.bool)
    # models have scores for a few tokens more than there are
    allowed[: len(known)] = known[:size]
    return allowed.to(where)
