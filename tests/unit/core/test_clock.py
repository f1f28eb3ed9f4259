from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from huggingface_hub.utils import parse_datetime
from hypothesis import given
from hypothesis import strategies as st

from corral.core.clock import iso, now_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (7, "1970-01-01T00:00:00.007Z"),
        (1_769_860_800_000, "2026-01-31T12:00:00.000Z"),
        (1_582_934_400_999, "2020-02-29T00:00:00.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_as_clients_read_them(ms: int, text: str) -> None:
    assert iso(ms) == text


@given(st.integers(-(10**12), 253_402_300_799_999))
def test_the_client_reads_the_same_millisecond(ms: int) -> None:
    assert parse_datetime(iso(ms)) == EPOCH + timedelta(milliseconds=ms)


def test_now_is_in_whole_milliseconds() -> None:
    before = time.time_ns()
    now = now_ms()
    assert isinstance(now, int)
    assert before // 1_000_000 <= now <= time.time_ns() // 1_000_000
