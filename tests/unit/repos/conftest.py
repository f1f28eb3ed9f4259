from __future__ import annotations

import pytest

from corral.accounts import people
from corral.context import Context
from corral.core.actor import Actor
from corral.core.ids import RepoId, RepoType
from corral.repos import lifecycle
from corral.repos.lookup import Repo


@pytest.fixture
def ann(ctx: Context) -> Context:
    """The hub as ann sees it."""
    return ctx.acting_as(Actor(people.create_user(ctx, "ann").id, "ann"))


@pytest.fixture
def repo(ann: Context) -> Repo:
    """A new model of ann's."""
    return lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))


@pytest.fixture
def other(ann: Context) -> Repo:
    """Another one."""
    return lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "other"))
