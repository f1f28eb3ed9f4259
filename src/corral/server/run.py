"""Runs the hub: one web process, or several that share one listening socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from corral.core.errors import HubError
from corral.core.settings import Settings
from corral.server.door import Door

log = logging.getLogger(__name__)
_spawn = get_context("spawn")

#: makes the application of one web process; a function at the top of a module, since other processes import it
Factory = Callable[[Settings], ASGIApp]
#: called with the address, in a thread of its own, once the hub answers
OnReady = Callable[[str], None]

#: seconds that requests under way get when the hub is told to stop, and seconds until it stops whatever happens
_GRACE = 1.0
_LAST_RESORT = 10.0
#: seconds between requests that a connection is kept
_KEEP_ALIVE = 75
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CannotServe(HubError):
    """The hub cannot be started as it was asked to."""

    status = 500
    code = "CannotServe"


def serve(settings: Settings, on_ready: OnReady | None = None, build: Factory | None = None) -> None:
    """Run the hub until SIGINT or SIGTERM; returns when it has stopped. Call it from the main thread.

    `on_ready` gets `http://host:port` with the real port (port 0 means any free one). Raises CannotServe when the
    address cannot be had, or when a web process fails to start.
    """
    build = build or _hub
    listening = listen(settings.host, settings.port)
    address = _address(settings.host, listening)
    tell = partial(_in_thread, on_ready, address) if on_ready else None
    try:
        if settings.workers <= 1:
            _run_here(build(settings), tell, listening)
        else:
            _Workers(build, settings, listening, tell).run()
    finally:
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises CannotServe with what to do about it."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise CannotServe(_why(host, port, error)) from None


def _why(host: str, port: int, error: Exception) -> str:
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"Port {port} of {host} is taken: stop what runs there, or choose another with --port."
        case errno.EACCES:
            return f"Port {port} needs more rights than this user has: choose one above 1023 with --port."
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: use 127.0.0.1, or 0.0.0.0 for all of them."
    return f"The hub cannot listen at {host}:{port} ({error}): choose others with --host and --port."


def _address(host: str, listening: socket.socket) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{listening.getsockname()[1]}"


def _hub(settings: Settings) -> ASGIApp:
    from corral.server.app import build

    return build(settings)


def _run_here(app: ASGIApp, on_started: Callable[[], None] | None, listening: socket.socket) -> None:
    try:
        _Server(app, on_started).run(sockets=[listening])
    except SystemExit:
        # uvicorn's way to say that the application did not come up
        raise CannotServe("The hub could not start: its log says why.") from None


def _in_thread(on_ready: OnReady, address: str) -> None:
    threading.Thread(target=on_ready, args=(address,), name="ready", daemon=True).start()


class _Server(uvicorn.Server):
    """One web process."""

    def __init__(self, app: ASGIApp, on_started: Callable[[], None] | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Door,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, give requests under way a moment, cancel the rest, end the application."""
        for server in self.servers:
            server.close()
        for open_one in list(self.server_state.connections):
            open_one.shutdown()
        if running := set(self.server_state.tasks):
            _, late = await asyncio.wait(running, timeout=_GRACE)
            for task in late:
                task.cancel()
            if late:
                # what works in a thread ends with its thread
                await asyncio.wait(late)
        await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's, ends the server on a signal without passing it on: the caller has things to put away."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            last_resort = threading.Timer(_LAST_RESORT, os._exit, (1,))
            last_resort.daemon = True
            last_resort.start()
        super().handle_exit(sig, frame)


def _web_process(build: Factory, settings: Settings, listening: socket.socket, parent: Connection) -> None:
    """What each of several web processes does. It says once that it answers, and ends with the one that started it."""
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    _Server(build(settings), partial(parent.send, True)).run(sockets=[listening])
    # all is put away: taking the interpreter apart would only take time
    logging.shutdown()
    os._exit(0)


def _end_with(parent: Connection) -> None:
    try:
        parent.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


class _Workers:
    """Several web processes; one that dies is replaced."""

    def __init__(
        self, build: Factory, settings: Settings, listening: socket.socket, on_started: Callable[[], None] | None
    ) -> None:
        self._start = partial(_Worker, build, settings, listening)
        self._count = settings.workers
        self._on_started = on_started
        self._stop = False

    def run(self) -> None:
        """Until a signal comes. Raises CannotServe when a process ends before it answered."""
        before = {number: signal.signal(number, self._stopping) for number in _SIGNALS}
        workers = [self._start() for _ in range(self._count)]
        try:
            while not self._stop:
                connection.wait([w.process.sentinel for w in workers] + [w.pipe for w in workers if not w.ready], 0.2)
                for index, worker in enumerate(workers):
                    if worker.became_ready() and self._on_started:
                        self._on_started()
                        self._on_started = None
                    if not worker.process.is_alive() and not self._stop:
                        if not worker.ready:
                            raise CannotServe("A web process of the hub ended before it answered: see its log.")
                        log.error("A web process ended (%s) and is replaced.", worker.process.exitcode)
                        workers[index] = self._start()
        finally:
            for worker in workers:
                worker.process.terminate()
            deadline = time.monotonic() + _LAST_RESORT
            for worker in workers:
                worker.process.join(max(0.0, deadline - time.monotonic()))
                worker.process.kill()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stopping(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True


class _Worker:
    """A web process as the one that started it sees it."""

    def __init__(self, build: Factory, settings: Settings, listening: socket.socket) -> None:
        self.pipe, other = _spawn.Pipe()
        self.process = _spawn.Process(
            target=_web_process, args=(build, settings, listening, other), name="corral-web", daemon=True
        )
        self.process.start()
        other.close()
        self.ready = False

    def became_ready(self) -> bool:
        """Whether it has said, since it was last asked, that it answers."""
        if self.ready or not self.pipe.poll():
            return False
        try:
            self.ready = bool(self.pipe.recv())
        except EOFError:
            return False
        return self.ready
