"""Things that happen at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from corral.core.errors import HubError


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    """What `work(number)` returned or raised in threads that begin together."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        barrier.wait()
        try:
            return work(number)
        except HubError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
