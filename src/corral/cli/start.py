"""`corral serve`: the first administrator, the web processes, the starter content, and what to try next."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time
from dataclasses import dataclass

import httpx

from corral.accounts import people
from corral.cli.starter import Starter
from corral.context import Context
from corral.core.errors import Conflict, HubError
from corral.core.settings import Settings
from corral.server import run as server
from corral.server.hub import open_hub

_ADMIN = "admin"
#: seconds to wait for the first answer
_PATIENCE = 60


class PortTaken(HubError):
    code = "PortTaken"


@dataclass(slots=True)
class _News:
    """What the first start has to tell, once: the new administrator's password, where it was made up here."""

    settings: Settings
    address: str
    password: str | None

    def ready(self) -> None:
        print(f"\nCorral is at {self.address} (data in {self.settings.data}; Ctrl-C ends it)", flush=True)
        self.sign_in()
        print(
            "\nTry next:\n"
            f"  export HF_ENDPOINT={self.address}\n"
            "  hf auth login\n"
            "  hf upload my-first-model ./folder-with-a-model\n",
            flush=True,
        )

    def sign_in(self) -> None:
        if self.password is not None:
            print(f"Sign in as {_ADMIN} with the password {self.password} (shown this once; change it in the settings)")
            self.password = None
        else:
            print(f"Sign in at {self.address}/login, sign up at {self.address}/join")
        sys.stdout.flush()


def run(settings: Settings, *, starter: bool) -> None:
    """Serve until a signal says to end. Raises PortTaken when somebody else listens on the port."""
    _check_port(settings)
    ctx = open_hub(settings)
    news = _News(settings, _address(settings), _first_admin(ctx))
    helper = Starter(ctx, news.address, wanted=starter)
    ended = threading.Event()
    companion = threading.Thread(target=_accompany, args=(news, helper, ended), name="companion", daemon=True)
    companion.start()
    try:
        server.serve(settings)
    finally:
        ended.set()
        helper.stop()
        companion.join(timeout=5)
        if news.password is not None:
            # ended before the start was complete: nobody could sign in any more
            news.sign_in()
        ctx.db.close()


def _accompany(news: _News, helper: Starter, ended: threading.Event) -> None:
    """Beside the server: wait until it answers, see to the starter content, and say what to try."""
    if not _wait_until_ready(news.settings, ended):
        return
    if helper.is_due():
        print(f"Corral answers at {news.address}. Filling it with starter content:", flush=True)
        helper.fill()
    if not ended.is_set():
        news.ready()


def _wait_until_ready(settings: Settings, ended: threading.Event) -> bool:
    url = f"http://{_reachable(settings.host)}:{settings.port}/readyz"
    until = time.monotonic() + _PATIENCE
    while not ended.wait(0.1):
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return True
        except httpx.HTTPError:
            pass
        if time.monotonic() > until:
            print(f"The hub has not answered at {url} for {_PATIENCE} seconds: see its log above.", file=sys.stderr)
            return False
    return False


def _first_admin(ctx: Context) -> str | None:
    """Make the administrator of a hub without users. Returns the password if it was made up here."""
    if people.count_users(ctx):
        return None
    given = os.environ.get("CORRAL_ADMIN_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    try:
        people.create_user(ctx, _ADMIN, password, fullname="Administrator", is_admin=True, trusted=True)
    except Conflict:
        return None  # another process of the same hub was first
    return None if given else password


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise PortTaken(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
                "end what runs there, or choose another port with --port."
            ) from None


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104


def _address(settings: Settings) -> str:
    return settings.public_url.rstrip("/") or f"http://{_reachable(settings.host)}:{settings.port}"
