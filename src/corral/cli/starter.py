"""The starter content: put there by a process of its own, over HTTP with the stock client, as a user would.

A marker in the database says that it is complete. Until then each start goes on with it; after that none does, so
that what was deleted stays deleted.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from sqlalchemy import insert, select

from corral.accounts import orgs, people, tokens
from corral.context import Context
from corral.core.actor import TokenRole
from corral.storage import schema as t

_MARKER = "starter"
#: milliseconds that the helper's token is good for, should it never be revoked
_TOKEN_LIFE = 24 * 3600 * 1000
#: the organization that the starter content belongs to
OWNER = "corral"
_MODULE = "corral.cli.fill"


class Starter:
    """Runs the helper process for one start of the hub."""

    def __init__(self, ctx: Context, endpoint: str, *, wanted: bool) -> None:
        self._ctx = ctx
        self._endpoint = endpoint
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def is_due(self) -> bool:
        if not self._wanted or importlib.util.find_spec("zoo") is None:
            return False
        with self._ctx.db.read() as connection:
            return connection.scalar(select(t.instance.c.value).where(t.instance.c.key == _MARKER)) is None

    def fill(self) -> bool:
        """Run the helper to its end; its progress goes to this terminal. Returns whether all is there now."""
        admin = next((u for u in people.list_accounts(self._ctx) if u.is_admin), None)
        if admin is None:
            return False
        if people.find(self._ctx, OWNER) is None:
            orgs.create_org(self._ctx, OWNER, fullname="Corral starter content", admin_id=admin.id)
        until = self._ctx.clock() + _TOKEN_LIFE
        token = tokens.create(self._ctx, admin.id, "starter content", TokenRole.WRITE, expires_at=until)
        try:
            complete = self._run(token)
        finally:
            made = tokens.find(self._ctx, token)
            if made is not None:
                tokens.revoke(self._ctx, admin.id, made.token.id)
        if complete:
            with self._ctx.db.write() as connection:
                connection.execute(insert(t.instance).values(key=_MARKER, value="complete"))
        elif not self._stopped:
            print("The starter content is not complete; the next start goes on with it.", file=sys.stderr)
        return complete

    def stop(self) -> None:
        self._stopped = True
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()

    def _run(self, token: str) -> bool:
        environment = {**os.environ, "CORRAL_STARTER_TOKEN": token, "HF_ENDPOINT": self._endpoint}
        # the token is in the environment, not in the arguments that everybody on the machine can read
        self._process = subprocess.Popen([sys.executable, "-m", _MODULE, self._endpoint], env=environment)
        if self._stopped:
            self.stop()
        return self._process.wait() == 0
