"""A running hub for the tests that speak to one, and the databases that it runs on.

`hub` is one server for the whole session (SQLite). `each_hub` is the same on each kind of database: a test that asks
for it, or for `each_alice`, runs once on SQLite and once on PostgreSQL. Both are shared, so tests work on repositories
of their own: `alice` and `bob` are there for names in the text of a test, `person` is a user of that test alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from building import postgres
from building.hub import PASSWORD, Hub, Person

NewRepo = Callable[..., str]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server, as a URL to which a database's name is to be added (`building.postgres`)."""
    try:
        with postgres.server() as url:
            yield url
    except postgres.NoPostgres as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def run_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Hub]]:
    """Starts hubs (arguments as `Hub`, without the folder) that are ended with the session."""
    hubs: list[Hub] = []

    def run(**options: str) -> Hub:
        hub = Hub(tmp_path_factory.mktemp("hub") / "data", **options)
        hubs.append(hub)
        return hub.start()

    yield run
    for hub in hubs:
        hub.ctx.db.close()
        hub.kill()


@pytest.fixture(scope="session")
def hub(run_hub: Callable[..., Hub]) -> Hub:
    return _peopled(run_hub())


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def each_hub(request: pytest.FixtureRequest, run_hub: Callable[..., Hub]) -> Iterator[Hub]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield request.getfixturevalue("hub")
            return
        url = stack.enter_context(postgres.database(request.getfixturevalue("postgres_server")))
        hub = _peopled(run_hub(database_url=url))
        yield hub
        hub.ctx.db.close()
        hub.kill()


def _peopled(hub: Hub) -> Hub:
    for name in ("alice", "bob"):
        hub.person(name, password=PASSWORD)
    return hub


def _known(hub: Hub, name: str) -> Person:
    from corral.core.actor import TokenRole

    return hub.token(Person(hub.url, name, ""), TokenRole.WRITE)


@pytest.fixture(scope="session")
def alice(hub: Hub) -> Person:
    """A user of the shared hub; the password is `building.hub.PASSWORD`."""
    return _known(hub, "alice")


@pytest.fixture(scope="session")
def bob(hub: Hub) -> Person:
    """Another one, who has no rights on what is alice's."""
    return _known(hub, "bob")


@pytest.fixture(scope="session")
def each_alice(each_hub: Hub) -> Person:
    return _known(each_hub, "alice")


@pytest.fixture
def person(hub: Hub) -> Person:
    """A user that no other test knows."""
    return hub.person()


@pytest.fixture
def anonymous(hub: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub.url, timeout=60) as client:
        yield client


@pytest.fixture
def new_repo() -> NewRepo:
    """Makes a repository with a name that nobody has: `new_repo(alice, "dataset", private=True)` -> its id."""

    def make(owner: Person, repo_type: str = "model", name: str | None = None, **options: object) -> str:
        if repo_type == "space":
            options.setdefault("space_sdk", "static")
        repo_id = f"{owner.name}/{name or f'{repo_type}-{secrets.token_hex(4)}'}"
        return owner.api.create_repo(repo_id, repo_type=repo_type, **options).repo_id  # type: ignore[arg-type]

    return make


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for the caches and settings of the programs that a test runs."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
