"""Tokens that become text as they come: pieces to show, stop sequences, the end."""

from __future__ import annotations

import time
from typing import Any

from corral.inference.engines.base import Job
from corral.inference.engines.responses import Reader, joined

#: seconds between two signs of life of an answer that is not streamed
_BEAT = 2.0


class Writer:
    """One answer. Emits one event a token when the job is streamed, and signs of life when not.

    An event's text may be empty: while a character is not whole, or while the text may still become a stop sequence
    that is not to be shown. `reason` is set when the answer is complete: `eos_token` or `stop_sequence`.
    """

    def __init__(self, tokenizer: Any, job: Job, ends: frozenset[int], most: int, reader: Reader | None = None) -> None:
        self._tokenizer, self._job, self._ends, self._most, self._reader = tokenizer, job, ends, most, reader
        self._stops: list[str] = job.params.get("stop") or []
        self._show_stop: bool = job.params.get("include_stop", False)
        self._stream: bool = job.params.get("stream", False)
        # whoever reads calls needs the tokens that enclose them
        self._special = frozenset() if reader else frozenset(tokenizer.all_special_ids)
        self._ids: list[int] = []
        self._context = 0
        self._read_to = 0
        self._shown = 0
        self._beat = time.monotonic()
        self.tokens: list[dict[str, Any]] = []
        self.text = ""
        self.reason = ""

    def add(self, token: int, chance: dict[str, Any]) -> None:
        """`chance` is what is known of the token: `logprob`, and `top` if asked for."""
        special = token in self._special or token in self._ends
        if token in self._ends:
            self.reason = "eos_token"
        elif not special:
            self._ids.append(token)
            self._read()
        hidden = 0 if self.reason else self._held()
        piece = self.text[self._shown : len(self.text) - hidden]
        self._shown += len(piece)
        parts = self._reader.add(piece) if self._reader else {"text": piece}
        self._tell({"id": token, "logprob": 0.0, "special": special} | chance | parts)

    def following(self, token: int) -> str:
        """The text that `token` would add now."""
        known = self._ids[self._context :]
        return str(self._tokenizer.decode([*known, token])[len(self._tokenizer.decode(known)) :])

    def end(self, reason: str) -> dict[str, Any]:
        """The whole answer, when no token is to come: what was held back is part of it after all."""
        piece = self.text[self._shown :]
        parts = {"text": piece}
        if self._reader:
            parts = joined(self._reader.add(piece), self._reader.end())
        if self.tokens and any(parts.values()):
            self.tokens[-1]["text"] += parts["text"]
            if self._stream:
                self._job.emit({"id": self.tokens[-1]["id"], "logprob": 0.0, "special": False, "rest": True} | parts)
        read = self._reader
        return {
            "text": read.text if read else self.text,
            "reasoning": read.reasoning if read else "",
            "calls": read.calls if read else [],
            "tokens": self.tokens,
            "output_length": len(self.tokens),
            "finish_reason": "tool_calls" if read and read.calls else self.reason or reason,
        }

    def _tell(self, event: dict[str, Any]) -> None:
        self.tokens.append(event)
        if self._stream:
            self._job.emit(event)
        elif time.monotonic() - self._beat > _BEAT:
            self._beat = time.monotonic()
            self._job.progress(len(self.tokens), self._most, None)

    def _read(self) -> None:
        # A token's text depends on its neighbours (spaces, bytes of one character), so each is decoded after a few of
        # the tokens before it, as text-generation-inference does (`Model.decode_token`).
        before = self._tokenizer.decode(
            self._ids[self._context : self._read_to], skip_special_tokens=self._reader is None
        )
        now = self._tokenizer.decode(self._ids[self._context :], skip_special_tokens=self._reader is None)
        if len(now) <= len(before) or now.endswith("\ufffd"):
            # a character of which more bytes are to come
            return
        self.text += now[len(before) :]
        self._context, self._read_to = self._read_to, len(self._ids)
        for stop in self._stops:
            at = self.text.find(stop, max(0, self._shown - len(stop)))
            if at >= 0:
                self.text = self.text[: at + len(stop) if self._show_stop else at]
                self.reason = "stop_sequence"

    def _held(self) -> int:
        """How much of the text's end could be the beginning of a stop sequence."""
        if self._show_stop:
            return 0
        return max((n for stop in self._stops for n in range(1, len(stop)) if self.text.endswith(stop[:n])), default=0)
