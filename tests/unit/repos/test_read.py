from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from building.git import WorkingCopy
from building.repos import send, upload, write
from corral.context import Context
from corral.core.errors import EntryNotFound, RevisionNotFound, TooLarge
from corral.core.ids import RepoId, RepoType
from corral.repos import blobs, commits, lifecycle, read, refs
from corral.repos.lookup import Repo
from corral.repos.read import Entry, LfsPointer
from corral.storage.blobs import connect

SHA = "ab" * 32
POINTER = LfsPointer.text(SHA, 12)


def head(ctx: Context, repo: Repo) -> str:
    return read.commit_of(ctx, repo, "main")


def tag(ctx: Context, repo: Repo, name: str, target: str, message: str = "") -> None:
    refs.create_tag(ctx, repo, name, target, message, commits.signature(ctx))


def paths(found: list[Entry]) -> list[str]:
    """Without the .gitattributes of a new repository."""
    return [e.path for e in found if e.path != ".gitattributes"]


@pytest.fixture
def tree(ann: Context, repo: Repo) -> str:
    """A commit with files in folders."""
    return write(ann, repo, {"b": "bb", "a/x": "x", "a/ü/🐎.txt": "horse", "a-b": "", "a.b/c": "c"})


def test_what_names_a_commit(ann: Context, repo: Repo) -> None:
    first, second = head(ann, repo), write(ann, repo, {"a": "text"})
    refs.create_branch(ann, repo, "feature/ü", first)
    tag(ann, repo, "light", first)
    tag(ann, repo, "v1.0", first, "a message")
    noted = refs.all(ann, repo.id)["refs/tags/v1.0"]
    for name in ("feature/ü", "refs/heads/feature/ü", "light", "refs/tags/light", "v1.0", "refs/tags/v1.0",
                 first, first[:7], first[:39], noted, noted[:9]):  # fmt: skip
        assert read.commit_of(ann, repo, name) == first
    for name in ("main", "refs/heads/main", second, second[:7]):
        assert read.commit_of(ann, repo, name) == second


def test_other_names_are_no_revision(ann: Context, repo: Repo, tree: str) -> None:
    a, b = read.some_entries(ann, repo, tree, ["a", "b"])
    odd = ["", "/", "nope", "Main", "main ", "main\n", "main~1", "main^{tree}", "heads/main", "refs/heads", "é"]
    for name in [*odd, tree[:6], tree + "0", "f" * 40, "f" * 7, a.oid, b.oid, b.oid[:10], "refs/heads/nope"]:
        with pytest.raises(RevisionNotFound) as error:
            read.commit_of(ann, repo, name)
        assert error.value.message == f"Invalid rev id: {name}"


def test_a_branch_goes_before_a_tag_of_the_same_name(ann: Context, repo: Repo) -> None:
    first, second = head(ann, repo), write(ann, repo, {"a": "text"})
    tag(ann, repo, "both", first)
    refs.create_branch(ann, repo, "both", second)
    assert read.commit_of(ann, repo, "both") == second
    assert read.commit_of(ann, repo, "refs/tags/both") == first
    refs.delete_branch(ann, repo, "both")
    assert read.commit_of(ann, repo, "both") == first


def test_a_commit_goes_before_a_branch_or_tag_that_has_its_id_as_name(ann: Context, repo: Repo) -> None:
    first, second = head(ann, repo), write(ann, repo, {"a": "text"})
    refs.create_branch(ann, repo, first, second)
    tag(ann, repo, first, second)
    assert read.commit_of(ann, repo, first) == first
    assert read.commit_of(ann, repo, f"refs/heads/{first}") == second
    # the shortened id is a name like any other
    refs.create_branch(ann, repo, first[:10], second)
    assert read.commit_of(ann, repo, first[:10]) == second


def test_a_name_of_forty_digits_that_is_no_commit_is_a_branch(ann: Context, repo: Repo, tree: str) -> None:
    (folder,) = read.some_entries(ann, repo, tree, ["a"])
    for name in ("12" * 20, folder.oid):
        refs.create_branch(ann, repo, name, tree)
        assert read.commit_of(ann, repo, name) == tree


def test_a_commit_of_another_repository_is_not_found(ann: Context, repo: Repo, other: Repo) -> None:
    oid = write(ann, repo, {"a": "text"})
    for name in (oid, oid[:10]):
        with pytest.raises(RevisionNotFound):
            read.commit_of(ann, other, name)


def test_a_short_id_of_two_objects_names_none(ann: Context, repo: Repo) -> None:
    seen: dict[str, bytes] = {}
    for number in itertools.count():
        data = b"%d" % number
        twin = seen.setdefault(read.git_blob_id(data)[:7], data)
        if twin != data:
            break
    write(ann, repo, {"one": data, "two": twin})
    with pytest.raises(RevisionNotFound):
        read.commit_of(ann, repo, read.git_blob_id(data)[:7])


def test_a_tag_of_a_tag(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    copy.git("tag", "-a", "-m", "one", "v1")
    copy.git("tag", "-a", "-m", "two", "v2", "v1")
    send(ann, repo, copy, "refs/tags/v2", "v2")
    assert read.commit_of(ann, repo, "v2") == copy.oid()


def test_folders(ann: Context, repo: Repo, tree: str) -> None:
    assert paths(read.entries(ann, repo, tree)) == ["a-b", "a.b", "a", "b"]
    everything = ["a-b", "a.b", "a.b/c", "a", "a/x", "a/ü", "a/ü/🐎.txt", "b"]
    assert paths(read.entries(ann, repo, tree, recursive=True)) == everything
    for path in ("a", "a/", "/a", "//a//"):
        found = read.entries(ann, repo, tree, path)
        assert [(e.path, e.type, e.size) for e in found] == [("a/x", "file", 1), ("a/ü", "directory", 0)]
    assert paths(read.entries(ann, repo, tree, "a", recursive=True)) == ["a/x", "a/ü", "a/ü/🐎.txt"]


def test_single_entries(ann: Context, repo: Repo, tree: str) -> None:
    file = Entry("a/ü/🐎.txt", "file", read.git_blob_id(b"horse"), 5)
    assert read.entry(ann, repo, tree, "/a/ü/🐎.txt") == file
    assert file.etag == file.oid
    assert read.entry(ann, repo, tree, "a/ü").type == "directory"
    assert read.entry(ann, repo, tree, "").path == read.entry(ann, repo, tree, "/").path == ""
    found = read.some_entries(ann, repo, tree, ["b", "nope", "a/ü/🐎.txt", "a", "b/", "", "a//x", "b/c"])
    assert [(e.path, e.type) for e in found] == [
        ("b", "file"), ("a/ü/🐎.txt", "file"), ("a", "directory"), ("", "directory"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["nope", "a/nope", "b/below", "B", ".", "..", "./b", "a/../b", "a//x", "a/.", "b\n", "*", ".git", "a\\x",
     "b\0.png", "a\0/x"],
)  # fmt: skip
def test_a_missing_path_tells_where_it_is_missing(ann: Context, repo: Repo, tree: str, path: str) -> None:
    for look in (read.entry, read.entries, read.read_file):
        with pytest.raises(EntryNotFound, match="does not exist on") as error:
            look(ann, repo, tree, path)
        assert error.value.headers == {"X-Repo-Commit": tree}
    assert read.some_entries(ann, repo, tree, [path]) == []


def test_a_file_is_no_folder_nor_the_other_way_round(ann: Context, repo: Repo, tree: str) -> None:
    with pytest.raises(EntryNotFound):
        read.entries(ann, repo, tree, "b")
    for folder in ("a", ""):
        with pytest.raises(EntryNotFound):
            read.read_file(ann, repo, tree, folder)
        with pytest.raises(EntryNotFound, match="is not a file"):
            read.git_blob(ann, repo, read.entry(ann, repo, tree, folder))


def test_links_lead_nowhere(ann: Context, repo: Repo, copy: WorkingCopy, tmp_path: Path) -> None:
    for name, target in (("out", "/etc/passwd"), ("round", "round"), ("folder", ".")):
        (copy.folder / name).symlink_to(target)
    copy.commit()
    pointer = LfsPointer.text(upload(ann, repo, b"weights"), 7)
    blob = copy.git("hash-object", "-w", "--stdin", input=pointer).decode().strip()
    copy.git("update-index", "--add", "--cacheinfo", f"120000,{blob},pointer")
    copy.git("commit", "-q", "-m", "a link that looks like a large file")
    oid = send(ann, repo, copy)
    assert read.read_file(ann, repo, oid, "out") == b"/etc/passwd"
    assert read.read_file(ann, repo, oid, "pointer") == pointer
    with pytest.raises(EntryNotFound):
        read.entry(ann, repo, oid, "folder/out")
    read.materialise(ann, repo, oid, tmp_path / "laid")
    assert (tmp_path / "laid" / "out").read_text() == "/etc/passwd"
    assert not any(path.is_symlink() for path in (tmp_path / "laid").rglob("*"))


def test_a_submodule_is_an_empty_file_in_lists(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    copy.submodule("module")
    oid = send(ann, repo, copy)
    found = Entry("module", "file", "12" * 20, 0)
    assert read.entry(ann, repo, oid, "module") == found
    assert found in read.entries(ann, repo, oid, recursive=True)
    assert read.some_entries(ann, repo, oid, ["module", "module/x"]) == [found]
    with pytest.raises(EntryNotFound):
        read.entries(ann, repo, oid, "module")


def test_a_submodule_has_no_bytes(ann: Context, repo: Repo, copy: WorkingCopy, tmp_path: Path) -> None:
    copy.commit(empty="")
    copy.submodule("deep/module")
    # the commit that it is at may also be here
    copy.git("update-index", "--add", "--cacheinfo", f"160000,{copy.oid()},own")
    copy.git("commit", "-q", "-m", "its own submodule")
    oid = send(ann, repo, copy)
    for path in ("deep/module", "own"):
        found = read.entry(ann, repo, oid, path)
        assert found.is_submodule
        with pytest.raises(EntryNotFound, match=f"{path} is a submodule"):
            read.git_blob(ann, repo, found)
        with pytest.raises(EntryNotFound):
            read.read_file(ann, repo, oid, path)
    assert not any(read.entry(ann, repo, oid, path).is_submodule for path in ("empty", "deep", ""))
    assert read.read_file(ann, repo, oid, "empty") == b""
    laid = tmp_path / "laid"
    for _ in range(2):
        # also where it was laid out before
        read.materialise(ann, repo, oid, laid)
    assert {str(path.relative_to(laid)) for path in laid.rglob("*")} == {
        ".gitattributes", "empty", "deep", "deep/module", "own",
    }  # fmt: skip
    assert all((laid / path).is_dir() for path in ("deep/module", "own"))


def test_an_empty_commit_holds_nothing(ann: Context, repo: Repo, tmp_path: Path) -> None:
    commits.commit(ann, repo, "main", commits.Header("empty"), [commits.Delete(".gitattributes")])
    oid = head(ann, repo)
    assert read.entries(ann, repo, oid, recursive=True) == []
    assert read.entry(ann, repo, oid, "").oid == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    read.materialise(ann, repo, oid, tmp_path / "laid")
    assert not (tmp_path / "laid").exists()


@pytest.mark.parametrize("data", [b"", b"text\n", b"\0\xff" * 99, "é".encode()])
def test_a_file_has_the_id_that_git_gives_it(ann: Context, repo: Repo, copy: WorkingCopy, data: bytes) -> None:
    oid = write(ann, repo, {"file": data})
    expected = copy.git("hash-object", "--stdin", input=data).decode().strip()
    assert read.git_blob_id(data) == read.entry(ann, repo, oid, "file").oid == expected
    assert (
        read.read_file(ann, repo, oid, "file") == read.git_blob(ann, repo, read.entry(ann, repo, oid, "file")) == data
    )


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (POINTER, LfsPointer(SHA, 12, len(POINTER))),
        (LfsPointer.text(SHA, 0), LfsPointer(SHA, 0, 126)),
        (POINTER.replace(b"oid", b"ext-0-x sha256:1\next-1-y z\noid"), LfsPointer(SHA, 12, len(POINTER) + 27)),
        (POINTER[:-1], None),
        (POINTER + b"\n", None),
        (POINTER + b"x y\n", None),
        (b"\n" + POINTER, None),
        (POINTER.replace(b"\n", b"\r\n"), None),
        (POINTER.replace(b"12", b"-1"), None),
        (POINTER.replace(b"12", "١".encode()), None),
        (POINTER.replace(b"12", b"9" * 20), None),
        (POINTER.replace(b"ab", b"AB"), None),
        (POINTER.replace(b"sha256", b"sha512"), None),
        (POINTER.replace(b"git-lfs.github.com", b"hawser.github.com"), None),
        (b"", None),
    ],
)
def test_what_is_a_pointer(text: bytes, pointer: LfsPointer | None) -> None:
    assert LfsPointer.parse(text) == pointer


def test_a_large_file_is_what_it_stands_for(ann: Context, repo: Repo) -> None:
    data = b"weights" * 100
    sha256 = upload(ann, repo, data)
    oid = commits.commit(ann, repo, "main", commits.Header("x"), [commits.AddLargeFile("w", sha256)]).oid
    found = read.entry(ann, repo, oid, "w")
    pointer = LfsPointer.text(sha256, len(data))
    assert (found.size, found.etag, found.oid) == (700, sha256, read.git_blob_id(pointer))
    assert found.lfs == LfsPointer(sha256, 700, len(pointer))
    assert read.git_blob(ann, repo, found) == pointer
    assert read.read_file(ann, repo, oid, "w") == data
    with pytest.raises(TooLarge, match="w has 700 bytes, more than the 699"):
        read.read_file(ann, repo, oid, "w", limit=699)


@pytest.mark.parametrize("large", [False, True])
def test_parts_of_a_file(ann: Context, repo: Repo, large: bool) -> None:
    data = b"0123456789"
    operation = commits.AddLargeFile("f", upload(ann, repo, data)) if large else commits.AddFile("f", data)
    oid = commits.commit(ann, repo, "main", commits.Header("x"), [operation]).oid
    found = read.entry(ann, repo, oid, "f")
    for start, length in ((0, None), (3, None), (3, 4), (0, 0), (9, 1), (10, None), (8, 99)):
        with read.open_file(ann, repo, found, start, length) as file:
            assert file.read() == data[start:][:length]


@pytest.mark.parametrize("store", ["memory:", "file:"])
def test_a_commit_laid_out_in_a_folder(ann: Context, tmp_path: Path, store: str) -> None:
    """Large files are links where the store is a disk, and copies elsewhere."""
    ctx = replace(ann, blobs=connect(f"file://{tmp_path}/store" if store == "file:" else store))
    repo = lifecycle.create(ctx, RepoId(RepoType.MODEL, "ann", "x"))
    files = {"a/ü.txt": b"text", "a/b/c": b"", "d": b"\0\xff"}
    write(ctx, repo, files)
    sha256 = upload(ctx, repo, b"weights")
    large = [commits.AddLargeFile(path, sha256) for path in ("w", "a/b/w")]
    oid = commits.commit(ctx, repo, "main", commits.Header("x"), large).oid
    laid = tmp_path / "laid"
    read.materialise(ctx, repo, oid, laid)
    found = {str(path.relative_to(laid)): path.read_bytes() for path in laid.rglob("*") if path.is_file()}
    assert found.pop(".gitattributes")
    assert found == files | {"w": b"weights", "a/b/w": b"weights"}
    stored = blobs.local_path(ctx, sha256)
    assert (stored is not None and (laid / "w").samefile(stored)) == (store == "file:")
