"""Room that several share: whoever asks gets it in turn, and waits while there is too little."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """`size` in whatever unit. Nobody is passed by: a large wish waits, and those after it wait too."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._turn = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def of(self, wish: int, gone: threading.Event) -> Iterator[bool]:
        """Have `wish` (at most all) for a while. False, and nothing is held, where `gone` was set before the turn."""
        wish, ticket = min(wish, self.size), object()
        with self._turn:
            self._waiting.append(ticket)
            while not gone.is_set() and (self._waiting[0] is not ticket or self._free < wish):
                # `gone` tells nobody here when it is set
                self._turn.wait(0.2)
            self._waiting.remove(ticket)
            held = 0 if gone.is_set() else wish
            self._free -= held
            self._turn.notify_all()
        try:
            yield bool(held)
        finally:
            with self._turn:
                self._free += held
                self._turn.notify_all()
