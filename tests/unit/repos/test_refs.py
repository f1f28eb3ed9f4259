from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from building.git import MAIN
from building.repos import write
from building.threads import in_threads
from building.time import Time
from corral.context import Context
from corral.core.errors import BadRequest, Conflict, Forbidden, NotFound, RepoNotFound, RevisionNotFound, StaleParent
from corral.core.events import RefsMoved, restore
from corral.repos import commits, fsck, git, lifecycle, lookup, read, refs
from corral.repos.git import StoredPack
from corral.repos.lookup import Repo
from corral.repos.refs import RefUpdate
from corral.storage import schema as t


def head(ctx: Context, repo: Repo) -> str:
    return refs.all(ctx, repo.id)[MAIN]


def tag(ctx: Context, repo: Repo, name: str, message: str = "") -> None:
    refs.create_tag(ctx, repo, name, head(ctx, repo), message, commits.signature(ctx))


def as_git_has_it(ctx: Context, repo: Repo, *words: str) -> str:
    command = ["git", "--git-dir", git.bare(ctx, repo.id), *words]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def move(ctx: Context, repo: Repo, *updates: tuple[str, str, str], pack: StoredPack | None = None) -> None:
    with ctx.change() as change:
        refs.move(ctx, change, repo, [RefUpdate(*update) for update in updates], pack)


def build(ctx: Context, repo: Repo, message: str) -> tuple[str, StoredPack]:
    """A commit that no ref names yet, and its pack."""
    with git.workshop(ctx, repo.id) as shop:
        tree = shop.git[head(ctx, repo)].tree_id
        return shop.commit(commits.signature(ctx), message, tree, []), shop.pack()


def moves(ctx: Context) -> list[RefsMoved]:
    with ctx.db.read() as c:
        rows = c.execute(select(t.events.c.kind, t.events.c.payload).order_by(t.events.c.id)).all()
    return [event for row in rows if isinstance(event := restore(row.kind, row.payload), RefsMoved)]


def used(ctx: Context, repo: Repo) -> int:
    found = lookup.get(ctx, repo.id)
    assert found is not None
    return found.used_storage


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a\tb", "a\nb", "a\0b", "a\x7fb", "a..b", "a~1", "a^", "a:b", "a?", "a*", "[a]", "a\\b", "@", "a@{1}",
     "-a", ".a", "a/.b", "a.", "a/", "/a", "a//b", "a.lock", "a.lock/b", "a" * 201],
)  # fmt: skip
def test_names_that_git_forbids_are_refused(ann: Context, repo: Repo, name: str) -> None:
    with pytest.raises(BadRequest, match="not a valid branch or tag name") as error:
        refs.create_branch(ann, repo, name, head(ann, repo))
    assert error.value.code == "InvalidRef"
    with pytest.raises(BadRequest):
        tag(ann, repo, name)
    assert list(refs.all(ann, repo.id)) == [MAIN]


def git_takes(name: str) -> bool:
    try:
        return subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False).returncode == 0
    except ValueError:
        # a program takes no zero byte
        return False


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*"ab/.-@{}~^:?*[\\ \x1f\x7fé🐎\u2028\0", ".lock"]), max_size=7).map("".join))
@example("a.LOCK")
def test_names_are_those_of_git(name: str) -> None:
    """Against the real git, which takes two more that its own commands cannot be given."""
    try:
        taken = refs.check_ref_name(name) == name
    except BadRequest:
        taken = False
    assert taken == (git_takes(name) and name != "@" and not name.startswith("-"))


@pytest.mark.parametrize("name", ["dev", "feature/one/two", "ünïcödé/🐎", "main2", "v1.0", "refs/heads/x", "é" * 120])
def test_a_branch_as_git_sees_it(ann: Context, repo: Repo, name: str) -> None:
    start = head(ann, repo)
    refs.create_branch(ann, repo, name, start)
    assert refs.read(ann, repo.id, f"refs/heads/{name}") == start
    assert as_git_has_it(ann, repo, "rev-parse", f"refs/heads/{name}").strip() == start
    refs.delete_branch(ann, repo, name)
    assert refs.read(ann, repo.id, f"refs/heads/{name}") is None
    assert as_git_has_it(ann, repo, "for-each-ref", "--format=%(refname)").split() == [MAIN]
    with pytest.raises(RevisionNotFound):
        refs.delete_branch(ann, repo, name)
    refs.create_branch(ann, repo, name, start)


def test_a_branch_that_exists_is_moved_only_when_asked(ann: Context, repo: Repo) -> None:
    first = head(ann, repo)
    refs.create_branch(ann, repo, "dev", first)
    second = write(ann, repo, {"a": "text"})
    with pytest.raises(Conflict, match="refs/heads/dev already exists"):
        refs.create_branch(ann, repo, "dev", second)
    assert refs.read(ann, repo.id, "refs/heads/dev") == first
    refs.create_branch(ann, repo, "dev", second, overwrite=True)
    assert refs.read(ann, repo.id, "refs/heads/dev") == second
    assert moves(ann)[-1].updates == (("refs/heads/dev", first, second),)


def test_the_default_branch_stays(ann: Context, repo: Repo) -> None:
    with pytest.raises(Forbidden, match="default branch"):
        refs.delete_branch(ann, repo, "main")
    assert list(refs.all(ann, repo.id)) == [MAIN]


@pytest.mark.parametrize(
    ("there", "new"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a"), ("a", "a/b/c"), ("main", "main/x")]
)
def test_no_ref_is_the_folder_of_another(ann: Context, repo: Repo, there: str, new: str) -> None:
    start = head(ann, repo)
    refs.create_branch(ann, repo, there, start, overwrite=True)
    for overwrite in (False, True):
        with pytest.raises(Conflict, match=f"refs/heads/{new} cannot be beside refs/heads/{there}"):
            refs.create_branch(ann, repo, new, start, overwrite=overwrite)
    # a tag is in another folder
    tag(ann, repo, new)
    assert as_git_has_it(ann, repo, "rev-parse", f"refs/tags/{new}").strip() == start


def test_the_way_is_free_again_when_the_other_is_gone(ann: Context, repo: Repo) -> None:
    start = head(ann, repo)
    for name in ("a/b", "a", "a/b/c"):
        refs.create_branch(ann, repo, name, start)
        assert as_git_has_it(ann, repo, "rev-parse", f"refs/heads/{name}").strip() == start
        refs.delete_branch(ann, repo, name)


@pytest.mark.parametrize(
    ("ref", "taken", "found"),
    [
        ("refs/heads/a/b", [MAIN, "refs/heads/a"], "refs/heads/a"),
        ("refs/heads/a/b/c", [MAIN, "refs/heads/a"], "refs/heads/a"),
        ("refs/heads/a", [MAIN, "refs/heads/a/b/c"], "refs/heads/a/b/c"),
        ("refs/pr/1/x", ["refs/pr/1"], "refs/pr/1"),
        ("refs/heads/a/b", ["refs/heads/a-b", "refs/heads/a/bc", "refs/heads/ab", "refs/heads/A", "refs/tags/a"], None),
        ("refs/heads/a", ["refs/heads/a-b", "refs/heads/ab/c", "refs/heads/b/a", "refs/tags/a/b"], None),
        ("refs/heads/a", ["refs/heads/a"], None),
        ("refs/heads/a", ["refs", "refs/heads"], None),
        ("refs/heads/a", [], None),
    ],
)
def test_what_is_in_the_way(ref: str, taken: list[str], found: str | None) -> None:
    assert refs.in_the_way(ref, taken) == found


def test_a_light_tag_and_one_with_a_message(ann: Context, repo: Repo) -> None:
    start = head(ann, repo)
    tag(ann, repo, "light")
    tag(ann, repo, "v1/ü", "Erste Fassung 🐎\n\nmit Text")
    assert refs.read(ann, repo.id, "refs/tags/light") == start
    note = refs.read(ann, repo.id, "refs/tags/v1/ü") or ""
    assert note != start
    shown = as_git_has_it(ann, repo, "cat-file", "tag", note)
    assert shown.startswith(f"object {start}\ntype commit\ntag v1/ü\ntagger ann <ann@users.noreply.corral> ")
    assert shown.endswith("\n\nErste Fassung 🐎\n\nmit Text\n")
    assert read.commit_of(ann, repo, "light") == read.commit_of(ann, repo, "v1/ü") == start
    assert fsck.check(ann, deep=True) == []


@pytest.mark.parametrize("message", ["", "a message"])
def test_a_tag_is_not_moved(ann: Context, repo: Repo, message: str) -> None:
    tag(ann, repo, "v1")
    write(ann, repo, {"a": "text"})
    before = refs.all(ann, repo.id)
    for name, words in (("v1", "refs/tags/v1 already exists"), ("v1/x", "cannot be beside refs/tags/v1")):
        with pytest.raises(Conflict, match=words):
            tag(ann, repo, name, message)
    assert refs.all(ann, repo.id) == before
    refs.delete_tag(ann, repo, "v1")
    with pytest.raises(RevisionNotFound):
        refs.delete_tag(ann, repo, "v1")
    tag(ann, repo, "v1", message)
    assert read.commit_of(ann, repo, "v1") == head(ann, repo)


def test_refs_move_all_or_not_at_all(ann: Context, repo: Repo, time: Time) -> None:
    first = head(ann, repo)
    before, events = refs.all(ann, repo.id), len(moves(ann))
    lost = [
        [("refs/heads/new", "", first), (MAIN, "1" * 40, first)],
        [("refs/heads/new", "", first), (MAIN, "", first)],
        [("refs/heads/new", "", first), ("refs/heads/absent", first, "")],
        [(MAIN, first, ""), ("refs/heads/absent", first, first)],
    ]
    time.forward(60)
    for updates in lost:
        with pytest.raises(StaleParent):
            move(ann, repo, *updates)
        assert refs.all(ann, repo.id) == before
    assert len(moves(ann)) == events
    updates = (("refs/heads/new", "", first), ("refs/tags/v1", "", first), (MAIN, first, first))
    move(ann, repo, *updates)
    assert list(refs.all(ann, repo.id)) == [MAIN, "refs/heads/new", "refs/tags/v1"]
    assert moves(ann)[-1] == RefsMoved(repo.id, updates, ann.actor.account_id)
    found = lookup.get(ann, repo.id)
    assert found is not None
    assert found.updated_at == time()


def test_a_pack_counts_once(ann: Context, repo: Repo) -> None:
    before = used(ann, repo)
    oid, pack = build(ann, repo, "one")
    for name in ("one", "two"):
        move(ann, repo, (f"refs/heads/{name}", "", oid), pack=pack)
    assert used(ann, repo) == before + pack.size
    oid, lost = build(ann, repo, "another")
    with pytest.raises(StaleParent):
        move(ann, repo, ("refs/heads/one", "", oid), pack=lost)
    assert used(ann, repo) == before + pack.size


def test_each_repository_has_refs_of_its_own(ann: Context, repo: Repo, other: Repo) -> None:
    refs.create_branch(ann, repo, "dev", head(ann, repo))
    assert list(refs.all(ann, other.id)) == [MAIN]
    with pytest.raises(RevisionNotFound):
        refs.delete_branch(ann, other, "dev")


def test_nothing_moves_in_what_was_deleted(ann: Context, repo: Repo) -> None:
    start = head(ann, repo)
    oid, pack = build(ann, repo, "late")
    lifecycle.remove(ann, repo)
    with pytest.raises(RepoNotFound):
        refs.create_branch(ann, repo, "dev", start)
    with pytest.raises(RepoNotFound):
        move(ann, repo, (MAIN, start, oid), pack=pack)
    with pytest.raises(NotFound):
        refs.delete_branch(ann, repo, "dev")
    assert refs.all(ann, repo.id) == {}


def test_of_many_who_create_or_delete_a_branch_one_does(ann: Context, repo: Repo) -> None:
    start = head(ann, repo)
    done = in_threads(5, lambda _: refs.create_branch(ann, repo, "dev", start))
    assert sorted(type(one).__name__ for one in done) == ["Conflict"] * 4 + ["NoneType"]
    done = in_threads(5, lambda _: refs.delete_branch(ann, repo, "dev"))
    assert sum(one is None for one in done) == 1
    assert all(one is None or isinstance(one, NotFound) for one in done)
    assert list(refs.all(ann, repo.id)) == [MAIN]
