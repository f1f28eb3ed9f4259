"""What a program in a sandbox cannot do, each shown against the same program without one."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corral.cluster import sandbox
from corral.cluster.runner import LocalRun, LocalRunner, Sandbox, Workload

pytestmark = pytest.mark.skipif(bool(sandbox.problem()), reason=sandbox.problem())


@pytest.fixture
def runner() -> Iterator[LocalRunner]:
    made = LocalRunner()
    yield made
    made.close()


class Bench:
    """Runs a program in the open and in a sandbox, and says what each printed."""

    def __init__(self, runner: LocalRunner, folder: Path) -> None:
        self._runner, self._folder = runner, folder

    def start(self, code: str, inside: Sandbox | None) -> LocalRun:
        place = self._folder / ("inside" if inside else "open")
        command = [sys.executable, "-c", code]
        return self._runner.start(Workload("t", command, place, self._folder / f"{place.name}.log", sandbox=inside))

    def both(self, code: str, inside: Sandbox | None = None) -> tuple[str, str]:
        """(in the open, in the sandbox)"""
        said = []
        for kind in (None, inside or Sandbox()):
            run = self.start(code, kind)
            deadline = time.monotonic() + 30
            while run.poll() is None:
                assert time.monotonic() < deadline, run.tail()
                time.sleep(0.02)
            said.append(run.tail().strip())
        return said[0], said[1]


@pytest.fixture
def bench(runner: LocalRunner, tmp_path: Path) -> Bench:
    return Bench(runner, tmp_path)


def trying(action: str) -> str:
    return f"import os\ntry:\n    {action}\n    print('done')\nexcept OSError as error:\n    print('refused')"


def test_files_of_others_cannot_be_read(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "corral.db"
    secret.write_text("secret")
    assert bench.both(trying(f"open({str(secret)!r}).read()")) == ("done", "refused")
    assert bench.both(trying("open('/etc/passwd').read()")) == ("done", "refused")
    checkout = Path(__file__).parents[3] / "README.md"
    assert bench.both(trying(f"open({str(checkout)!r}).read()")) == ("done", "refused")


def test_what_is_hidden_is_not_there_although_it_lies_among_programs(tmp_path: Path) -> None:
    program = Path(sys.prefix)
    with tempfile.TemporaryDirectory(dir=program) as name:
        data = Path(name)
        (data / "corral.db").write_text("secret")
        (data / "model").mkdir()
        (data / "model" / "config.json").write_text("{}")
        runner = LocalRunner(hide=[data])
        bench = Bench(runner, tmp_path)
        given = Sandbox(read=[data / "model"])
        assert bench.both(f"import os\nprint(os.listdir({name!r}))", given)[1] == "['model']"
        assert bench.both(f"print(open({name + '/model/config.json'!r}).read())", given) == ("{}", "{}")
        runner.close()


def test_python_is_there_although_it_lies_in_what_is_hidden(tmp_path: Path) -> None:
    runner = LocalRunner(hide=[Path(sys.prefix).parent])
    assert Bench(runner, tmp_path).both("import numpy\nprint(1)") == ("1", "1")
    runner.close()


def test_what_it_is_given_can_be_read_and_not_written(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("w")
    inside = Sandbox(read=[folder])
    assert bench.both(trying(f"open({str(folder / 'weights')!r}).read()"), inside) == ("done", "done")
    assert bench.both(trying(f"open({str(folder / 'weights')!r}, 'a').write('x')"), inside) == ("done", "refused")
    assert (folder / "weights").read_text() == "wx", "only the one in the open wrote"


def test_programs_and_libraries_cannot_be_changed(bench: Bench) -> None:
    target = Path(sys.prefix) / "sandbox-test"
    try:
        assert bench.both(trying(f"open({str(target)!r}, 'w')")) == ("done", "refused")
    finally:
        target.unlink(missing_ok=True)


def test_its_own_folder_can_be_written_and_is_kept(bench: Bench, tmp_path: Path) -> None:
    assert bench.both(trying("open('mine', 'w').write('x')")) == ("done", "done")
    assert (tmp_path / "inside" / "mine").read_text() == "x"


def test_the_machines_loopback_cannot_be_reached(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = trying(f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)")
        assert bench.both(code) == ("done", "refused")


def test_other_processes_are_not_there(bench: Bench) -> None:
    assert bench.both(trying(f"os.kill({os.getpid()}, 0)")) == ("done", "refused")
    open_, inside = bench.both("import os; print(sum(name.isdigit() for name in os.listdir('/proc')))")
    assert int(inside) <= 3 < int(open_)


def test_no_rights_can_be_had_back(bench: Bench) -> None:
    mount = "subprocess.run(['mount', '-t', 'tmpfs', 'x', '/tmp'], capture_output=True).returncode"
    run = bench.start(f"import subprocess; print({mount})", Sandbox())
    while run.poll() is None:
        time.sleep(0.02)
    assert run.tail().strip() != "0"


def test_stopping_it_ends_all_that_it_started(bench: Bench) -> None:
    code = "import subprocess, time; subprocess.Popen(['sleep', '613']); print('up', flush=True); time.sleep(600)"
    run = bench.start(code, Sandbox())
    deadline = time.monotonic() + 20
    while "up" not in run.tail():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert run.memory() > 4 * 2**20, "the memory of the program counts, not that of the sandbox alone"
    run.stop()
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x00613" in _read(p)]
    assert left == []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_where_it_must_be_isolated_and_cannot_it_is_not_started(
    runner: LocalRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "weakness", lambda: "this machine cannot")
    strict = Workload("t", ["true"], tmp_path / "run", tmp_path / "log", sandbox=Sandbox(), isolate=True)
    with pytest.raises(OSError, match="this machine cannot"):
        runner.start(strict)
