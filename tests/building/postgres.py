"""A PostgreSQL server of the tests' own, from the programs that the machine has; without TCP and without fsync."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url

from corral.storage.database import Database

_numbers = itertools.count()


class NoPostgres(Exception):
    """The machine has no PostgreSQL programs; the message says how to get them."""


@contextmanager
def server() -> Iterator[str]:
    """A running server, as a URL to which a database's name is to be added (`with_name`). Raises NoPostgres."""
    given = os.environ.get("CORRAL_TEST_POSTGRES")
    if given:
        yield given
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (programs and str(programs[-1]))
    if not found:
        raise NoPostgres("PostgreSQL is not installed: apt-get install postgresql")
    bin_folder = Path(found).parent
    with tempfile.TemporaryDirectory(prefix="corral-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        as_user: list[str] = []
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root; its package brings a user of its own
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = folder / "data"

        def run(*command: str | Path) -> None:
            subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

        run(bin_folder / "initdb", "-D", data, "-U", "corral", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=200"
        control = bin_folder / "pg_ctl"
        run(control, "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield f"postgresql://corral@/NAME?host={folder}"
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")


def with_name(url: str, name: str) -> str:
    return url.replace("NAME", name)


@contextmanager
def database(url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on the server, a copy of `template` (a URL or a name), dropped afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _execute(url, f"CREATE DATABASE {name} TEMPLATE {make_url(template).database if '/' in template else template}")
    try:
        yield with_name(url, name)
    finally:
        _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    db = Database(with_name(url, "postgres"))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    db.close()
