"""Where programs run. What Corral starts (inference, later Spaces and jobs) is started here and nowhere else.

`LocalRunner` runs programs on this machine: each in a process group of its own, with an environment that holds nothing
of the hub's, with limits, with its output in a log file, and ended with the hub however the hub ends. A program that is
not trusted runs in a sandbox (`cluster.sandbox`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from corral.cluster import launch, sandbox
from corral.cluster.sandbox import Sandbox

#: what a program may know of the hub's own environment: where programs and libraries are, the language, the devices
INHERITED = (
    "PATH LANG LANGUAGE LC_ALL LC_CTYPE TZ TMPDIR LD_LIBRARY_PATH PYTHONPATH VIRTUAL_ENV"
    " CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES SSL_CERT_FILE"
).split()


@dataclass(frozen=True, slots=True)
class Workload:
    """A program to run. `folder` is where it works and its home; `log` takes what it prints (overwritten).

    With a `sandbox` it sees no more than that, its folder, and the system's programs; `isolate` says what becomes of it
    where the machine cannot do that: refused if True, else run all the same.

    Limits of 0 are none: `memory` is bytes of private writable memory (RLIMIT_DATA), `file_size` bytes of any one file
    it writes, `open_files` a count. `nice` is added to the hub's own.
    """

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    memory: int = 0
    file_size: int = 0
    open_files: int = 0
    nice: int = 0
    sandbox: Sandbox | None = None
    isolate: bool = False


class Run(Protocol):
    """A program that was started."""

    workload: Workload

    def poll(self) -> int | None:
        """The exit status once it has ended (minus the signal's number if one ended it), None while it runs."""

    def stop(self, grace: float = 2.0) -> int:
        """End it and all that it started: asked first, killed after `grace` seconds. Returns the exit status."""

    def memory(self) -> int:
        """Bytes of physical memory it holds now; 0 when that is not known."""

    def tail(self, size: int = 4000) -> str:
        """The last `size` bytes of what it printed."""


class Runner(Protocol):
    def start(self, workload: Workload) -> Run:
        """Start the program. Raises OSError when that cannot be done."""

    def weakness(self) -> str:
        """Why programs cannot be isolated here, for people; '' when they can."""

    def close(self) -> None:
        """End every program that was started here."""


class LocalRun:
    def __init__(self, workload: Workload, process: subprocess.Popen[bytes], ended: Callable[[LocalRun], None]) -> None:
        self.workload = workload
        self._process = process
        self._ended = ended

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        status = self._process.poll()
        if status is not None:
            self._ended(self)
        return status

    def stop(self, grace: float = 2.0) -> int:
        if self._process.poll() is None and grace > 0:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        # also when it has ended: what it started may still be there
        self._signal(signal.SIGKILL)
        status = self._process.wait()
        self._ended(self)
        return status

    def _signal(self, number: int) -> None:
        # the group has the number of its first process
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def memory(self) -> int:
        return sum(map(_resident, _family(self._process.pid)))

    def tail(self, size: int = 4000) -> str:
        try:
            with self.workload.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - size))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


def _family(pid: int) -> list[int]:
    """The process and all that descend from it (a sandbox is a parent of the program)."""
    found = [pid]
    for one in found:
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, file.read_text().split())
    return found


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class LocalRunner:
    """Programs as processes of this machine. What is in a sandbox sees of the folders `hide` only what it is given: the
    hub's data may lie where programs do."""

    def __init__(self, hide: Sequence[Path] = ()) -> None:
        self._hide = hide
        # A program is ended with the *thread* that started it (PR_SET_PDEATHSIG), so one that lives as long as we do
        # starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="corral-runner")
        self._running: set[LocalRun] = set()

    def weakness(self) -> str:
        return sandbox.problem()

    def start(self, workload: Workload) -> LocalRun:
        return self._starter.submit(self._start, workload).result()

    def _start(self, workload: Workload) -> LocalRun:
        workload.folder.mkdir(parents=True, exist_ok=True)
        workload.log.parent.mkdir(parents=True, exist_ok=True)
        limits = {
            "parent": os.getpid(),
            "memory": workload.memory,
            "file_size": workload.file_size,
            "open_files": workload.open_files,
            "nice": workload.nice,
        }
        env = {key: os.environ[key] for key in INHERITED if key in os.environ}
        env |= {"HOME": str(workload.folder)} | dict(workload.env)
        command = list(workload.command)
        if workload.sandbox is not None:
            if not (weakness := self.weakness()):
                box = workload.sandbox
                inside = replace(box, write=[*box.write, workload.folder], hide=[*box.hide, *self._hide])
                command = sandbox.wrap(inside, command, workload.folder)
            elif workload.isolate:
                raise OSError(weakness)
        with workload.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(launch.__file__), json.dumps(limits), *command],
                cwd=workload.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        run = LocalRun(workload, process, self._running.discard)
        self._running.add(run)
        return run

    def close(self) -> None:
        for run in list(self._running):
            run.stop(grace=0.5)
        self._starter.shutdown()
