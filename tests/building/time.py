"""Time that a test moves."""

from __future__ import annotations


class Time:
    """A clock that stands still until it is moved; in milliseconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
