"""Commits and what they changed: the second half of `repos.read`."""

from __future__ import annotations

from itertools import chain

import pytest

from building.git import WorkingCopy
from building.repos import send, write
from corral.context import Context
from corral.core.clock import iso
from corral.repos import commits, read, refs
from corral.repos.commits import AddFile, Delete, Header, Operation
from corral.repos.lookup import Repo
from corral.repos.read import FileChange


def titles(ctx: Context, repo: Repo, commit: str, **window: int) -> list[str]:
    return [info.title for info in read.history(ctx, repo, commit, **window)]


def change(ctx: Context, repo: Repo, *operations: Operation) -> str:
    return commits.commit(ctx, repo, "main", Header("change"), operations).oid


def diff(ctx: Context, repo: Repo, commit: str, base: str | None = None) -> dict[str, FileChange]:
    return {one.path: one for one in read.diff(ctx, repo, commit, base=base)}


@pytest.fixture
def merged(ann: Context, repo: Repo, copy: WorkingCopy) -> str:
    """main: 'ours', then a merge of a branch with 'theirs 1' and 'theirs 2'."""
    copy.git("checkout", "-q", "-b", "side")
    copy.commit("theirs 1", side="1", both="1")
    copy.commit("theirs 2", side="2")
    copy.git("checkout", "-q", "main")
    copy.commit("ours", ours="1")
    copy.git("merge", "-q", "-m", "the merge", "side")
    return send(ann, repo, copy)


def test_history_in_pages(ann: Context, repo: Repo) -> None:
    for number in range(5):
        last = write(ann, repo, {"a": f"{number}"}, title=f"{number}")
    everything = ["4", "3", "2", "1", "0", "initial commit"]
    assert titles(ann, repo, last) == everything
    for size in (1, 2, 4, 6):
        pages = (titles(ann, repo, last, skip=skip, limit=size) for skip in range(0, 8, size))
        assert list(chain.from_iterable(pages)) == everything
    assert titles(ann, repo, last, skip=6) == titles(ann, repo, last, limit=0) == []
    assert read.count_commits(ann, repo, last) == 6
    assert read.count_commits(ann, repo, last, most=4) == 4
    assert titles(ann, repo, read.commit_of(ann, repo, last[:9]), limit=1) == ["4"]


def test_a_merge_comes_before_what_it_merged(ann: Context, repo: Repo, merged: str) -> None:
    found = titles(ann, repo, merged)
    assert (found[0], found[-1]) == ("the merge", "initial commit")
    assert found.index("theirs 2") < found.index("theirs 1")
    assert sorted(found) == ["initial commit", "ours", "the merge", "theirs 1", "theirs 2"]
    assert read.count_commits(ann, repo, merged) == 5
    assert len(read.commit_info(ann, repo, merged).parents) == 2


@pytest.mark.parametrize(
    ("text", "title", "message"),
    [
        ("One line", "One line", ""),
        ("Title\n\nBody\n\nmore\n", "Title", "Body\n\nmore"),
        ("Title\nBody", "Title", "Body"),
        ("ünïcödé 🐎\n\né", "ünïcödé 🐎", "é"),
    ],
)
def test_the_words_of_a_commit(
    ann: Context, repo: Repo, copy: WorkingCopy, text: str, title: str, message: str
) -> None:
    who = {"GIT_AUTHOR_NAME": "Ann Ü 🐎", "GIT_AUTHOR_EMAIL": "ann@ü.example", "GIT_AUTHOR_DATE": "@86400 +0000"}
    copy.git("commit", "-q", "--allow-empty", "-m", text, env=who | {"GIT_COMMITTER_DATE": "@1000000000 -0330"})
    info = read.commit_info(ann, repo, send(ann, repo, copy))
    assert (info.title, info.message) == (title, message)
    assert (info.author.name, info.author.email) == ("Ann Ü 🐎", "ann@ü.example")
    # when it was committed, not when it was written
    assert info.date == 1_000_000_000_000


@pytest.mark.parametrize(("encoding", "shown"), [(b"ISO-8859-1", "é"), (b"", "\ufffd")])
def test_words_that_are_no_utf8(ann: Context, repo: Repo, copy: WorkingCopy, encoding: bytes, shown: str) -> None:
    copy.odd_commit(encoding, name=b"\xe9", message=b"d\xe9j\xe0 vu\n\n\xe9")
    (info, _) = read.history(ann, repo, send(ann, repo, copy))
    assert (info.title[1], info.message, info.author.name) == (shown, shown, shown)


def test_any_word_may_stand_as_the_encoding(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    """One that Python does not know, or knows as something else than an encoding of texts."""
    for word in (b"nonsense", b"zlib", b"rot13", b"idna", b"punycode", b"undefined", b"\xe9", b"../x", b"a b"):
        copy.odd_commit(word, name="é".encode(), message="déjà vu\n\né".encode() + b"\xe9")
    *odd, _ = read.history(ann, repo, send(ann, repo, copy))
    assert len(odd) == 9
    assert {(info.title, info.message, info.author.name) for info in odd} == {("déjà vu", "é\ufffd", "é")}


def test_what_an_encoding_makes_of_words_can_be_shown(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    """Neither JSON nor HTML has halves of a character, nor has a database zero bytes."""
    for word, half, zero in ((b"utf-7", b"+2AA-", b"+AAA-"), (b"unicode_escape", rb"\ud800", rb"\0")):
        copy.odd_commit(word, name=b"A" + zero, message=half + b"\n\nB" + zero)
    *odd, _ = read.history(ann, repo, send(ann, repo, copy))
    assert [(info.title, info.message, info.author.name) for info in odd] == [("?", "B\ufffd", "A\ufffd")] * 2


def test_dates_that_no_calendar_has(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    dates = (0, 100_000_000_000_000, 2**62)
    oids = [copy.odd_commit(date=date) for date in dates]
    found = {info.oid: iso(info.date) for info in read.history(ann, repo, send(ann, repo, copy))}
    latest = "9999-12-31T23:59:59.999Z"
    assert [found[oid] for oid in oids] == ["1970-01-01T00:00:00.000Z", latest, latest]


def test_a_commit_without_words(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    copy.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    info = read.commit_info(ann, repo, send(ann, repo, copy))
    assert (info.title, info.message) == ("", "")


def test_the_commit_that_changed_a_path_last(ann: Context, repo: Repo) -> None:
    first = write(ann, repo, {"a/b/c": "1", "a/d": "1", "e": "1", "ü": "1"})
    second = write(ann, repo, {"a/b/c": "2"})
    third = change(ann, repo, Delete("ü"), AddFile("e", b"1"))
    found = read.last_commits(ann, repo, third, ["a", "a/b", "a/b/c", "a/d", "e", ".gitattributes"])
    start = read.history(ann, repo, third)[-1].oid
    assert {path: info.oid for path, info in found.items()} == {
        "a": second, "a/b": second, "a/b/c": second, "a/d": first, "e": first, ".gitattributes": start,
    }  # fmt: skip
    again = change(ann, repo, AddFile("ü", b"1"))
    assert read.last_commits(ann, repo, again, ["ü"])["ü"].oid == again
    assert read.last_commits(ann, repo, again, []) == {}


def test_no_more_commits_are_looked_at_than_allowed(ann: Context, repo: Repo) -> None:
    oids = [write(ann, repo, {"a": f"{number}"}) for number in range(4)]
    found = read.last_commits(ann, repo, oids[-1], ["a", ".gitattributes"], most=2)
    # what was looked at last stands for all that is older
    assert {path: info.oid for path, info in found.items()} == {"a": oids[3], ".gitattributes": oids[1]}


def test_a_merge_brings_what_came_from_the_side(ann: Context, repo: Repo, merged: str) -> None:
    found = read.last_commits(ann, repo, merged, ["ours", "side", "both"])
    assert {path: info.title for path, info in found.items()} == {
        "ours": "ours", "side": "the merge", "both": "the merge",
    }  # fmt: skip


def test_what_a_commit_changed(ann: Context, repo: Repo) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    write(ann, repo, {"old name": text, "edited": "1\n2\n3\n", "gone": "x\n", "bytes": b"\0\1", "kept": "x"})
    oid = change(
        ann,
        repo,
        *(AddFile("ü/new name", text.encode()), Delete("old name"), Delete("gone"), AddFile("edited", b"1\n3\n4\n5\n")),
        *(AddFile("bytes", b"\0\2"), AddFile("added", b"\xff\n")),
    )
    found = diff(ann, repo, oid)
    assert {path: (one.status, one.additions, one.deletions, one.binary) for path, one in found.items()} == {
        "added": ("added", 1, 0, False),
        "bytes": ("modified", 0, 0, True),
        "edited": ("modified", 2, 1, False),
        "gone": ("deleted", 0, 1, False),
        "ü/new name": ("renamed", 0, 0, False),
    }
    assert found["ü/new name"].old_path == "old name"
    assert found["bytes"].patch == ""
    assert "-2\n 3\n+4\n+5\n" in found["edited"].patch
    # bytes that are no UTF-8 become marks
    assert "+\ufffd\n" in found["added"].patch


def test_the_first_commit_added_everything(ann: Context, repo: Repo) -> None:
    (only,) = read.diff(ann, repo, read.commit_of(ann, repo, "main"))
    assert (only.path, only.status, only.deletions) == (".gitattributes", "added", 0)


def test_against_another_commit(ann: Context, repo: Repo) -> None:
    one = write(ann, repo, {"a": "1", "b": "1"})
    write(ann, repo, {"a": "2", "c": "1"})
    two = write(ann, repo, {"a": "1", "d": "1"})
    assert {path: change.status for path, change in diff(ann, repo, two, one).items()} == {"c": "added", "d": "added"}
    assert {path: change.status for path, change in diff(ann, repo, one, two).items()} == {
        "c": "deleted", "d": "deleted",
    }  # fmt: skip
    assert diff(ann, repo, two, two) == {}


def test_a_merge_is_shown_against_its_first_parent(ann: Context, repo: Repo, merged: str) -> None:
    assert sorted(diff(ann, repo, merged)) == ["both", "side"]


def test_a_diff_has_no_more_files_than_allowed(ann: Context, repo: Repo) -> None:
    oid = write(ann, repo, {f"{number}": "x" for number in range(5)})
    assert [one.path for one in read.diff(ann, repo, oid, most_files=3)] == ["0", "1", "2"]


def test_links_and_submodules_are_shown_as_text(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    (copy.folder / "link").symlink_to("/etc/passwd")
    copy.commit()
    copy.git("update-index", "--add", "--cacheinfo", f"160000,{'12' * 20},module")
    copy.git("commit", "-q", "--amend", "-m", "odd things")
    found = diff(ann, repo, send(ann, repo, copy))
    assert "+/etc/passwd\n" in found["link"].patch
    assert f"+Subproject commit {'12' * 20}\n" in found["module"].patch


def test_history_of_a_branch_that_leads_away(ann: Context, repo: Repo) -> None:
    start = read.commit_of(ann, repo, "main")
    refs.create_branch(ann, repo, "dev", start)
    write(ann, repo, {"a": "1"}, "dev", title="on dev")
    write(ann, repo, {"a": "2"}, title="on main")
    for branch in ("dev", "main"):
        assert titles(ann, repo, read.commit_of(ann, repo, branch)) == [f"on {branch}", "initial commit"]
