from __future__ import annotations

from pathlib import Path

import pytest

from corral.accounts import people
from corral.context import Context
from corral.core.actor import Actor
from corral.core.ids import RepoId, RepoType
from corral.core.settings import Settings
from corral.repos import lifecycle
from corral.repos.lookup import Repo
from corral.storage.blobs import connect
from corral.storage.database import Database


@pytest.fixture
def ctx(db: Database, tmp_path: Path) -> Context:
    """A hub with an empty store: on disk with SQLite, in memory with PostgreSQL."""
    for folder in ("tmp", "cache"):
        (tmp_path / folder).mkdir()
    store = connect(f"file://{tmp_path}/store" if db.is_sqlite else "memory:")
    return Context(Settings(data=tmp_path), db, store, b"secret")


def _repo(ctx: Context, name: str, private: bool) -> Repo:
    user = people.find(ctx, name) or people.create_user(ctx, name)
    rid = RepoId(RepoType.MODEL, name, "private" if private else "public")
    return lifecycle.create(ctx.acting_as(Actor(user.id, name)), rid, private=private)


@pytest.fixture
def repo(ctx: Context) -> Repo:
    """A public repository of ann's."""
    return _repo(ctx, "ann", private=False)


@pytest.fixture
def hidden(ctx: Context) -> Repo:
    """A private repository of ben's."""
    return _repo(ctx, "ben", private=True)
