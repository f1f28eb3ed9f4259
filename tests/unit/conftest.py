"""A hub without a server, on each kind of database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import event

from building import postgres
from building.time import Time
from corral.context import Context, shared_secret
from corral.core.settings import Settings
from corral.storage.blobs import connect
from corral.storage.database import Database
from corral.storage.migrate import upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: each test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/corral.db"
        return
    with postgres.database(request.getfixturevalue("postgres_server")) as url:
        yield url


def _migrated(url: str) -> str:
    db = Database(url)
    upgrade(db)
    db.close()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "corral.db"
    _migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    with postgres.database(postgres_server) as url:
        yield _migrated(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with all tables and no rows. A test that asks for it, or for `ctx`, runs on both kinds."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            template: Path = request.getfixturevalue("sqlite_template")
            url = f"sqlite:///{shutil.copy(template, tmp_path / 'corral.db')}"
        else:
            server, copied = (request.getfixturevalue(f"postgres_{name}") for name in ("server", "template"))
            url = stack.enter_context(postgres.database(server, copied))
        made = Database(url)
        yield made
        made.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ctx(db: Database, tmp_path: Path, time: Time) -> Context:
    """An empty hub in which nobody is signed in."""
    (tmp_path / "tmp").mkdir()
    return Context(Settings(data=tmp_path), db, connect("memory:"), shared_secret(db), clock=time)


@pytest.fixture
def statements(ctx: Context) -> Iterator[list[str]]:
    """The queries that the hub has made, as they come."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    event.listen(ctx.db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(ctx.db.engine, "before_cursor_execute", note)
