"""One worker process as the hub sees it: starting, loading, running calls, ending."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from corral.cluster.runner import Run, Runner, Workload
from corral.cluster.sandbox import Sandbox
from corral.core.errors import HubError, TooLarge
from corral.inference.calls import Call, Event, Failure, Media, Progress, Result, Token
from corral.inference.frames import Frame, Wire, frame
from corral.inference.models import Laid, Model
from corral.inference.queueing import FairQueue

log = logging.getLogger(__name__)

#: seconds from the start of the process until it must have connected (Python itself starts in well under one)
_CONNECT = 60.0
#: a worker prints little; more than this is not kept
_LOG_SIZE = 16 * 2**20


class State(Enum):
    #: waits for memory; nothing runs yet
    PENDING = "pending"
    LOADING = "loading"
    READY = "ready"
    ENDED = "ended"


@dataclass(slots=True)
class _Running:
    """A call that the process has been sent. It computes when it has `begun`, or waits there for the next batch."""

    call: Call
    begun: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands: the `number`th of `of` that wait or run (0 while it runs), with `seconds` to its answer."""

    number: int
    of: int
    seconds: float


class Worker:
    """Every method may be called by any thread. `fetch` lays the model's files down and says where;
    `ended` is told once, with the calls that had not begun."""

    def __init__(
        self,
        model: Model,
        runner: Runner,
        fetch: Callable[[], Laid],
        log_file: Path,
        ended: Callable[[Worker, list[Call]], None],
    ) -> None:
        self.model = model
        self.state = State.PENDING
        #: why it ended, if not by our own will
        self.error: HubError | None = None
        self.started = self.used = self.ready_at = time.monotonic()
        self.load_seconds = 0.0
        #: seconds that a call takes, lately
        self.pace = 0.0
        #: takes no new calls, since another model waits for the memory
        self.retiring = False
        #: bytes it is counted with: what is expected while it loads, what it holds afterwards
        self.memory = model.memory
        self.fetch = fetch
        self._runner, self._log_file, self._ended = runner, log_file, ended
        self._lock = threading.RLock()
        self._queue = FairQueue()
        self._running: dict[int, _Running] = {}
        #: calls that the process takes at once: those of the next batch are there before this one is done
        self._window = 1
        self._heard = 0.0
        self._numbers = 0
        self._wire: Wire | None = None
        #: what is still to be sent; None ends the thread that does it
        self._outgoing: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._run: Run | None = None
        self._stopping = False
        self._laid = Laid(Path(os.devnull))
        self._thread = threading.Thread(target=self._live, name=f"worker {model.name}", daemon=True)

    def start(self) -> None:
        with self._lock:
            if self._stopping:
                return
            self.state = State.LOADING
            self.started = time.monotonic()
        self._thread.start()

    @property
    def unloading(self) -> bool:
        """Whether it ends by our own will: a new worker may take its place."""
        return self._stopping and self.error is None

    @property
    def waiting(self) -> int:
        """Calls that wait or run."""
        with self._lock:
            return len(self._queue) + len(self._running)

    @property
    def silent(self) -> float:
        """Seconds since the process last showed a sign of life; 0 when it has nothing to do."""
        with self._lock:
            return time.monotonic() - self._heard if self._running else 0.0

    def has(self, call: Call) -> bool:
        """Whether it waits or runs here."""
        with self._lock:
            return call in self._queue or any(r.call is call for r in self._running.values())

    def waiting_of(self, caller: str) -> int:
        with self._lock:
            return self._queue.of(caller)

    def place(self, call: Call) -> Place:
        """Where `call` stands here, and about how long it will take yet (without the time of loading)."""
        with self._lock:
            of = len(self._queue) + len(self._running)
            if any(r.call is call for r in self._running.values()):
                return Place(0, of, self.pace)
            before = self._queue.before(call) + len(self._running)
            return Place(before + 1, of, self.pace * (before / self._window + 1))

    def hand_over(self) -> list[Call]:
        """Take no calls from now on; those that the process has not been sent, for somebody else to take."""
        with self._lock:
            self.retiring = True
            return self._queue.drain()

    def put(self, call: Call) -> bool:
        """Queue a call. False when the worker has ended, and somebody else must take it."""
        with self._lock:
            if self.state is State.ENDED or self._stopping or self.retiring:
                return False
            self.used = time.monotonic()
            call.on_cancel(lambda: self._cancel(call))
            self._queue.put(call)
            if call.cancelled:
                # while it was between two workers, where nobody heard of it
                self._cancel(call)
            self._pump()
            return True

    def measure(self) -> None:
        """Count it with what it really holds, once it has loaded."""
        run = self._run
        if self.state is State.READY and run is not None and (held := run.memory()):
            self.memory = held

    def stop_idle(self) -> bool:
        """End it unless calls wait or run, also one that came just now; whether it ends."""
        with self._lock:
            if self.waiting:
                return False
            self._stopping = True
        self.stop()
        return True

    def stop(self, error: HubError | None = None) -> None:
        """End it now. The running calls fail with `error`."""
        with self._lock:
            self._stopping = True
            self.error = self.error or error
            run, never_started = self._run, self.state is State.PENDING
        if run is not None:
            run.stop(grace=0)
        elif never_started:
            self._end()

    def join(self, timeout: float) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout)

    # --- the worker's own thread ---------------------------------------------------------------------------------

    def _live(self) -> None:
        place: Path | None = None
        try:
            place = Path(tempfile.mkdtemp(prefix="corral-worker-"))
            self._laid = self.fetch()
            self._connect(place)
            self._follow(self._laid)
        except HubError as error:
            self._broke(error)
        except Exception as error:
            log.exception("The worker for %s failed to start", self.model.name)
            # what the system says of a file names the hub's folders
            why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            self._broke(HubError(f"The worker could not be started ({why}): the hub's log says more.", status=500))
        finally:
            self._end()
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)

    def _broke(self, error: HubError) -> None:
        if not self._stopping:
            self.error = self.error or error

    def _connect(self, place: Path) -> None:
        # a short path: those of Unix sockets may have no more than some 100 bytes
        address = str(place / "hub")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(1)
            listener.settimeout(0.1)
            with self._lock:
                if self._stopping:
                    raise HubError("The worker was stopped before it began.", status=503)
                self._run = self._runner.start(self._workload(place, address))
            deadline = time.monotonic() + _CONNECT
            while True:
                try:
                    connection, _ = listener.accept()
                    break
                except TimeoutError:
                    if self._run.poll() is not None or time.monotonic() > deadline:
                        log.error("The worker for %s did not start: %s", self.model.name, self._last_words())
                        raise HubError("The worker did not start: the hub's log says why.", status=500) from None
        connection.settimeout(None)
        self._wire = Wire(connection)
        threading.Thread(target=self._write, args=(self._wire,), name=f"to {self.model.name}", daemon=True).start()

    def _workload(self, place: Path, address: str) -> Workload:
        quiet = {
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(place / "hf"),
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
            # Threads that wait must sleep: where others compute too, spinning more than halves the speed (measured)
            "OMP_WAIT_POLICY": "PASSIVE",
            # the log is read by people
            "TQDM_DISABLE": "1",
            "TRANSFORMERS_VERBOSITY": "error",
        }
        return Workload(
            name=f"inference {self.model.name}",
            command=[sys.executable, "-m", "corral.inference.worker", address],
            folder=place,
            log=self._log_file,
            env=quiet,
            file_size=_LOG_SIZE,
            # the hub answers first when both want the processor
            nice=5,
            sandbox=Sandbox(read=[folder for folder in (self._laid.folder, self._laid.base) if folder]),
            # a repository's own code never runs in the open
            isolate=self.model.runs_code,
        )

    def _follow(self, laid: Laid) -> None:
        wire = self._wire
        found = self.model.detection
        if wire is None:
            return
        options: dict[str, Any] = dict(found.options) | {"name": self.model.name, "code": self.model.runs_code}
        if laid.base:
            options["base"] = str(laid.base)
        load = {"op": "load", "id": 0, "engine": found.engine, "folder": str(laid.folder), "options": options}
        self._outgoing.put(frame(load))
        with suppress(EOFError, OSError, ValueError):
            while True:
                self._take(*wire.receive())

    def _write(self, wire: Wire) -> None:
        """In a thread of its own: nobody who holds the lock may wait for a process that does not read."""
        # a broken connection is noticed by the thread that reads
        with suppress(OSError):
            while (one := self._outgoing.get()) is not None:
                wire.write(one)

    def _take(self, message: dict[str, Any], data: bytes) -> None:
        match message["event"], message["id"]:
            case "loaded", 0:
                with self._lock:
                    self.ready_at = self.used = self._heard = time.monotonic()
                    self.load_seconds = self.ready_at - self.started
                    self.state = State.READY
                    self._window = max(1, int(message["window"]))
                    self.measure()
                    self._pump()
            case "error", 0:
                text = f"{self.model.name} could not be loaded: {self._clean(message['message'])}"
                self.stop(HubError(text, status=501 if message["status"] == 501 else 500, code="LoadFailed"))
            case "begun", _:
                with self._lock:
                    self._heard = time.monotonic()
                    for number in message["ids"]:
                        if number in self._running:
                            self._running[number].begun = True
            case _, number:
                with self._lock:
                    running = self._running.get(number)
                    if running is None:
                        return
                    self._heard = self.used = time.monotonic()
                    event = self._event(message, data)
                    if isinstance(event, Result | Failure):
                        del self._running[number]
                        self._pump()
                    if isinstance(event, Result):
                        self.pace = event.seconds if not self.pace else self.pace + 0.3 * (event.seconds - self.pace)
                # whoever listens may do more than take it
                running.call.push(event)

    def _event(self, message: dict[str, Any], data: bytes) -> Event:
        match message["event"]:
            case "token":
                return Token(message["value"])
            case "progress":
                picture = Media(data, message["media"]) if "media" in message else None
                return Progress(message["done"], message["total"], picture)
            case "result":
                value = message["value"]
                return Result(Media(data, message["media"], value) if "media" in message else value, message["seconds"])
        return Failure(self._refusal(message))

    def _refusal(self, message: dict[str, Any]) -> HubError:
        text = self._clean(message["message"])
        if message["status"] == 500:
            return HubError(f"{self.model.name} failed at this input: {text}", status=500, code="InferenceFailed")
        return HubError(text, status=message["status"], code="InferenceRefused")

    def _clean(self, text: str) -> str:
        """Without the hub's own paths."""
        if self._laid.base and self.model.base:
            text = text.replace(str(self._laid.base), self.model.base.name)
        return text.replace(str(self._laid.folder), self.model.name)

    def _pump(self) -> None:
        """Hand calls to the process while it takes more. The lock is held."""
        while self.state is State.READY and not self._stopping and self._wire is not None:
            if len(self._running) >= self._window:
                return
            call = self._queue.take()
            if call is None:
                return
            self._numbers += 1
            request = call.request
            message = {"op": "run", "id": self._numbers, "run": request.op, "params": request.params}
            message["files"] = [len(file) for file in request.files]
            try:
                asked = frame(message, b"".join(request.files))
            except ValueError as error:
                call.push(Failure(TooLarge(f"The request cannot be given to the model: {error}.")))
                continue
            if not self._running:
                self._heard = time.monotonic()
            # one that is alone begins at once, and is not announced
            self._running[self._numbers] = _Running(call, begun=self._window == 1)
            self._outgoing.put(asked)

    def _cancel(self, call: Call) -> None:
        gone = HubError("The caller went away.", status=499, code="Cancelled")
        with self._lock:
            if self._queue.remove(call):
                call.push(Failure(gone))
                return
            number = next((n for n, r in self._running.items() if r.call is call), None)
            if number is not None:
                self._outgoing.put(frame({"op": "cancel", "id": number}))

    def _end(self) -> None:
        with self._lock:
            self.state = State.ENDED
            run, wire, running = self._run, self._wire, list(self._running.values())
            self._running = {}
            left = [r.call for r in running if not r.begun] + self._queue.drain()
        status = _last_status(run, patience=0.0 if self._stopping else 1.0) if run is not None else None
        if wire is not None:
            wire.close()
        self._outgoing.put(None)
        if self.error is None and not self._stopping:
            self.error = self._crash(status)
        for one in running:
            if one.begun:
                one.call.push(Failure(self.error or _closing()))
        self._ended(self, left)

    def _crash(self, status: int | None) -> HubError:
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        log.error("The worker for %s ended by itself (%s): %s", self.model.name, how, self._last_words())
        return HubError(
            f"The worker that runs {self.model.name} ended unexpectedly ({how}), perhaps for lack of memory. "
            "It is started again at the next request: try again.",
            status=500,
            code="WorkerDied",
        )

    def _last_words(self) -> str:
        words = self._run.tail(2000).strip().splitlines() if self._run else []
        return words[-1][:500] if words else "it printed nothing"


def _last_status(run: Run, patience: float) -> int:
    """How it ended. It may take a moment to, after its connection did."""
    deadline = time.monotonic() + patience
    while run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return run.stop(grace=0)


def _closing() -> HubError:
    return HubError("The model was unloaded: try again.", status=503, code="Busy")
