"""`corral serve`: the first administrator, the web processes, the starter content, and what to try next."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from contextlib import suppress

from corral.accounts import people
from corral.cli.starter import Starter
from corral.context import Context
from corral.core.errors import Conflict
from corral.core.settings import Settings
from corral.server import run as server
from corral.server.hub import open_hub

_ADMIN = "admin"


def run(settings: Settings, *, starter: bool) -> None:
    """Serve until a signal says to end. Raises CannotServe when the address cannot be had."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    print(f"Corral is starting with the data in {settings.data}", flush=True)
    # as Ctrl-C, also before the server takes signals over and after it gave them back
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        ctx = open_hub(settings)
        start = _Start(ctx, starter)
        try:
            start.make_admin()
            server.serve(settings, start.ready)
        finally:
            start.end()
            ctx.db.close()
    print("Corral has ended.", flush=True)


class _Start:
    """What goes on beside the server from its first answer on, until the start is complete."""

    def __init__(self, ctx: Context, wanted: bool) -> None:
        self._ctx = ctx
        self._starter = Starter(ctx) if wanted else None
        self._password: str | None = None
        self._ended = threading.Event()
        self._done = threading.Event()

    def make_admin(self) -> None:
        """Give a hub without users an administrator; the password is shown when the start is complete."""
        if people.count_users(self._ctx):
            return
        given = os.environ.get("CORRAL_ADMIN_PASSWORD")
        made_up = secrets.token_urlsafe(12)
        # kept before the account is made: whatever cuts the start off, nobody is locked out
        self._password = None if given else made_up
        try:
            people.create_user(
                self._ctx, _ADMIN, given or made_up, fullname="Administrator", is_admin=True, trusted=True
            )
        except Conflict:
            # another process of the same hub was first
            self._password = None

    def ready(self, address: str) -> None:
        """The hub answers: fill it if it is new, then say what to try."""
        try:
            if self._starter is not None and self._starter.is_due():
                print(f"Corral answers at {address}. It is being filled with starter content:", flush=True)
                self._starter.fill(address)
            if not self._ended.is_set():
                self._say(self._ctx.settings.public_url.rstrip("/") or address)
        finally:
            self._done.set()

    def end(self) -> None:
        self._ended.set()
        if self._starter is not None and self._starter.stop():
            self._done.wait(5)
        if self._password is not None:
            # the start was cut off, or failed, before the password was shown
            print(self._sign_in(), flush=True)

    def _say(self, address: str) -> None:
        lines = [
            "",
            f"Corral is ready at {address} (Ctrl-C ends it)",
            self._sign_in() or f"Sign in at {address}/login, or sign up at {address}/join",
            "",
            "Try next:",
            f"  export HF_ENDPOINT={address}",
            "  hf auth login",
            "  hf upload my-first-model ./a-folder-with-a-model",
            "",
        ]
        print("\n".join(lines), flush=True)

    def _sign_in(self) -> str:
        """The made-up password, once."""
        password, self._password = self._password, None
        if password is None:
            return ""
        return f"Sign in as {_ADMIN} with the password {password} (shown only now; change it in the settings)"
