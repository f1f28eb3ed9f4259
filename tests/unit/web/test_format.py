from __future__ import annotations

import pytest

from corral.web import format

DAY = 86_400_000


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7, "7"), (999, "999"), (1000, "1k"), (22_713_216, "22.7M"), (999_999, "1M"), (7_240_000_000, "7.24B")],
)
def test_counts(value: int, text: str) -> None:
    assert format.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 Bytes"), (132, "132 Bytes"), (90_868_376, "90.9 MB"), (2e9, "2 GB")]
)
def test_sizes(value: float, text: str) -> None:
    assert format.size(value) == text


@pytest.mark.parametrize(
    ("passed", "long", "short"),
    [
        (-5000, "just now", "now"),
        (59_000, "just now", "now"),
        (60_000, "1 minute ago", "1 min ago"),
        (3 * 3_600_000, "3 hours ago", "3 h ago"),
        (29 * DAY, "29 days ago", "29 d ago"),
        (40 * DAY, "Oct 12, 2026", "Oct 12, 2026"),
    ],
)
def test_times(passed: int, long: str, short: str) -> None:
    now = 1_795_219_200_000  # 2026-11-21
    assert format.ago(now - passed, now) == long
    assert format.brief(now - passed, now) == short
