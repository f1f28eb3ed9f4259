"""Numbers, sizes and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from corral.core.clock import Millis, now_ms


def count(value: int | float | None) -> str:
    """1234 -> `1.23k`, 135_000_000 -> `135M`: three digits at most."""
    if value is None:
        return "–"
    size = float(value)
    for unit in ("", "k", "M", "B", "T"):
        if size < 999.5 or unit == "T":
            return f"{size:.3g}{unit}" if unit else f"{size:g}"
        size /= 1000
    return ""


def size(value: int | float | None) -> str:
    """Bytes in powers of ten, as on Hugging Face: `90.9 MB`."""
    if value is None:
        return "–"
    number = float(value)
    for unit in ("Bytes", "kB", "MB", "GB", "TB"):
        if number < 999.5 or unit == "TB":
            return f"{number:.3g} {unit}"
        number /= 1000
    return ""


def parameters(value: int | None) -> str:
    """`22.7M params`."""
    return "" if not value else f"{count(value)} params"


def ago(ms: Millis, now: Millis | None = None) -> str:
    """`just now`, `5 minutes ago`, `3 days ago`, then the date."""
    seconds = max(0, (now_ms() if now is None else now) - ms) // 1000
    for unit, length, limit in (("minute", 60, 3600), ("hour", 3600, 86400), ("day", 86400, 30 * 86400)):
        if seconds < 60:
            return "just now"
        if seconds < limit:
            number = seconds // length
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return day(ms)


def brief(ms: Millis, now: Millis | None = None) -> str:
    """`now`, `5 min ago`, `3 h ago`, `3 d ago`, then the date: for cards, where room is short."""
    seconds = max(0, (now_ms() if now is None else now) - ms) // 1000
    for unit, length, limit in (("min", 60, 3600), ("h", 3600, 86400), ("d", 86400, 30 * 86400)):
        if seconds < 60:
            return "now"
        if seconds < limit:
            return f"{seconds // length} {unit} ago"
    return day(ms)


def day(ms: Millis) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%b} {moment.day}, {moment.year}"


def moment(ms: Millis) -> str:
    """For the `title` of a time: to the second, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine(ms: Millis) -> str:
    """For the `datetime` of a `<time>`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
