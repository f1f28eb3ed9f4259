"""A hub as its users see it: a process of its own, with people who have tokens."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import httpx
from huggingface_hub import HfApi

from corral.accounts import orgs, people, tokens
from corral.accounts.rights import OPERATOR
from corral.context import Context
from corral.core.actor import OrgRole, TokenRole
from corral.core.settings import Settings
from corral.server.hub import open_hub

PASSWORD = "correct-horse-battery-staple"
_START_SECONDS = 60
#: a hub does not outlive the tests, even when they are killed
_WITH_US = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Person:
    """A user with a write token. `api` is the stock client signed in as this user."""

    url: str
    name: str
    token: str

    @cached_property
    def api(self) -> HfApi:
        return HfApi(endpoint=self.url, token=self.token)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def client(self) -> httpx.Client:
        """HTTP as this user; does not follow redirects."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=60)

    def git_url(self, repo: str) -> str:
        """The address of `owner/name` (or `datasets/owner/name`) for git, with the token as password."""
        return f"{self.url.replace('://', f'://{self.name}:{self.token}@')}/{repo}"

    def environment(self, home: Path) -> dict[str, str]:
        """What a program needs around it to be this user at this hub, with all its files under `home`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "CORRAL_", "GIT_"))}
        return kept | {
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
        }


class Hub:
    """`corral serve` on a free port with its data in `folder`. Nothing runs before `start`."""

    def __init__(self, folder: Path, database_url: str = "", workers: int = 1, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = Settings(data=folder, database_url=database_url, port=self.port, workers=workers)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @cached_property
    def ctx(self) -> Context:
        """The same hub without HTTP, for the operator: what tests set up or look at past the wire."""
        return open_hub(self.settings).acting_as(OPERATOR)

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None, "the hub is not running"
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """For the `corral` command on this hub."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "CORRAL_"))}
        chosen = {
            "CORRAL_DATA": str(self.folder),
            "CORRAL_DATABASE_URL": self.settings.database_url,
            "CORRAL_PORT": str(self.port),
            "CORRAL_WORKERS": str(self.settings.workers),
            "CORRAL_STARTER": "0",
            "CORRAL_ADMIN_PASSWORD": PASSWORD,
        }
        return kept | chosen | self._environment

    def corral(self, *words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a `corral` command on this hub's data; does not raise when it fails."""
        return subprocess.run(
            [sys.executable, "-m", "corral", *words],
            env=self.environment(),
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self) -> Hub:
        """Start it and wait until it answers. Raises AssertionError with its log when it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [*_WITH_US, sys.executable, "-m", "corral", "serve"],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return self
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the hub did not start:\n{self.log}")

    def stop(self) -> float:
        """End it as Ctrl-C does. Returns the seconds that took."""
        return self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it, and every process that it started, at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> float:
        assert self._process is not None, "the hub is not running"
        began = time.monotonic()
        self._process.send_signal(how)
        self._process.wait(30)
        if self._log is not None:
            self._log.close()
        self._process = self._log = None
        return time.monotonic() - began

    def person(self, name: str | None = None, *, password: str | None = None, admin: bool = False) -> Person:
        """A new user, by default with a name nobody has; without a password he signs in only by token."""
        name = name or f"user-{secrets.token_hex(4)}"
        user = people.create_user(self.ctx, name, password, email=f"{name}@example.org", is_admin=admin, trusted=True)
        return Person(self.url, name, tokens.create(self.ctx, user.id, "test", TokenRole.WRITE))

    def token(self, person: Person, role: TokenRole) -> Person:
        """The same user with another token."""
        user = people.find_user(self.ctx, person.name)
        return Person(self.url, person.name, tokens.create(self.ctx, user.id, role.value, role))

    def organization(self, name: str | None = None, **roles: OrgRole) -> str:
        """A new organization with these members (name of a user = role); its name."""
        name = name or f"org-{secrets.token_hex(4)}"
        org = orgs.create_org(self.ctx, name)
        for member, role in roles.items():
            orgs.set_member(self.ctx, org, people.find_user(self.ctx, member), role)
        return name
