"""The starter content: the core of the zoo, put on a new hub by a process of its own, as a user would.

A marker in the database says that it is complete. Until then each start goes on with it; after that none does, so
that what was deleted stays deleted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from sqlalchemy import insert, select

from corral.context import Context
from corral.starter import access, shelf
from corral.storage import schema as t

_MARKER = "starter"


class Starter:
    """Runs the helper process for one start of the hub."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._helper = Helper(ctx)

    def is_due(self) -> bool:
        if not shelf.offers():
            return False
        with self._ctx.db.read() as connection:
            return connection.scalar(select(t.instance.c.value).where(t.instance.c.key == _MARKER)) is None

    def fill(self, endpoint: str) -> None:
        """Run the helper to its end; its progress goes to this terminal."""
        admin = access.any_admin(self._ctx)
        if admin is None:
            print("Nobody administers this hub (corral user admin NAME), so it stays without starter content.")
            return
        with access.granted(self._ctx, admin) as token:
            complete = self._helper.run(endpoint, token, [offer.name for offer in shelf.offers() if offer.core])
        if complete:
            with self._ctx.db.write() as connection:
                connection.execute(insert(t.instance).values(key=_MARKER, value="complete"))
        elif not self._helper.stopped:
            print("The starter content is not complete; the next start goes on with it.", flush=True)

    def stop(self) -> bool:
        """End the helper. Returns whether it was at work."""
        return self._helper.stop()


class Helper:
    """The program that adds repositories, its progress on this terminal."""

    def __init__(self, ctx: Context) -> None:
        self._data = ctx.settings.data
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def run(self, endpoint: str, token: str, names: list[str]) -> bool:
        """Whether all of them are there at the end."""
        with self._lock:
            if self.stopped:
                return False
            self._process = subprocess.Popen(
                [sys.executable, "-m", "corral.starter.helper", str(access.cache(self._data)), *names],
                env={**os.environ, **access.environment(endpoint, token, self._data)},
                # Ctrl-C is for the hub, which then ends its helper
                start_new_session=True,
            )
        return self._process.wait() == 0

    def stop(self) -> bool:
        """End it. Returns whether it was at work."""
        with self._lock:
            self.stopped = True
            if self._process is None or self._process.poll() is not None:
                return False
            self._process.terminate()
            return True
