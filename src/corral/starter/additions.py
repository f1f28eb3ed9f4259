"""Additions asked for on a page: each is a program of its own, which the runner starts and ends with the hub."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence

from corral.cluster.runner import Run, Runner, Workload
from corral.context import Context
from corral.core.errors import Busy, Forbidden
from corral.starter import access, shelf, status
from corral.starter.shelf import Offer
from corral.starter.status import Status

#: programs at once; all but one of them only wait, since one at a time is at work
_MOST = 8


class Additions:
    """One in each web process, for as long as it lives."""

    def __init__(self, ctx: Context, runner: Runner) -> None:
        self._ctx = ctx
        self._runner = runner
        self._words = access.cache(ctx.settings.data) / "status"
        self._lock = threading.Lock()
        self._running: set[Run] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def close(self) -> None:
        """End the programs; what they did stays, and they can be started again."""
        self._closed = True
        with self._lock:
            running, threads = list(self._running), list(self._threads)
        for run in running:
            run.stop()
        for thread in threads:
            thread.join(5)
        self._runner.close()

    def status(self, offer: Offer) -> Status | None:
        return status.read(self._words, offer.name)

    def add(self, ctx: Context, offers: Sequence[Offer], endpoint: str) -> None:
        """Begin to add what is not there and not being added. `endpoint` is where this hub answers to itself.

        Raises Forbidden unless the actor administers the hub, Busy when too many additions are under way.
        """
        if not ctx.actor.is_admin or ctx.actor.account_id is None:
            raise Forbidden("Only an administrator of this hub adds repositories of the zoo.")
        with self._lock:
            if len(self._running) >= _MOST:
                raise Busy("Several additions are under way: try again when one of them is done.", retry_after=30)
        wanted = [o for o in offers if not shelf.is_here(ctx, o) and status.announce(self._words, o.name)]
        if not wanted:
            return
        names = [offer.name for offer in wanted]
        thread = threading.Thread(
            target=self._run, args=(ctx.actor.account_id, names, endpoint), name="addition", daemon=True
        )
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _run(self, admin_id: int, names: list[str], endpoint: str) -> None:
        data = self._ctx.settings.data
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CORRAL_", "HF_"))}
        with access.granted(self._ctx, admin_id) as token:
            workload = Workload(
                name="addition",
                command=[sys.executable, "-m", "corral.starter.helper", str(access.cache(data)), *names],
                folder=access.cache(data),
                log=data / "logs" / "zoo" / f"{names[0]}.log",
                # it is a program of the hub's own, and asks pip and npm as they are set up for whoever runs the hub
                env=kept | access.environment(endpoint, token, data),
            )
            try:
                run = self._runner.start(workload)
            except OSError as error:
                self._failed(names, f"It could not be started: {error}")
                return
            with self._lock:
                self._running.add(run)
            while run.poll() is None:
                time.sleep(0.2)
            with self._lock:
                self._running.discard(run)
        if run.poll() and not self._closed:
            last = next(reversed(run.tail().strip().splitlines()), "it said nothing")
            self._failed(names, f"It ended with status {run.poll()}: {last}")

    def _failed(self, names: list[str], words: str) -> None:
        for name in names:
            status.fail(self._words, name, words)
