from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from corral.accounts import people
from corral.catalogue import index
from corral.context import Context
from corral.core.actor import Actor
from corral.core.ids import RepoId, RepoType
from corral.repos import commits, lifecycle
from corral.repos.lookup import Repo

Make = Callable[..., Repo]


def signed_in(ctx: Context, name: str) -> Context:
    return ctx.acting_as(Actor(people.create_user(ctx, name).id, name))


def write(ctx: Context, repo: Repo, files: Mapping[str, bytes | str]) -> str:
    """Commit these files to main and let the catalogue know."""
    operations = [commits.AddFile(p, c.encode() if isinstance(c, str) else c) for p, c in files.items()]
    oid = commits.commit(ctx, repo, "main", commits.Header("Add files"), operations).oid
    index.refresh(ctx, repo.id)
    return oid


@pytest.fixture
def ann(ctx: Context) -> Context:
    """The hub as ann sees it."""
    return signed_in(ctx, "ann")


@pytest.fixture
def bob(ctx: Context) -> Context:
    """The hub as bob sees it."""
    return signed_in(ctx, "bob")


@pytest.fixture
def make(ann: Context) -> Make:
    """Makes a repository of ann's with a card and files, already in the catalogue."""

    def made(
        name: str,
        card: str = "",
        files: Mapping[str, bytes | str] | None = None,
        *,
        type: RepoType = RepoType.MODEL,
        private: bool = False,
    ) -> Repo:
        repo = lifecycle.create(
            ann, RepoId(type, "ann", name), private=private, sdk="static" if type is RepoType.SPACE else None
        )
        content = {"README.md": f"---\n{card}\n---\n# {name}\n", **(files or {})} if card else dict(files or {})
        if content:
            write(ann, repo, content)
        else:
            index.refresh(ann, repo.id)
        return repo

    return made
