"""Several callers' texts written by one transformer, a token of each at a time.

A caller joins when its prompt has been read (in pieces, between which the others go on) and leaves when its answer is
complete. transformers has such a scheduler as well (`generate_batch`, 5.23), which lays all texts into one row: each
token looks at every caller's columns, so that on a CPU long prompts of several callers take several times as long as
one after the other (measured), and which knows no seeds or penalties of a caller's own.
"""

from __future__ import annotations

import inspect
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from corral.inference.engines.key_values import KeyValues

#: tokens of a prompt that are read at once: while others wait for their next token, and when nobody does
_PIECE, _LARGE_PIECE = 256, 2048


class Text(Protocol):
    """What a caller is to the batch."""

    #: of shape (1, length)
    prompt: torch.Tensor
    #: whether the likeliest token is taken, and `take` is told it; else `choose` chooses
    plain: bool

    def choose(self, scores: torch.Tensor) -> int:
        """The next token, from its scores of shape (vocabulary)."""

    def take(self, token: int) -> bool:
        """The next token; whether more are wanted."""

    def reading(self, done: int, total: int) -> bool:
        """How much of the prompt has been read; whether somebody still waits."""


@dataclass(eq=False, slots=True)
class _Caller:
    text: Text
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    cache: KeyValues = field(default_factory=KeyValues)
    #: columns of it in the cache
    length: int = 0
    last: int = 0


class Batch:
    """`most` callers at a time. `write` may be called by any thread; one thread of its own computes."""

    def __init__(self, model: Any, most: int) -> None:
        self._model, self._most = model, most
        known = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in known
        self._last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._coming: queue.SimpleQueue[_Caller] = queue.SimpleQueue()
        self._reading: deque[_Caller] = deque()
        self._writing: list[_Caller] = []
        self._cache = KeyValues()
        threading.Thread(target=self._live, name="batch", daemon=True).start()

    def write(self, text: Text) -> None:
        """Returns when the text is complete. Raises what went wrong."""
        caller = _Caller(text)
        self._coming.put(caller)
        caller.done.wait()
        if caller.error is not None:
            raise caller.error

    def _live(self) -> None:
        with torch.inference_mode():
            while True:
                idle = not self._reading and not self._writing
                while idle or not self._coming.empty():
                    self._reading.append(self._coming.get())
                    idle = False
                if self._reading and len(self._writing) < self._most:
                    self._guard([self._reading[0]], self._read)
                if self._writing:
                    self._guard(list(self._writing), self._step)

    def _guard(self, callers: list[_Caller], work: Callable[[], None]) -> None:
        """What goes wrong is told to those that it hit, and ends no thread."""
        try:
            work()
        except Exception as error:
            for caller in callers:
                caller.error = error
            self._leave(callers)

    def _leave(self, callers: list[_Caller]) -> None:
        self._reading = deque(c for c in self._reading if c not in callers)
        rows = [i for i, c in enumerate(self._writing) if c not in callers]
        gone = len(rows) < len(self._writing)
        self._writing = [self._writing[i] for i in rows]
        if gone and rows:
            self._cache.keep(rows, max(c.length for c in self._writing))
        elif gone:
            self._cache = KeyValues()
        for caller in callers:
            caller.cache = KeyValues()
            caller.done.set()

    def _read(self) -> None:
        caller = self._reading[0]
        prompt = caller.text.prompt
        piece = prompt[:, caller.length : caller.length + (_PIECE if self._writing else _LARGE_PIECE)]
        scores = self._forward(piece, caller.cache, [caller], None)
        caller.length += piece.shape[1]
        if not caller.text.reading(caller.length, prompt.shape[1]):
            return self._leave([caller])
        if caller.length < prompt.shape[1]:
            return None
        self._reading.popleft()
        if self._writing:
            self._cache.join(caller.cache)
        else:
            self._cache = caller.cache
        self._writing.append(caller)
        if not self._next(caller, scores[0]):
            self._leave([caller])
        return None

    def _step(self) -> None:
        callers = self._writing
        ids = torch.tensor([[c.last] for c in callers], device=self._model.device)
        columns = max(c.length for c in callers) + 1
        mask = None
        if any(c.length + 1 < columns for c in callers):
            starts = torch.tensor([[columns - 1 - c.length] for c in callers])
            mask = (torch.arange(columns)[None] >= starts).long().to(self._model.device)
        scores = self._forward(ids, self._cache, callers, mask)
        for caller in callers:
            caller.length += 1
        likeliest = scores.argmax(-1).tolist() if any(c.text.plain for c in callers) else []
        over = []
        for row, caller in enumerate(callers):
            try:
                more = self._next(caller, scores[row], likeliest[row] if caller.text.plain else None)
            except Exception as error:
                caller.error, more = error, False
            if not more:
                over.append(caller)
        if over:
            self._leave(over)

    def _next(self, caller: _Caller, scores: torch.Tensor, likeliest: int | None = None) -> bool:
        text = caller.text
        if text.plain:
            caller.last = int(scores.argmax()) if likeliest is None else likeliest
        else:
            caller.last = text.choose(scores)
        return text.take(caller.last)

    def _forward(
        self, ids: torch.Tensor, cache: KeyValues, callers: list[_Caller], mask: torch.Tensor | None
    ) -> torch.Tensor:
        """The scores after the last of `ids`, of shape (callers, vocabulary)."""
        more: dict[str, Any] = dict(self._last_only)
        if self._positions:
            first = torch.tensor([[c.length] for c in callers])
            more["position_ids"] = (first + torch.arange(ids.shape[1])[None]).to(ids.device)
        if mask is not None:
            more["attention_mask"] = mask
        made = self._model(input_ids=ids, past_key_values=cache, use_cache=True, **more)
        scores: torch.Tensor = made.logits[:, -1]
        return scores


def agrees(model: Any) -> bool:
    """Whether the model writes the same for texts of different lengths side by side as for each alone: models that
    keep something other than keys and values do not."""
    with torch.inference_mode():
        return _agrees(model)


def _agrees(model: Any) -> bool:
    where = model.device
    texts = [torch.arange(5, 5 + n, device=where)[None] for n in (7, 3)]
    try:
        alone = [model(input_ids=t, use_cache=False).logits[0, -1].float() for t in texts]
        caches = [KeyValues(), KeyValues()]
        for text, cache in zip(texts, caches, strict=True):
            model(input_ids=text[:, :-1], past_key_values=cache, use_cache=True)
        caches[0].join(caches[1])
        last = torch.cat([t[:, -1:] for t in texts])
        given: dict[str, Any] = {"attention_mask": torch.tensor([[1] * 7, [0] * 4 + [1] * 3], device=where)}
        if "position_ids" in inspect.signature(model.forward).parameters:
            given["position_ids"] = torch.tensor([[6], [2]], device=where)
        together = model(input_ids=last, past_key_values=caches[0], use_cache=True, **given).logits[:, -1].float()
    except Exception:
        # whatever such a model raises for a cache that is not its own
        return False
    tolerance = 0.05 if model.dtype == torch.float32 else 0.5
    spread = max(float(one.std()) for one in alone)
    return all(float((a - b).abs().max()) < tolerance * spread for a, b in zip(alone, together, strict=True))
