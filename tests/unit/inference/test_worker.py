"""Both ends of a worker's connection, where the other end does what it should not."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corral.cluster.runner import LocalRun, LocalRunner, Workload
from corral.core.errors import HubError, TooLarge
from corral.inference import engines, frames
from corral.inference.calls import Call, Request
from corral.inference.detect import Detection
from corral.inference.engines.base import Engine, Job
from corral.inference.frames import Wire
from corral.inference.models import Laid, Model
from corral.inference.worker import _Asked, _Worker
from corral.inference.workers import State, Worker

#: says that it is loaded and takes four calls at once, then reads nothing more
DEAF = """
import socket, sys, time
from corral.inference.frames import Wire
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
wire = Wire(connection)
wire.receive()
wire.send({"id": 0, "event": "loaded", "window": 4})
time.sleep(600)
"""


class Instead(LocalRunner):
    """Runs a program of ours in place of the one it is told to."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def start(self, workload: Workload) -> LocalRun:
        command = [sys.executable, "-c", self._program, workload.command[-1]]
        return super().start(replace(workload, command=command, sandbox=None))


Made = tuple[Worker, list[Call]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Made]]:
    """Makes a worker that runs a program; beside it the calls that it leaves when it ends."""
    made: list[tuple[Worker, LocalRunner]] = []

    def begin(program: str, fetch: Callable[[], Laid] | None = None) -> Made:
        runner, left = Instead(program), []  # type: tuple[Instead, list[Call]]
        detection = Detection("text-generation", "transformers", "it is a test", "text-generation")
        model = Model(1, "ann/model", "0" * 40, detection, 1, 1)
        laid = fetch or (lambda: Laid(tmp_path))
        worker = Worker(model, runner, laid, tmp_path / "log", lambda _, some: left.extend(some))
        made.append((worker, runner))
        return worker, left

    yield begin
    for worker, runner in made:
        worker.stop()
        worker.join(5)
        runner.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def within(seconds: float, work: Callable[[], Any]) -> None:
    """Assert that `work` is done in time."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive()


def call(size: int = 0) -> Call:
    return Call(Request("generate", files=(bytes(size),)), "bob")


def test_a_process_that_does_not_read_holds_up_nobody(make: Callable[..., Made]) -> None:
    worker, left = make(DEAF)
    worker.start()
    until(lambda: worker.state is State.READY)
    # more than a socket holds
    calls = [call(2**21) for _ in range(3)]
    within(5, lambda: [worker.put(one) for one in calls])
    within(5, lambda: (worker.waiting, worker.silent, worker.place(calls[0])))
    within(5, calls[1].cancel)
    within(10, lambda: worker.stop(HubError("It is stuck.", status=503)))
    until(lambda: worker.state is State.ENDED and len(left) == 3)


def test_a_request_too_long_for_the_process_fails_alone(
    make: Callable[..., Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MAX_BYTES", 1000)
    worker, _ = make(DEAF)
    worker.start()
    long, short = call(1001), call()
    assert worker.put(long)
    assert worker.put(short)
    with pytest.raises(TooLarge):
        long.result(20)
    assert worker.has(short)


def test_a_call_that_comes_first_keeps_an_idle_worker_and_one_that_comes_late_is_told(
    make: Callable[..., Made],
) -> None:
    worker, _ = make(DEAF)
    one = call()
    assert worker.put(one)
    assert not worker.stop_idle()
    one.cancel()
    assert worker.stop_idle()
    assert worker.unloading
    assert not worker.put(call())


def test_a_call_cancelled_between_two_workers_is_not_run(make: Callable[..., Made]) -> None:
    first, second = make(DEAF)[0], make(DEAF)[0]
    one = call()
    first.put(one)
    (moved,) = first.hand_over()
    one.cancel()
    second.put(moved)
    with pytest.raises(HubError, match="went away"):
        one.result(0)
    assert second.waiting == 0


def test_what_cannot_be_fetched_is_said_without_the_hubs_folders(make: Callable[..., Made], tmp_path: Path) -> None:
    def fetch() -> Laid:
        raise OSError(28, "No space left on device", str(tmp_path / "secret"))

    worker, _ = make(DEAF, fetch)
    worker.start()
    until(lambda: worker.state is State.ENDED)
    assert "No space left" in str(worker.error)
    assert str(tmp_path) not in str(worker.error)


def test_a_worker_without_a_folder_of_its_own_ends(
    make: Callable[..., Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    worker, left = make(DEAF)
    one = call()
    worker.put(one)
    worker.start()
    until(lambda: worker.state is State.ENDED and left == [one])


# --- the process's side --------------------------------------------------------------------------------------------


class Panic(BaseException):
    """As pyo3's PanicException, which is no Exception."""


class Panics(Engine):
    def __init__(self, *_: Any) -> None: ...

    def run(self, job: Job) -> Any:
        if job.op == "panic":
            raise Panic("index out of bounds")
        return {"much": "x" * 2000} if job.op == "much" else object() if job.op == "odd" else "well"


def test_a_panic_and_an_answer_that_cannot_be_sent_cost_one_call_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "panics", (__name__, "Panics"))
    here, there = socket.socketpair()
    hub = Wire(here)
    here.settimeout(20)
    worker = _Worker(Wire(there))
    threading.Thread(target=worker.live, daemon=True).start()

    def ask(message: dict[str, Any]) -> dict[str, Any]:
        worker._asked.put(_Asked(message["id"], message, b""))
        return hub.receive()[0]

    assert ask({"op": "load", "id": 0, "engine": "panics", "folder": "", "options": {}})["event"] == "loaded"
    monkeypatch.setattr(frames, "MAX_JSON", 1000)
    wanted = ("panic", "much", "odd", "so")
    said = [ask({"op": "run", "id": n, "run": op, "params": {}}) for n, op in enumerate(wanted, 1)]
    assert [one["event"] for one in said] == ["error", "error", "error", "result"]
    assert "index out of bounds" in said[0]["message"]
    assert "too long" in said[1]["message"]


def test_text_of_any_language_is_no_longer_than_it_came() -> None:
    assert len(frames.frame({"text": "é" * 1000}).head) < 2100
