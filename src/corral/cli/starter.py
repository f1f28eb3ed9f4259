"""The starter content: put there by a process of its own, over HTTP with the stock client, as a user would.

A marker in the database says that it is complete. Until then each start goes on with it; after that none does, so
that what was deleted stays deleted.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading

from sqlalchemy import insert, select

from corral.accounts import orgs, people, tokens
from corral.context import Context
from corral.core.actor import TokenRole
from corral.storage import schema as t

#: the organization that the starter content belongs to
OWNER = "corral"
_MARKER = "starter"
#: milliseconds that the helper's token is good for, should the hub be killed before it is revoked
_TOKEN_LIFE = 6 * 3600 * 1000


class Starter:
    """Runs the helper process for one start of the hub."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def is_due(self) -> bool:
        if importlib.util.find_spec("zoo") is None:
            return False
        with self._ctx.db.read() as connection:
            return connection.scalar(select(t.instance.c.value).where(t.instance.c.key == _MARKER)) is None

    def fill(self, endpoint: str) -> None:
        """Run the helper to its end; its progress goes to this terminal."""
        admin = next((user for user in people.list_accounts(self._ctx) if user.is_admin), None)
        if admin is None:
            print("Nobody administers this hub (corral user admin NAME), so it stays without starter content.")
            return
        if people.find(self._ctx, OWNER) is None:
            orgs.create_org(self._ctx, OWNER, fullname="Corral's starter content", admin_id=admin.id)
        until = self._ctx.clock() + _TOKEN_LIFE
        token = tokens.create(self._ctx, admin.id, "starter content", TokenRole.WRITE, expires_at=until)
        try:
            complete = self._run(endpoint, token)
        finally:
            made = tokens.find(self._ctx, token)
            if made is not None:
                tokens.revoke(self._ctx, admin.id, made.token.id)
        if complete:
            with self._ctx.db.write() as connection:
                connection.execute(insert(t.instance).values(key=_MARKER, value="complete"))
        elif not self._stopped:
            print("The starter content is not complete; the next start goes on with it.", flush=True)

    def stop(self) -> bool:
        """End the helper. Returns whether it was at work."""
        with self._lock:
            self._stopped = True
            if self._process is None or self._process.poll() is not None:
                return False
            self._process.terminate()
            return True

    def _run(self, endpoint: str, token: str) -> bool:
        cache = self._ctx.settings.data / "cache" / "starter"
        # The token is in the environment, since everybody on the machine can read arguments. The client gets a home
        # of its own: in the user's, it may remember what an earlier hub at this address held.
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(cache / "client")}
        with self._lock:
            if self._stopped:
                return False
            self._process = subprocess.Popen(
                [sys.executable, "-m", "corral.cli.fill", str(cache)],
                env=environment,
                # Ctrl-C is for the hub, which then ends its helper
                start_new_session=True,
            )
        return self._process.wait() == 0
