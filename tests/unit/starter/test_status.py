"""What is told about additions, whatever becomes of those who told it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from corral.starter import status
from corral.starter.status import Report, Status

#: writes a word, says so, and stays until it is killed
WRITER = """
import sys, time
from pathlib import Path
from corral.starter.status import Report
report = Report(Path(sys.argv[1]), "model")
report.say("uploading 5 MB")
print("said", flush=True)
time.sleep(60)
"""


def test_nothing_was_said_of_what_was_never_added(tmp_path: Path) -> None:
    assert status.read(tmp_path, "model") is None
    (tmp_path / "model.json").write_text("no JSON")
    assert status.read(tmp_path, "model") is None


def test_the_newest_word_is_read_while_it_is_at_work(tmp_path: Path) -> None:
    report = Report(tmp_path, "model")
    report.say("downloading a rather long name of a package (145 MB)")
    report.say("preparing")
    assert status.read(tmp_path, "model") == Status("working", "preparing")
    with pytest.raises(BlockingIOError):
        Report(tmp_path, "model")
    assert not status.announce(tmp_path, "model")
    status.fail(tmp_path, "model", "somebody else's word")
    assert status.read(tmp_path, "model") == Status("working", "preparing")
    report.say("done", "done")
    report.close()
    assert status.read(tmp_path, "model") == Status("done", "done")
    assert status.announce(tmp_path, "model"), "what is done can be done again"


def test_who_is_killed_is_at_work_no_more(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"said\n"
    assert status.read(tmp_path, "model") == Status("working", "uploading 5 MB")
    writer.kill()
    writer.wait()
    writer.stdout.close()
    found = status.read(tmp_path, "model")
    assert found is not None and found.state == "failed" and "add it again" in found.words
    status.fail(tmp_path, "model", "It ended with status -9")
    assert status.read(tmp_path, "model") == Status("failed", "It ended with status -9")


def test_one_that_is_being_started_has_a_while_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Callable[[], float] = lambda: 1000.0  # noqa: E731
    monkeypatch.setattr(status.time, "time", clock)
    assert status.announce(tmp_path, "model")
    assert status.read(tmp_path, "model") == Status("working", "starting")
    monkeypatch.setattr(status.time, "time", lambda: 1031.0)
    found = status.read(tmp_path, "model")
    assert found is not None and found.state == "failed"
    assert status.announce(tmp_path, "model"), "and can be asked for again"
