"""Time as the hub keeps it: whole milliseconds since 1970 UTC, written to clients as ISO 8601."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Millis = int
Clock = Callable[[], Millis]

#: the last moment that `iso` can write
LATEST: Millis = 253_402_300_799_999


def now_ms() -> Millis:
    return time.time_ns() // 1_000_000


def iso(ms: Millis) -> str:
    """`2026-01-31T12:00:00.000Z`, the form that `huggingface_hub.utils.parse_datetime` reads."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
