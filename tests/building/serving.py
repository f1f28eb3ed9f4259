"""`corral serve` in a process of its own, as a person starts it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Serving:
    """A hub that is starting, or running, on a free port. Leaving the context ends it as Ctrl-C does."""

    def __init__(self, data: Path, *options: str, starter: Path | None = None, **settings: str) -> None:
        """`starter` is a folder that holds a package `zoo` with starter content; by default there is none."""
        environment = {**os.environ, "CORRAL_DATA": str(data), **settings}
        environment.pop("HF_TOKEN", None)
        self.data = data
        self.lines: list[str] = []
        self.begun = time.monotonic()
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "corral", "serve", "--port", "0"),
                *(() if starter else ("--no-starter",)),
                *options,
            ],
            env=environment,
            cwd=starter,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line)
        self._new.put(None)

    def wait_for(self, words: str, seconds: float = 60) -> str:
        """The first line with these words, once it is printed."""
        until = time.monotonic() + seconds
        while not (found := next((line for line in self.lines if words in line), None)):
            try:
                ended = self._new.get(timeout=max(0.01, until - time.monotonic())) is None
            except queue.Empty:
                ended = time.monotonic() >= until
            if ended and not any(words in line for line in self.lines):
                raise AssertionError(f"{words!r} was not printed:\n{self.text}")
        return found

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        return self.wait_for("Corral is ready at").split()[4]

    def command(self, *args: str, typed: str = "") -> str:
        """What another `corral` command on the same data prints."""
        environment = {**os.environ, "CORRAL_DATA": str(self.data)}
        return subprocess.run(
            [sys.executable, "-m", "corral", *args],
            env=environment,
            input=typed,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def end(self, number: int = signal.SIGINT, seconds: float = 15) -> int:
        """Send the signal, and return the status that the process ends with."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(5)
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()
