"""One request on its way through a worker, as the one who waits for it sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from corral.core.errors import HubError


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked: an operation, its parameters (JSON), and the files that it is about."""

    op: str
    params: dict[str, Any] = field(default_factory=dict)
    files: tuple[bytes, ...] = ()
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Media:
    """A result that is bytes: a picture or a sound. `about` is what else the engine tells of it (JSON)."""

    data: bytes
    type: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a streamed answer; the fields are those of text-generation-inference's token events."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long computation is. `picture` shows what there is by now, where the engine has something to show."""

    done: int
    total: int
    picture: Media | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """`value` is JSON or Media. `seconds` is how long the worker computed, alone or in a batch with others."""

    value: Any
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    error: HubError


Event = Token | Progress | Result | Failure


class Call:
    """A request and what has come back so far: any number of `Token` and `Progress`, then one `Result` or `Failure`.

    Events are delivered in order, by the thread that pushes them, to the one listener; those that came before it
    listened are delivered when it starts to.
    """

    def __init__(self, request: Request, caller: str) -> None:
        self.request = request
        #: whose turn in the queue it takes
        self.caller = caller
        self.cancelled = False
        #: tries left on a fresh worker if this one dies before the call has begun
        self.retries = 1
        self._lock = threading.RLock()
        self._waiting: list[Event] = []
        self._listener: Callable[[Event], None] | None = None
        self._done = threading.Event()
        self._last: Result | Failure
        self._on_cancel: Callable[[], None] | None = None

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def push(self, event: Event) -> None:
        with self._lock:
            if self._done.is_set():
                return
            if isinstance(event, Result | Failure):
                self._last = event
                self._done.set()
            if self._listener is not None:
                self._listener(event)
            else:
                self._waiting.append(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        with self._lock:
            for event in self._waiting:
                listener(event)
            self._waiting.clear()
            self._listener = listener

    def on_cancel(self, action: Callable[[], None]) -> None:
        """What tells the worker; set by whoever runs the call."""
        self._on_cancel = action

    def cancel(self) -> None:
        """Nobody waits any more: leave the queue, or stop the worker's computation as soon as it looks."""
        self.cancelled = True
        if not self.done and self._on_cancel is not None:
            self._on_cancel()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, for callers in threads. Raises what went wrong, or TimeoutError."""
        if not self._done.wait(timeout):
            raise TimeoutError
        if isinstance(self._last, Failure):
            raise self._last.error
        return self._last.value
