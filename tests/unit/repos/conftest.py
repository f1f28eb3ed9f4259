from __future__ import annotations

from pathlib import Path

import pytest

from building.git import WorkingCopy
from corral.accounts import people
from corral.context import Context
from corral.core.actor import Actor
from corral.core.ids import RepoId, RepoType
from corral.repos import git, lifecycle
from corral.repos.lookup import Repo


@pytest.fixture
def ann(ctx: Context) -> Context:
    """The hub as ann sees it."""
    return ctx.acting_as(Actor(people.create_user(ctx, "ann").id, "ann"))


@pytest.fixture
def ben(ctx: Context) -> Context:
    """The hub as ben sees it, who has no rights on what is ann's."""
    return ctx.acting_as(Actor(people.create_user(ctx, "ben").id, "ben"))


@pytest.fixture
def repo(ann: Context) -> Repo:
    """A new model of ann's."""
    return lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))


@pytest.fixture
def other(ann: Context) -> Repo:
    """Another one."""
    return lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "other"))


@pytest.fixture
def copy(ann: Context, repo: Repo, tmp_path: Path) -> WorkingCopy:
    """A clone of ann's model."""
    return WorkingCopy(tmp_path / "copy", git.bare(ann, repo.id))
