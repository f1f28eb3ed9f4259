"""What OpenAI's chat completions and completions look like, whole and in pieces, from what engines give.

Shapes: OpenAI's API reference; `reasoning` is text-generation-inference's name for a model's thoughts,
`reasoning_content` that of others.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from corral import __version__

_FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length", "tool_calls": "tool_calls"}


class Completion:
    """Shapes of one answer of /v1/completions. `tops` is how many of the likeliest tokens are told; None: no
    probabilities. `prompts` are told before the text where they are to be echoed, one for each choice."""

    prefix, whole_kind, piece_kind = "cmpl", "text_completion", "text_completion"

    def __init__(self, model: str, tops: int | None, prompts: Sequence[str] = ()) -> None:
        self.tops = tops
        self._prompts = prompts
        self._head = {
            "id": f"{self.prefix}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": f"corral-{__version__}",
        }

    def whole(self, results: Sequence[dict[str, Any]], each: int = 1) -> dict[str, Any]:
        """`each` results belong to one prompt, whose tokens count once."""
        choices = [
            self._choice(number, result, result["tokens"]) | {"finish_reason": _FINISH[result["finish_reason"]]}
            for number, result in enumerate(results)
        ]
        return self._head | {"object": self.whole_kind, "choices": choices, "usage": usage(results, each)}

    def begun(self, number: int) -> list[dict[str, Any]]:
        """Pieces before the first token."""
        if not self._prompts:
            return []
        choice = {"index": number, "text": self._prompts[number], "logprobs": None, "finish_reason": None}
        return [self._head | {"object": self.piece_kind, "choices": [choice]}]

    def piece(self, number: int, token: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where a token has nothing to show."""
        tokens = [] if token.get("rest") else [token]
        if not (token["text"] or token.get("reasoning") or token.get("calls") or (tokens and self.tops is not None)):
            return None
        choice = self._delta(number, token, tokens) | {"finish_reason": None}
        return self._head | {"object": self.piece_kind, "choices": [choice]}

    def ended(self, number: int, result: Mapping[str, Any]) -> dict[str, Any]:
        choice = self._delta(number, {"text": ""}, []) | {"finish_reason": _FINISH[result["finish_reason"]]}
        return self._head | {"object": self.piece_kind, "choices": [choice]}

    def counted(self, results: Sequence[dict[str, Any]], each: int = 1) -> dict[str, Any]:
        return self._head | {"object": self.piece_kind, "choices": [], "usage": usage(results, each)}

    def _choice(self, number: int, result: Mapping[str, Any], tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        before = self._prompts[number] if self._prompts else ""
        return {"index": number, "text": before + result["text"], "logprobs": self._logprobs(tokens)}

    def _delta(self, number: int, token: Mapping[str, Any], tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"index": number, "text": token["text"], "logprobs": self._logprobs(tokens)}

    def _logprobs(self, tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        if self.tops is None or not tokens:
            return None
        texts = [t.get("token", t["text"]) for t in tokens]
        likely = [{one["token"]: one["logprob"] for one in t.get("top", ())} for t in tokens]
        return {
            "tokens": texts,
            "token_logprobs": [t["logprob"] for t in tokens],
            "top_logprobs": likely if self.tops else None,
            "text_offset": [sum(map(len, texts[:i])) for i in range(len(texts))],
        }


class Chat(Completion):
    """Shapes of one answer of /v1/chat/completions."""

    prefix, whole_kind, piece_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def _choice(self, number: int, result: Mapping[str, Any], tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": result["text"]} | _thoughts(result)
        if result.get("calls"):
            message["tool_calls"] = [_call(one) for one in result["calls"]]
            message["content"] = result["text"] or None
        return {"index": number, "message": message, "logprobs": self._logprobs(tokens)}

    def _delta(self, number: int, token: Mapping[str, Any], tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        delta: dict[str, Any] = {"role": "assistant", "content": token["text"]} | _thoughts(token)
        if token.get("calls"):
            delta["tool_calls"] = [{"index": one["index"]} | _call(one) for one in token["calls"]]
        return {"index": number, "delta": delta, "logprobs": self._logprobs(tokens)}

    def _logprobs(self, tokens: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        if self.tops is None or not tokens:
            return None
        told = [
            _chance(t.get("token", t["text"]), t["logprob"])
            | {"top_logprobs": [_chance(one["token"], one["logprob"]) for one in t.get("top", ())]}
            for t in tokens
        ]
        return {"content": told, "refusal": None}


def _thoughts(given: Mapping[str, Any]) -> dict[str, Any]:
    thoughts = given.get("reasoning")
    return {"reasoning": thoughts, "reasoning_content": thoughts} if thoughts else {}


def _call(given: Mapping[str, Any]) -> dict[str, Any]:
    if "id" not in given:
        # more of a call that has begun
        return {"function": {"arguments": given["arguments"]}}
    function = {"name": given["name"], "arguments": given["arguments"]}
    return {"id": given["id"], "type": "function", "function": function}


def _chance(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def usage(results: Sequence[Mapping[str, Any]], each: int = 1) -> dict[str, int]:
    read = sum(result["input_length"] for result in results[::each])
    written = sum(result["output_length"] for result in results)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
