"""Slows guessing of passwords: counts failures per name, and per address, in this process.

In-process is enough: with N web processes a guesser gets N times the tries, still far too few. Nothing sleeps,
so refused tries hold no thread; they are answered 429 with `Retry-After`. A try is refused by the pair of name and
address, or by the address alone, or (much later) by the name alone: so nobody can lock another person out cheaply.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from corral.core.clock import Millis
from corral.core.errors import TooManyRequests

_WINDOW: Millis = 15 * 60_000
#: failures in the window after which each further try must wait
_FREE = {"pair": 5, "address": 30, "name": 60}
_MAX_KEYS = 50_000


class Throttle:
    """Failures and when the latest one was, per key; the oldest keys are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], tuple[int, Millis]] = OrderedDict()

    def check(self, name: str, address: str, now: Millis) -> None:
        """Raises TooManyRequests when there were too many failures of late."""
        with self._lock:
            wait = max(self._wait(key, now) for key in _keys(name, address))
        if wait > 0:
            seconds = -(-wait // 1000)
            raise TooManyRequests(f"Too many failed sign-ins: wait {seconds} seconds and try again.", seconds)

    def failed(self, name: str, address: str, now: Millis) -> None:
        with self._lock:
            for key in _keys(name, address):
                count, last = self._failures.pop(key, (0, now))
                self._failures[key] = (count + 1 if now - last < _WINDOW else 1, now)
            while len(self._failures) > _MAX_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        with self._lock:
            for key in _keys(name, address):
                if key[0] != "address":
                    self._failures.pop(key, None)

    def _wait(self, key: tuple[str, str], now: Millis) -> Millis:
        """Milliseconds left: 1 s after the last free try, doubling with each failure, up to the window."""
        count, last = self._failures.get(key, (0, 0))
        over = count - _FREE[key[0]]
        if over < 0 or now - last >= _WINDOW:
            return 0
        return last + min(_WINDOW, 1000 << min(over, 10)) - now


def _keys(name: str, address: str) -> Iterator[tuple[str, str]]:
    yield "pair", f"{name.lower()}\0{address}"
    yield "address", address
    yield "name", name.lower()


#: of this web process
sign_ins = Throttle()
