"""How far an addition is: one small file for each, written by the program that adds and read by every web process.

The writer holds a lock on the file while it works, which ends with it, however it ends: so that nobody waits for one
that is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: seconds that a program may take from being asked for to its first words
_START = 30.0
_CUT_OFF = "It was cut off: add it again, and it goes on from there."


@dataclass(frozen=True, slots=True)
class Status:
    """`state` is `working`, `failed` or `done`; `words` say what it does, or why it failed."""

    state: str
    words: str


class Report:
    """The writer's side, for one addition: `say` what happens, then `close`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises BlockingIOError when another one adds the same."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / f"{name}.json", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise

    def say(self, words: str, state: str = "working") -> None:
        record = json.dumps({"state": state, "words": words, "at": time.time()}).encode()
        # readers may come at any moment: the record is whole before the rest of a longer one is cut off
        os.pwrite(self._file, record + b"\n", 0)
        os.ftruncate(self._file, len(record) + 1)

    def close(self) -> None:
        os.close(self._file)


def announce(folder: Path, name: str) -> bool:
    """Say that a program which adds it is being started. False when one is at work already."""
    before = read(folder, name)
    if before is not None and before.state == "working":
        return False
    try:
        report = Report(folder, name)
    except BlockingIOError:
        return False
    report.say("starting", "waiting")
    report.close()
    return True


def fail(folder: Path, name: str, words: str) -> None:
    """Say why a program ended which did not say so itself. Nothing is said while another one is at work."""
    try:
        report = Report(folder, name)
    except BlockingIOError:
        return
    if _record(folder / f"{name}.json").get("state") not in ("failed", "done"):
        report.say(words, "failed")
    report.close()


def read(folder: Path, name: str) -> Status | None:
    """The newest word; None when nothing was ever said."""
    record = _record(folder / f"{name}.json")
    state, words = record.get("state"), record.get("words", "")
    if state in (None, "failed", "done"):
        return Status(state, words) if state else None
    if state == "waiting" and time.time() - record["at"] < _START:
        return Status("working", words)
    return Status("working", words) if _is_locked(folder / f"{name}.json") else Status("failed", _CUT_OFF)


def _record(file: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(file.read_bytes().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return {}
    return record


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
