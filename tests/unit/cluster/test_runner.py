"""Programs that the runner starts: what they see, what they may, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corral.cluster.runner import LocalRun, LocalRunner, Workload


@pytest.fixture
def runner() -> Iterator[LocalRunner]:
    made = LocalRunner()
    yield made
    made.close()


def start(runner: LocalRunner, folder: Path, code: str, **options: object) -> LocalRun:
    command = [sys.executable, "-c", code]
    return runner.start(Workload("test", command, folder / "run", folder / "log", **options))  # type: ignore[arg-type]


def ended(run: LocalRun, seconds: float = 10) -> int:
    deadline = time.monotonic() + seconds
    while (status := run.poll()) is None:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.01)
    return status


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_it_runs_in_its_folder_with_its_output_in_the_log(runner: LocalRunner, tmp_path: Path) -> None:
    run = start(runner, tmp_path, "import os, sys; print(os.getcwd(), flush=True); sys.exit('to stderr')")
    assert ended(run) == 1
    assert run.tail().splitlines() == [str(tmp_path / "run"), "to stderr"]
    assert run.tail(4) == "err\n"


def test_it_sees_nothing_of_the_hubs_environment_but_what_it_needs(
    runner: LocalRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORRAL_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HF_TOKEN", "secret")
    code = "import os; print('\\n'.join(f'{k}={v}' for k, v in os.environ.items()))"
    run = start(runner, tmp_path, code, env={"GIVEN": "yes"})
    ended(run)
    seen = run.tail()
    assert "secret" not in seen
    assert "GIVEN=yes" in seen
    assert f"HOME={tmp_path / 'run'}" in seen
    assert "PATH=" in seen


def test_stopping_ends_all_that_it_started(runner: LocalRunner, tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    run = start(runner, tmp_path, code)
    while not run.tail().strip():
        assert run.poll() is None
        time.sleep(0.02)
    child = int(run.tail())
    assert alive(child)
    assert run.stop(grace=0.2) == -signal.SIGKILL
    assert gone(child)
    assert run.stop() == -signal.SIGKILL, "stopping twice does no harm"


def test_a_program_that_ends_when_asked_is_not_killed(runner: LocalRunner, tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print(1, flush=True)\n"
        "time.sleep(60)"
    )
    run = start(runner, tmp_path, code)
    while not run.tail():
        time.sleep(0.02)
    assert run.stop(grace=10) == 7


def test_limits_hold(runner: LocalRunner, tmp_path: Path) -> None:
    greedy = start(runner, tmp_path, "print(len(bytearray(400 * 2**20)))", memory=200 * 2**20)
    assert ended(greedy) != 0
    assert "MemoryError" in greedy.tail()
    writer = start(runner, tmp_path, "open('big', 'wb').write(bytes(2**20))", file_size=1000)
    assert ended(writer) != 0
    assert (tmp_path / "run" / "big").stat().st_size <= 1000


def test_memory_is_measured(runner: LocalRunner, tmp_path: Path) -> None:
    run = start(runner, tmp_path, "x = bytearray(100 * 2**20); print(1, flush=True); import time; time.sleep(60)")
    while not run.tail():
        time.sleep(0.02)
    assert run.memory() > 100 * 2**20
    run.stop(grace=0)
    assert run.memory() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_what_runs_ends_with_a_hub_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import threading, time
from pathlib import Path
from corral.cluster.runner import LocalRunner, Workload
runner = LocalRunner()
def start():
    work = Workload("w", ["sleep", "600"], Path({str(tmp_path)!r}), Path({str(tmp_path / "log")!r}))
    print(runner.start(work).pid, flush=True)
# from a thread that ends at once: the program must live on
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(600)
"""
    hub = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    program = int(hub.stdout.readline())
    time.sleep(0.3)
    assert alive(program)
    os.kill(hub.pid, signal.SIGKILL)
    hub.wait()
    assert gone(program)


def test_a_program_that_cannot_be_found_ends_with_an_error(runner: LocalRunner, tmp_path: Path) -> None:
    run = runner.start(Workload("test", ["/no/such/program"], tmp_path / "run", tmp_path / "log"))
    assert ended(run) != 0
    assert "No such file" in run.tail()
