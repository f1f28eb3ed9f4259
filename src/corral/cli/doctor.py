"""What `corral doctor` looks at."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from corral.core.settings import Settings
from corral.storage import blobs
from corral.storage.database import Database

#: bytes of free disk below which there is no room for a model
_LITTLE_ROOM = 5 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """`fine` None is worth knowing, but no fault."""

    fine: bool | None
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    yield Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]} (3.11 or newer is needed)")
    yield from _programs()
    yield from _disk(settings)
    yield _database(settings)
    yield _store(settings)
    found = importlib.util.find_spec("torch") is not None and importlib.util.find_spec("transformers") is not None
    yield Finding(
        found or None,
        "torch and transformers are installed: models can be tried"
        if found
        else "torch and transformers are not installed: nothing can be tried on the pages (pip install 'corral[ml]')",
    )
    yield _running(settings)


def _programs() -> Iterator[Finding]:
    for name, need in (("git", "clone and push"), ("git-lfs", "clone with large files, on clients")):
        path = shutil.which(name)
        if path is None:
            yield Finding(False if name == "git" else None, f"{name} is not installed; it is needed to {need}")
            continue
        version = subprocess.run([path, "version"], capture_output=True, text=True, check=False).stdout.strip()
        yield Finding(True, version or name)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    room = f"{free / 2**30:.1f} GiB free for {settings.data}"
    yield Finding(free > _LITTLE_ROOM or None, room)


def _database(settings: Settings) -> Finding:
    where = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    try:
        db = Database(settings.database_url)
        with db.read() as connection:
            connection.execute(text("SELECT 1"))
        db.close()
    except (SQLAlchemyError, OSError) as error:
        return Finding(False, f"the {where} database does not answer: {str(error).splitlines()[0]}")
    return Finding(True, f"the {where} database answers")


def _store(settings: Settings) -> Finding:
    key, probe = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    try:
        store = blobs.connect(settings.storage_url)
        with store.writer() as writer:
            writer.write(probe)
            writer.commit(key)
        with store.open(key) as file:
            same = file.read() == probe
        store.delete(key)
    except (OSError, ValueError, KeyError) as error:
        return Finding(False, f"the store {settings.storage_url} does not take bytes: {error}")
    return Finding(same, f"the store {settings.storage_url} takes bytes and gives them back")


def _running(settings: Settings) -> Finding:
    try:
        status = httpx.get(f"http://{settings.host}:{settings.port}/readyz", timeout=3).status_code
    except httpx.HTTPError:
        return Finding(None, f"no hub is running at {settings.address}")
    return Finding(status == 200, f"the hub at {settings.address} answers {status}")
