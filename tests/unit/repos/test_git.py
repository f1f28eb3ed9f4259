from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from building.repos import write
from corral.context import Context
from corral.core.ids import RepoId, RepoType
from corral.repos import git, lifecycle, read
from corral.repos.lookup import Repo
from corral.storage import schema as t
from corral.storage.blobs import connect


@pytest.fixture
def elsewhere(ann: Context, tmp_path: Path) -> Context:
    """The same hub as another process has it, which has seen no repository yet."""
    return replace(ann, settings=replace(ann.settings, data=tmp_path / "elsewhere"))


def packs(ctx: Context, repo: Repo) -> list[str]:
    """Oldest first."""
    with ctx.db.read() as c:
        return list(c.scalars(select(t.packs.c.name).where(t.packs.c.repo_id == repo.id).order_by(t.packs.c.id)))


def brought_in(ctx: Context) -> set[str]:
    """The files of packs that this process has."""
    return {file.name for file in ctx.settings.data.rglob("objects/pack/*")}


def test_another_process_finds_what_this_one_wrote(ann: Context, elsewhere: Context, repo: Repo) -> None:
    assert read.commit_of(elsewhere, repo, "main") == read.commit_of(ann, repo, "main")
    oid = write(ann, repo, {"a": "text"})
    assert read.commit_of(elsewhere, repo, oid[:8]) == oid
    assert read.read_file(elsewhere, repo, oid, "a") == b"text"
    there = write(elsewhere, repo, {"b": "more"})
    assert [e.path for e in read.entries(ann, repo, there)] == [".gitattributes", "a", "b"]


def test_the_oldest_pack_comes_in_first(ann: Context, elsewhere: Context, repo: Repo) -> None:
    for number in range(8):
        write(ann, repo, {f"{number}": "text"})
    made = packs(ann, repo)
    for missing in (7, 4, 0):
        ann.blobs.delete(git.pack_key(repo.id, made[missing], "pack"))
        with pytest.raises(KeyError):
            git.sync(elsewhere, repo.id)
        assert brought_in(elsewhere) == {f"pack-{name}.{end}" for name in made[:missing] for end in ("pack", "idx")}
        git.forget(elsewhere, repo.id)


@pytest.mark.parametrize("store", ["memory:", "file"])
def test_a_pack_that_comes_in_twice_or_half_leaves_nothing_else(
    ann: Context, elsewhere: Context, tmp_path: Path, store: str
) -> None:
    ann, elsewhere = (
        replace(ctx, blobs=connect(f"file://{tmp_path}/store") if store == "file" else ann.blobs)
        for ctx in (ann, elsewhere)
    )
    repo = lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "x"))
    (name,) = packs(ann, repo)
    folder = git.sync(elsewhere, repo.id) / "objects" / "pack"
    expected = {f"pack-{name}.pack", f"pack-{name}.idx"}
    assert brought_in(elsewhere) == expected
    git.bring_in(elsewhere, repo.id, name, folder)
    assert brought_in(elsewhere) == expected
    ann.blobs.delete(git.pack_key(repo.id, name, "idx"))
    with pytest.raises(KeyError):
        git.bring_in(elsewhere, repo.id, name, folder)
    assert brought_in(elsewhere) == expected
