"""Merging one commit into a branch, three ways, without a work tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pygit2
from pygit2.enums import SortMode

from corral.context import Change, Context
from corral.core.errors import Conflict, StaleParent
from corral.repos import commits, git, read, refs
from corral.repos.lookup import Repo
from corral.repos.read import CommitInfo

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """`theirs` against a branch: where they parted ('' if nowhere), and which files both changed differently."""

    base: str
    conflicts: tuple[str, ...]


def _trees(handle: pygit2.Repository, ours: str, theirs: str) -> tuple[str, pygit2.Index]:
    base = handle.merge_base(pygit2.Oid(hex=ours), pygit2.Oid(hex=theirs))
    # histories that never met have nothing in common
    ancestor = handle[base].peel(pygit2.Tree) if base else handle.TreeBuilder().write()
    merged = handle.merge_trees(ancestor, handle[ours].peel(pygit2.Tree), handle[theirs].peel(pygit2.Tree))
    return str(base) if base else "", merged


def _conflicts(index: pygit2.Index) -> tuple[str, ...]:
    sides = list(index.conflicts or ())
    return tuple(sorted({entry.path for three in sides for entry in three if entry is not None}))


def compare(ctx: Context, repo: Repo, ours: str, theirs: str) -> Comparison:
    """What a merge of the commit `theirs` into the commit `ours` would meet. Writes nothing."""
    with git.workshop(ctx, repo.id) as shop:
        base, index = _trees(shop.git, ours, theirs)
        return Comparison(base, _conflicts(index))


def between(ctx: Context, repo: Repo, ours: str, theirs: str, most: int = 250) -> list[CommitInfo]:
    """The commits that `theirs` has and `ours` has not, oldest first, at most `most`."""
    git.lookup(ctx, repo.id, theirs)
    git.lookup(ctx, repo.id, ours)
    walker = git.objects(ctx, repo.id).walk(pygit2.Oid(hex=theirs), SortMode.TOPOLOGICAL | SortMode.TIME)
    walker.hide(pygit2.Oid(hex=ours))
    found = [str(commit.id) for _, commit in zip(range(most), walker, strict=False)]
    return [read.commit_info(ctx, repo, oid) for oid in reversed(found)]


def merge(ctx: Context, repo: Repo, ref: str, theirs: str, message: str, done: Callable[[Change, str], None]) -> str:
    """Merge the commit `theirs` into the branch `ref` and return the merge commit's oid.

    `done` is called with it in the transaction that moves the branch, to write down what hangs on it.
    Raises Conflict naming the files that both sides changed, RevisionNotFound when there is no such branch.
    """
    for _ in range(_ATTEMPTS):
        _, ours = commits.head_of(ctx, repo, ref)
        with git.workshop(ctx, repo.id) as shop:
            _, index = _trees(shop.git, ours, theirs)
            if conflicts := _conflicts(index):
                raise Conflict(
                    f"It cannot be merged: both sides changed {', '.join(conflicts[:10])}"
                    f"{' and more' if len(conflicts) > 10 else ''}. Bring the changes of the branch into it first.",
                    code="MergeConflict",
                    files=list(conflicts),
                )
            oid = shop.commit(commits.signature(ctx), message, index.write_tree(shop.git), [ours, theirs])
            try:
                with ctx.change() as change:
                    refs.move(ctx, change, repo, [refs.RefUpdate(ref, ours, oid)], shop.pack())
                    done(change, oid)
            except StaleParent:
                # somebody else moved the branch: merge again on its new head
                continue
            return oid
    raise StaleParent
