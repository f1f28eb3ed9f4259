"""Refs that git cannot have beside each other, as refs/heads/a and refs/heads/a/b, whichever way they come."""

from __future__ import annotations

from pathlib import Path

import pytest

from building.git import MAIN, WorkingCopy, push_body
from building.repos import write
from building.threads import in_threads
from corral.context import Context
from corral.core.errors import Conflict
from corral.repos import git, lookup, push, refs
from corral.repos.lookup import Repo
from corral.repos.refs import RefUpdate

Command = tuple[str, str, str]
#: a race may come out right by chance, but not each time
_ROUNDS = 6


def send(ctx: Context, repo: Repo, copy: WorkingCopy, *commands: Command, abilities: str = "report-status") -> str:
    """Push what the hub has already; the answer."""
    head = copy.oid()
    pack = copy.pack(head, head) if any(new for _, new, _ in commands) else b""
    return push.receive(ctx, repo, iter([push_body(list(commands), pack, abilities)])).decode()


def assert_git_takes_them(ctx: Context, repo: Repo, folder: Path) -> None:
    """A mirror has each ref as a file, or as the folder of others."""
    mirror = WorkingCopy(folder, git.bare(ctx, repo.id), "--mirror")
    mirror.git("pack-refs", "--all", "--no-prune")
    shown = mirror.git("for-each-ref", "--format=%(refname) %(objectname)").decode().split()
    assert dict(zip(shown[::2], shown[1::2], strict=True)) == refs.all(ctx, repo.id)


def pair(number: int) -> list[str]:
    return [f"refs/heads/r{number}", f"refs/heads/r{number}/b"]


def branches_at_once(ctx: Context, repo: Repo, names: list[str], start: str) -> list[object]:
    short = [name.removeprefix("refs/heads/") for name in names]
    return in_threads(len(short), lambda one: refs.create_branch(ctx, repo, short[one], start))


def pushes_at_once(ctx: Context, repo: Repo, copy: WorkingCopy, names: list[str], start: str) -> list[object]:
    return in_threads(len(names), lambda one: send(ctx, repo, copy, ("", start, names[one])))


def test_of_two_branches_that_are_created_at_once_one_is(ann: Context, repo: Repo, tmp_path: Path) -> None:
    start = refs.all(ann, repo.id)[MAIN]
    for number in range(_ROUNDS):
        done = branches_at_once(ann, repo, pair(number), start)
        assert sorted(type(one).__name__ for one in done) == ["Conflict", "NoneType"]
        (lost,) = (one for one in done if one is not None)
        assert "cannot be beside" in str(lost)
    assert len(refs.all(ann, repo.id)) == 1 + _ROUNDS
    assert_git_takes_them(ann, repo, tmp_path / "mirror")


def test_of_two_branches_that_are_pushed_at_once_one_is(
    ann: Context, repo: Repo, copy: WorkingCopy, tmp_path: Path
) -> None:
    start = copy.oid()
    for number in range(_ROUNDS):
        names = pair(number)
        answers = pushes_at_once(ann, repo, copy, names, start)
        said = [str(answer) for answer in answers]
        assert sum(f"ok {name}\n" in answer for name, answer in zip(names, said, strict=True)) == 1
        assert sum(f"ng {name} another ref is in the way" in text for name, text in zip(names, said, strict=True)) == 1
    assert len(refs.all(ann, repo.id)) == 1 + _ROUNDS
    assert_git_takes_them(ann, repo, tmp_path / "mirror")


def test_a_branch_that_is_created_while_a_push_is_checked(
    ann: Context, repo: Repo, copy: WorkingCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push is told so for the one ref, and the others move; all stay where they are if they hang together."""
    start, new = copy.oid(), copy.commit(a="1")
    stored = git.store_pack

    def store_pack(ctx: Context, repo_id: int, pack: Path, idx: Path) -> git.StoredPack:
        refs.create_branch(ctx, repo, "r/b", start)
        return stored(ctx, repo_id, pack, idx)

    monkeypatch.setattr(git, "store_pack", store_pack)
    commands = [("", new, "refs/heads/r"), ("", new, "refs/heads/s")]
    before = {MAIN: start, "refs/heads/r/b": start}
    for abilities, more in (("report-status atomic", {}), ("report-status", {"refs/heads/s": new})):
        answer = push.receive(ann, repo, iter([push_body(commands, copy.pack(new, start), abilities)])).decode()
        assert "ng refs/heads/r another ref is in the way" in answer
        assert ("ok refs/heads/s" in answer) == bool(more)
        assert ("ng refs/heads/s atomic push failed" in answer) == (not more)
        assert refs.all(ann, repo.id) == before | more
        refs.delete_branch(ann, repo, "r/b")
    assert_git_takes_them(ann, repo, tmp_path / "mirror")


@pytest.mark.parametrize("abilities", ["report-status", "report-status atomic"])
def test_one_gives_way_to_the_other_in_one_push(
    ann: Context, repo: Repo, copy: WorkingCopy, tmp_path: Path, abilities: str
) -> None:
    start = copy.oid()
    old, new = "refs/heads/a", "refs/heads/a/b"
    refs.create_branch(ann, repo, "a", start)
    for turned in (False, True):
        # there and back, whichever is named first
        for gone, made in ((old, new), (new, old)):
            commands = [(start, "", gone), ("", start, made)]
            answer = send(ann, repo, copy, *commands[:: -1 if turned else 1], abilities=abilities)
            assert f"ok {gone}\n" in answer
            assert f"ok {made}\n" in answer
            assert refs.all(ann, repo.id) == {MAIN: start, made: start}
            assert_git_takes_them(ann, repo, tmp_path / f"mirror {turned} {made[-1]}")


def test_what_is_not_deleted_after_all_stays_in_the_way(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    start = copy.oid()
    refs.create_branch(ann, repo, "a", start)
    stale = copy.commit(x="1")
    before = refs.all(ann, repo.id)
    answer = send(ann, repo, copy, (stale, "", "refs/heads/a"), ("", start, "refs/heads/a/b"))
    assert "ng refs/heads/a fetch first" in answer
    assert "ng refs/heads/a/b another ref is in the way" in answer
    assert refs.all(ann, repo.id) == before


def test_of_those_in_one_push_the_first_is_made(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    start = copy.oid()
    for number, names in enumerate((pair(0), pair(1)[::-1])):
        answer = send(ann, repo, copy, *(("", start, name) for name in [*names, f"refs/heads/free{number}"]))
        assert f"ok {names[0]}\n" in answer
        assert f"ng {names[1]} another ref is in the way" in answer
        assert f"ok refs/heads/free{number}" in answer
    assert list(refs.all(ann, repo.id)) == [
        "refs/heads/free0", "refs/heads/free1", MAIN, "refs/heads/r0", "refs/heads/r1/b",
    ]  # fmt: skip


def test_a_move_of_refs_checks_what_comes_in_it(ann: Context, repo: Repo) -> None:
    start = write(ann, repo, {"a": "1"})
    before = refs.all(ann, repo.id), lookup.get(ann, repo.id)
    ann.clock.forward(60)  # type: ignore[attr-defined]
    with pytest.raises(Conflict, match=r"refs/heads/x(/y)? cannot be beside refs/heads/x"), ann.change() as change:
        refs.move(ann, change, repo, [RefUpdate(f"refs/heads/{name}", "", start) for name in ("x", "x/y")], None)
    assert (refs.all(ann, repo.id), lookup.get(ann, repo.id)) == before
