from __future__ import annotations

import shutil
import subprocess
import time as clock
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building.git import WorkingCopy
from building.repos import send
from building.threads import in_threads
from corral.accounts import people
from corral.context import Context, shared_secret
from corral.core.actor import Actor
from corral.core.errors import EntryNotFound, HubError, RevisionNotFound, StaleParent, TooLarge, Unprocessable
from corral.core.ids import RepoId, RepoType
from corral.core.settings import Settings
from corral.repos import blobs, commits, fsck, git, lifecycle, read, refs
from corral.repos.commits import AddFile, AddLargeFile, Delete, Header, Operation
from corral.repos.lookup import Repo
from corral.repos.read import LfsPointer
from corral.storage.blobs import connect
from corral.storage.database import Database

SHA = "ab" * 32


def commit(ctx: Context, repo: Repo, *operations: Operation, parent: str | None = None, title: str = "change") -> str:
    return commits.commit(ctx, repo, "main", Header(title, parent=parent), operations).oid


def add(ctx: Context, repo: Repo, *paths: str, content: bytes = b"text") -> str:
    return commit(ctx, repo, *(AddFile(path, content) for path in paths))


def files(ctx: Context, repo: Repo, revision: str = "main") -> set[str]:
    """The files at `revision`, without the .gitattributes of a new repository."""
    found = read.entries(ctx, repo, read.commit_of(ctx, repo, revision), recursive=True)
    return {e.path for e in found if e.type == "file"} - {".gitattributes"}


def content(ctx: Context, repo: Repo, path: str) -> bytes:
    return read.read_file(ctx, repo, read.commit_of(ctx, repo, "main"), path)


def test_operations_apply_in_order(ann: Context, repo: Repo) -> None:
    add(ann, repo, "old/a", "old/b", "c")
    before = read.commit_of(ann, repo, "main")
    done = commits.commit(
        ann,
        repo,
        "main",
        Header("Move", "with\na body"),
        [Delete("old/"), AddFile("new/a", b"1"), AddFile("new/a", b"2"), Delete("c"), AddFile("c/below", b"3")],
    )
    assert files(ann, repo) == {"new/a", "c/below"}
    assert content(ann, repo, "new/a") == b"2"
    info = read.commit_info(ann, repo, done.oid)
    assert (info.title, info.message, info.parents) == ("Move", "with\na body", (before,))
    assert info.author.name == "ann"
    assert info.date == ann.clock()
    assert files(ann, repo, before) == {"old/a", "old/b", "c"}
    assert fsck.check(ann, deep=True) == []


@pytest.mark.parametrize(
    "name", ["#notes", "!x", "[a]", "*", "a?b", "a\\b", " x ", ":(top)x", "ünïcödé 🐎", "-rf", "%2e"]
)
def test_a_path_means_itself_whatever_it_looks_like(ann: Context, repo: Repo, name: str) -> None:
    add(ann, repo, "keep", "folder/keep", f"{name}/one", f"{name}/two/three")
    # a file takes the place of the folder, and of nothing else
    add(ann, repo, name)
    assert files(ann, repo) == {"keep", "folder/keep", name}
    commit(ann, repo, Delete(name), AddFile(f"{name}/again", b"text"))
    assert files(ann, repo) == {"keep", "folder/keep", f"{name}/again"}
    commit(ann, repo, Delete(f"{name}/"))
    assert files(ann, repo) == {"keep", "folder/keep"}


def test_a_folder_whose_name_begins_another(ann: Context, repo: Repo) -> None:
    add(ann, repo, "data/a", "data-2/b", "data.txt", "dat/c")
    commit(ann, repo, Delete("data"))
    assert files(ann, repo) == {"data-2/b", "data.txt", "dat/c"}


def test_nothing_below_a_file(ann: Context, repo: Repo) -> None:
    before = add(ann, repo, "a")
    with pytest.raises(Unprocessable, match="'a' is a file"):
        add(ann, repo, "b", "a/b/c")
    assert read.commit_of(ann, repo, "main") == before


def test_deleting_what_is_not_there(ann: Context, repo: Repo) -> None:
    before = add(ann, repo, "folder/a")
    for path in ("folder/b", "folde", "folder/a/b"):
        with pytest.raises(EntryNotFound, match="does not exist"):
            commit(ann, repo, AddFile("other", b""), Delete(path))
    with pytest.raises(EntryNotFound):
        # emptied by the same commit
        commit(ann, repo, Delete("folder/a"), Delete("folder"))
    assert read.commit_of(ann, repo, "main") == before


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a//b", "a/", "..", "a/../b", "./a", "a/.", ".git/config", "a/.GIT/x", ".git", "GIT~1/x", ".git ./x",
     ".git::$INDEX_ALLOCATION/x", "a\nb", "a\0b", "a\x7fb", "..\\a", "x" * 1025, "\ud800"],
)  # fmt: skip
def test_bad_paths_are_refused(ann: Context, repo: Repo, path: str) -> None:
    before = read.commit_of(ann, repo, "main")
    with pytest.raises(Unprocessable):
        add(ann, repo, path)
    assert read.commit_of(ann, repo, "main") == before


def test_modes_are_kept(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    copy.commit(**{"run.sh": "#!/bin/sh", "plain": "x", "target": "x"})
    (copy.folder / "run.sh").chmod(0o755)
    (copy.folder / "link").symlink_to("target")
    (copy.folder / "module").mkdir()
    copy.git("update-index", "--add", "--cacheinfo", f"160000,{'12' * 20},module")
    copy.commit()
    send(ann, repo, copy)
    add(ann, repo, "run.sh", "plain", content=b"again")
    assert modes(ann, repo) == {
        "run.sh": "100755", "plain": "100644", "target": "100644", "link": "120000", "module": "160000",
    }  # fmt: skip
    add(ann, repo, "link", "module", content=b"a file now")
    assert modes(ann, repo)["link"] == modes(ann, repo)["module"] == "100644"


def modes(ctx: Context, repo: Repo) -> dict[str, str]:
    """The mode of each file on main, as the real git has it, without the .gitattributes of a new repository."""
    command = ["git", "--git-dir", git.bare(ctx, repo.id), "ls-tree", "-r", "-z", "main"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    found = {line.partition("\t")[2]: line.split()[0] for line in listed if line}
    return {path: mode for path, mode in found.items() if path != ".gitattributes"}


def test_ten_thousand_files_at_once_and_again(ann: Context, repo: Repo) -> None:
    names = {f"d{number % 100}/e{number % 7}/file-{number}" for number in range(10_000)}
    began = clock.monotonic()
    commit(ann, repo, *(AddFile(name, name.encode()) for name in names))
    commit(ann, repo, *(AddFile(name, b"again") for name in sorted(names)[:1000]))
    assert clock.monotonic() - began < 60
    assert files(ann, repo) == names
    commit(ann, repo, *(Delete(f"d{number}") for number in range(1, 100)))
    assert files(ann, repo) == {name for name in names if name.startswith("d0/")}


def test_a_file_too_big_for_git(ann: Context, repo: Repo) -> None:
    with pytest.raises(TooLarge, match="big has 10485761 bytes"):
        add(ann, repo, "big", content=bytes(ann.settings.max_regular_file + 1))
    add(ann, repo, "fits", content=bytes(ann.settings.max_regular_file))


def hold(ctx: Context, repo: Repo, data: bytes, sha256: str = SHA) -> None:
    with ctx.blobs.writer() as writer:
        writer.write(data)
        writer.commit(blobs.blob_key(sha256))
    with ctx.change() as change:
        blobs.register(ctx, change, repo.id, sha256, len(data), whole=True)


def test_large_files(ann: Context, repo: Repo, other: Repo) -> None:
    hold(ann, repo, b"12345")
    commit(ann, repo, AddLargeFile("w.bin", SHA), AddLargeFile("x.bin", SHA, 5))
    # a pointer, as a clone without git-lfs has it
    commit(ann, repo, AddFile("y.bin", LfsPointer.text(SHA, 5)))
    for name in ("w.bin", "x.bin", "y.bin"):
        found = read.entry(ann, repo, read.commit_of(ann, repo, "main"), name)
        assert (found.size, found.etag) == (5, SHA)
        assert content(ann, repo, name) == b"12345"
    for refused, code in [
        (AddLargeFile("a", SHA, 6), "SizeMismatch"),
        (AddLargeFile("a", "cd" * 32), "LargeFileMissing"),
        (AddLargeFile("a", SHA.upper()), "InvalidOid"),
        (AddFile("a", LfsPointer.text("cd" * 32, 5)), "LargeFileMissing"),
    ]:
        with pytest.raises(Unprocessable) as error:
            commit(ann, repo, refused)
        assert error.value.code == code
    # another repository does not get it by naming it
    with pytest.raises(Unprocessable, match="upload it first"):
        commit(ann, other, AddLargeFile("w.bin", SHA))


@pytest.mark.parametrize("revision", ["nope", "v1", "refs/tags/v1", "refs/heads/nope"])
def test_only_branches_are_committed_to(ann: Context, repo: Repo, revision: str) -> None:
    refs.create_tag(ann, repo, "v1", read.commit_of(ann, repo, "main"), "", commits.signature(ann))
    with pytest.raises(RevisionNotFound):
        commits.commit(ann, repo, revision, Header("x"), [AddFile("a", b"")])


def test_the_expected_parent(ann: Context, repo: Repo) -> None:
    first = read.commit_of(ann, repo, "main")
    second = commit(ann, repo, AddFile("a", b""), parent=first)
    with pytest.raises(StaleParent):
        commit(ann, repo, AddFile("b", b""), parent=first)
    commit(ann, repo, AddFile("b", b""), parent=second[:8])
    assert files(ann, repo) == {"a", "b"}


def test_a_commit_is_built_again_on_a_branch_that_moved(ann: Context, repo: Repo) -> None:
    def operations() -> Iterator[Operation]:
        yield AddFile("mine", b"")
        # while it comes in, another one is made
        add(ann, repo, "theirs")

    commits.commit(ann, repo, "main", Header("slow"), operations())
    assert files(ann, repo) == {"mine", "theirs"}


def test_a_commit_with_a_parent_loses_against_one_that_came_between(ann: Context, repo: Repo) -> None:
    def operations() -> Iterator[Operation]:
        yield AddFile("mine", b"")
        add(ann, repo, "theirs")

    head = read.commit_of(ann, repo, "main")
    with pytest.raises(StaleParent):
        commits.commit(ann, repo, "main", Header("slow", parent=head), operations())
    assert files(ann, repo) == {"theirs"}


def test_commits_of_many_threads_are_all_there(ann: Context, repo: Repo) -> None:
    done = in_threads(8, lambda number: [add(ann, repo, f"{number}/{part}") for part in range(3)])
    assert not [error for error in done if isinstance(error, HubError)]
    assert files(ann, repo) == {f"{number}/{part}" for number in range(8) for part in range(3)}
    assert len(read.history(ann, repo, read.commit_of(ann, repo, "main"))) == 25
    assert fsck.check(ann, deep=True) == []


def test_of_many_with_the_same_parent_one_wins(ann: Context, repo: Repo) -> None:
    head = read.commit_of(ann, repo, "main")
    done = in_threads(6, lambda number: commit(ann, repo, AddFile(f"{number}", b""), parent=head))
    winners = [oid for oid in done if isinstance(oid, str)]
    assert winners == [read.commit_of(ann, repo, "main")]
    assert [type(error) for error in done if not isinstance(error, str)] == [StaleParent] * 5


def test_squash(ann: Context, repo: Repo) -> None:
    for number in range(3):
        add(ann, repo, f"{number}")
    before = files(ann, repo)
    oid = commits.squash(ann, repo, "main", "All in one")
    (only,) = read.history(ann, repo, read.commit_of(ann, repo, "main"))
    assert (only.oid, only.title, only.parents) == (oid, "All in one", ())
    assert files(ann, repo) == before
    # the same again makes the same commit: nothing is new, and nothing breaks
    assert commits.squash(ann, repo, "main", "All in one") == oid
    assert fsck.check(ann, deep=True) == []


def test_nothing_is_left_behind(ann: Context, repo: Repo) -> None:
    add(ann, repo, "a")
    with pytest.raises(Unprocessable):
        add(ann, repo, "b", "..")
    assert list((ann.settings.data / "tmp").iterdir()) == []
    assert not list((ann.settings.data / "cache").rglob("tmp-*"))


def test_a_deleted_repository_takes_no_commit(ann: Context, repo: Repo) -> None:
    def operations() -> Iterator[Operation]:
        yield AddFile("a", b"")
        lifecycle.remove(ann, repo)

    with pytest.raises(HubError) as error:
        commits.commit(ann, repo, "main", Header("late"), operations())
    assert error.value.status == 404


def test_texts_that_git_could_trip_over(ann: Context, repo: Repo) -> None:
    odd = "zero\0 and\r\nparent " + "0" * 40
    commit(ann, repo, AddFile("a", b""), title=odd)
    assert fsck.check(ann, deep=True) == []
    assert read.history(ann, repo, read.commit_of(ann, repo, "main"))[0].title.startswith("zero")


PATHS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


@pytest.fixture(scope="module")
def any_repo(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Context, Repo]:
    folder = tmp_path_factory.mktemp("any")
    (folder / "tmp").mkdir()
    db = Database(f"sqlite:///{shutil.copy(sqlite_template, folder / 'corral.db')}")
    hub = Context(Settings(data=folder), db, connect("memory:"), shared_secret(db))
    ctx = hub.acting_as(Actor(people.create_user(hub, "ann").id, "ann"))
    return ctx, lifecycle.create(ctx, RepoId(RepoType.MODEL, "ann", "model"))


@settings(deadline=None, max_examples=60)
@given(path=PATHS)
def test_any_path_is_refused_with_a_reason_or_found_again(any_repo: tuple[Context, Repo], path: str) -> None:
    ctx, repo = any_repo
    start = read.commit_of(ctx, repo, "main")
    name = "any"
    refs.create_branch(ctx, repo, name, start, overwrite=True)
    try:
        done = commits.commit(ctx, repo, name, Header("x"), [AddFile(path, path.encode())])
    except Unprocessable:
        return
    assert read.read_file(ctx, repo, done.oid, path) == path.encode()
    assert files(ctx, repo, name) == {path}
    commits.commit(ctx, repo, name, Header("x"), [Delete(path)])
    assert files(ctx, repo, name) == set()
