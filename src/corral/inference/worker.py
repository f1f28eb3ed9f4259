"""A worker process: loads one model and answers the hub over a Unix socket. `python -m corral.inference.worker`.

Started by `inference.workers` with the path of the socket, where the hub listens. One thread reads, others compute: a
`cancel` reaches a running computation, and the end of the connection ends the process at once.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corral.inference.calls import Media
from corral.inference.frames import Wire

if TYPE_CHECKING:
    # torch takes seconds to import: only the thread that computes does, once the hub knows that we live
    from corral.inference.engines.base import Engine, Job

#: seconds that a batch waits for more, where the one before it had more than one job
_GATHER = 0.002


@dataclass(frozen=True, slots=True)
class _Asked:
    number: int
    message: dict[str, Any]
    data: bytes
    cancelled: threading.Event = field(default_factory=threading.Event)


def main(address: str) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    worker = _Worker(Wire(connection))
    threading.Thread(target=_or_end, args=(worker.live,), daemon=True).start()
    worker.listen()


def _or_end(work: Callable[..., None], *given: Any) -> None:
    """End the process where a thread that computes fails: the hub would wait for it."""
    try:
        work(*given)
    except BaseException:
        # the log may be full
        with suppress(OSError):
            traceback.print_exc()
        os._exit(1)


class _Worker:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._open: dict[int, _Asked] = {}
        self._engine: Engine | None = None

    def listen(self) -> None:
        try:
            while True:
                message, data = self._wire.receive()
                if message["op"] == "cancel":
                    if asked := self._open.get(message["id"]):
                        asked.cancelled.set()
                else:
                    asked = self._open[message["id"]] = _Asked(message["id"], message, data)
                    self._asked.put(asked)
        except (EOFError, OSError, ValueError):
            # nobody is there to answer; a computation in another thread must not keep us
            if self._engine is not None:
                self._engine.close()
            os._exit(0)

    def live(self) -> None:
        first = self._asked.get()
        engine = self._load(first)
        if engine is None:
            return
        self._engine = engine
        self._tell({"id": first.number, "event": "loaded", "window": max(2 * (engine.batch - 1), engine.parallel, 1)})
        if engine.parallel > 1:
            for _ in range(engine.parallel - 1):
                threading.Thread(target=_or_end, args=(self._one_by_one, engine), daemon=True).start()
        if engine.batch > 1:
            self._in_batches(engine)
        else:
            self._one_by_one(engine)

    def _load(self, asked: _Asked) -> Engine | None:
        try:
            from corral.inference import engines

            message = asked.message
            return engines.load(message["engine"], Path(message["folder"]), message["options"])
        except BaseException as error:
            # libraries in Rust panic with what is no Exception (tokenizers, safetensors)
            self._failed(asked, error)
            return None

    def _one_by_one(self, engine: Engine) -> None:
        while True:
            asked = self._asked.get()
            if self._dropped(asked):
                continue
            self._begin([asked], engine)
            begun = time.monotonic()
            try:
                result = engine.run(self._job(asked))
            except BaseException as error:
                self._failed(asked, error)
            else:
                self._answer(asked, result, time.monotonic() - begun)

    def _in_batches(self, engine: Engine) -> None:
        held: _Asked | None = None
        several = False
        while True:
            batch = [held or self._asked.get()]
            held = None
            until = time.monotonic() + (_GATHER if several else 0.0)
            while len(batch) < engine.batch:
                try:
                    left = until - time.monotonic()
                    more = self._asked.get(timeout=left) if left > 0 else self._asked.get_nowait()
                except queue.Empty:
                    break
                if not _alike(engine, more, batch[0]):
                    held = more
                    break
                batch.append(more)
            several = len(batch) > 1
            self._run_batch(engine, batch)

    def _run_batch(self, engine: Engine, batch: Sequence[_Asked]) -> None:
        wanted = [asked for asked in batch if not self._dropped(asked)]
        if not wanted:
            return
        self._begin(wanted, engine)
        begun = time.monotonic()
        try:
            results = engine.run_many([self._job(asked) for asked in wanted])
        except BaseException as error:
            if len(wanted) > 1:
                # one of them spoils it for all: each for itself
                for asked in wanted:
                    self._run_batch(engine, [asked])
                return
            results = [error]
        seconds = time.monotonic() - begun
        for asked, result in zip(wanted, results, strict=True):
            if isinstance(result, BaseException):
                self._failed(asked, result)
            else:
                self._answer(asked, result, seconds)

    # --- what the hub hears ------------------------------------------------------------------------------------------

    def _job(self, asked: _Asked) -> Job:
        from corral.inference.engines.base import Job

        def emit(token: dict[str, Any]) -> None:
            self._tell({"id": asked.number, "event": "token", "value": token})

        def progress(done: int, total: int, picture: Media | None = None) -> None:
            event = {"id": asked.number, "event": "progress", "done": done, "total": total}
            if picture is None:
                self._tell(event)
            else:
                self._tell(event | {"media": picture.type}, picture.data)

        files, at = [], 0
        for size in asked.message.get("files", ()):
            files.append(asked.data[at : at + size])
            at += size
        message = asked.message
        return Job(message["run"], message["params"], tuple(files), emit, progress, asked.cancelled)

    def _begin(self, batch: Sequence[_Asked], engine: Engine) -> None:
        if engine.batch > 1 or engine.parallel > 1:
            # the others begin when they are sent
            self._tell({"id": batch[0].number, "event": "begun", "ids": [asked.number for asked in batch]})

    def _dropped(self, asked: _Asked) -> bool:
        if not asked.cancelled.is_set():
            return False
        self._tell({"id": asked.number, "event": "error", "status": 499, "message": "cancelled"})
        self._open.pop(asked.number, None)
        return True

    def _answer(self, asked: _Asked, result: Any, seconds: float) -> None:
        self._open.pop(asked.number, None)
        event = {"id": asked.number, "event": "result", "seconds": round(seconds, 6)}
        try:
            if isinstance(result, Media):
                self._tell(event | {"media": result.type, "value": result.about}, result.data)
            else:
                self._tell(event | {"value": result})
        except ValueError as error:
            # a number that JSON does not have, or more than the hub takes
            self._failed(asked, error)

    def _failed(self, asked: _Asked, error: BaseException) -> None:
        self._open.pop(asked.number, None)
        # an exception's class says it, since the engines' base is not imported where loading it failed
        status = getattr(error, "status", None)
        if type(error).__name__ == "Refused" and isinstance(status, int):
            text = str(error)
        else:
            # the log may be full
            with suppress(OSError):
                traceback.print_exception(error)
            status, text = 500, f"{type(error).__name__}: {error}"[:2000]
        self._tell({"id": asked.number, "event": "error", "status": status, "message": text})

    def _tell(self, message: dict[str, Any], data: bytes = b"") -> None:
        try:
            self._wire.send(message, data)
        except OSError:
            os._exit(0)


def _alike(engine: Engine, one: _Asked, other: _Asked) -> bool:
    mine, its = (engine.together(asked.message["run"], asked.message["params"]) for asked in (one, other))
    return mine is not None and mine == its


if __name__ == "__main__":
    main(sys.argv[1])
