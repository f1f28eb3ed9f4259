from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building.git import WorkingCopy
from building.repos import send, upload, write
from corral.context import Context
from corral.repos import commits, preupload, read
from corral.repos.commits import AddLargeFile, Header
from corral.repos.lookup import Repo
from corral.repos.preupload import Advice, Candidate

BINARY = b"\0\1\2"


def head(ctx: Context, repo: Repo) -> str:
    return read.commit_of(ctx, repo, "main")


def advise(ctx: Context, repo: Repo, *files: Candidate, git_ignore: str | None = None) -> list[Advice]:
    return preupload.advise(ctx, repo, head(ctx, repo), files, git_ignore)


def large(ctx: Context, repo: Repo, sample: bytes, *paths: str) -> set[str]:
    """Those of the paths, with files that begin so, that go into large storage."""
    return {a.path for a in advise(ctx, repo, *(Candidate(path, len(sample), sample) for path in paths)) if a.large}


def ignored(ctx: Context, repo: Repo, git_ignore: str | None, *paths: str) -> set[str]:
    found = advise(ctx, repo, *(Candidate(path, 1, b"x") for path in paths), git_ignore=git_ignore)
    return {a.path for a in found if a.ignore}


@pytest.mark.parametrize(
    ("sample", "binary"),
    [
        (b"", False),
        (b"plain\r\n\ttext\x7f\x1b", False),
        ("ünïcödé 🐎".encode(), False),
        # a character that the sample cuts off
        ("🐎".encode()[:1], False),
        ("é🐎".encode()[:-1], False),
        (b"a\0b", True),
        (b"\0", True),
        (b"a\x80", True),
        (b"\xff\xfea", True),
        ("é".encode("latin-1") + b" more", True),
        ("🐎".encode()[:3] + b" more", True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"\xed\xa0\x80", True),
    ],
)
def test_what_is_no_text(sample: bytes, binary: bool) -> None:
    assert preupload.is_binary(sample) == binary


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(0, 64))
def test_text_is_text_wherever_it_is_cut(text: str, size: int) -> None:
    assert not preupload.is_binary(text.encode()[:size])


def test_a_size_that_git_should_not_hold_is_large_whatever_the_file(ann: Context, repo: Repo) -> None:
    most = ann.settings.max_regular_file
    fits, above = advise(ann, repo, Candidate("a.txt", most, b"text"), Candidate("b.txt", most + 1, b"text"))
    assert (fits.large, above.large) == (False, True)


def test_names_that_the_attributes_give_to_large_storage(ann: Context, repo: Repo) -> None:
    paths = ["w.safetensors", "a/b/ü.bin", "saved_model/x/y", "w.safetensors.index.json", "bin", "x.bin/readme"]
    assert large(ann, repo, b"text", *paths) == {"w.safetensors", "a/b/ü.bin", "saved_model/x/y"}
    assert large(ann, repo, BINARY, *paths) == set(paths)


def test_attributes_of_a_folder_and_those_that_take_back(ann: Context, repo: Repo) -> None:
    write(
        ann,
        repo,
        {
            ".gitattributes": "*.bin filter=lfs\nkeep.bin -filter\n*.txt filter=other\n",
            "deep/.gitattributes": "*.json filter=lfs\n*.bin !filter\n",
        },
    )
    paths = ["a.bin", "keep.bin", "a.txt", "a.json", "deep/a.json", "deep/er/a.json", "deep/a.bin", "a"]
    assert large(ann, repo, b"text", *paths) == {"a.bin", "deep/a.json", "deep/er/a.json"}
    # what no attribute speaks of is decided by its bytes
    assert large(ann, repo, BINARY, *paths) == {*paths} - {"keep.bin", "a.txt"}


def test_attributes_are_those_of_the_commit(ann: Context, repo: Repo) -> None:
    before = head(ann, repo)
    write(ann, repo, {".gitattributes": "*.md filter=lfs\n"})
    card = Candidate("a.md", 1, b"x")
    assert not preupload.advise(ann, repo, before, [card])[0].large
    assert preupload.advise(ann, repo, head(ann, repo), [card])[0].large
    commits.commit(ann, repo, "main", Header("none"), [commits.Delete(".gitattributes")])
    assert large(ann, repo, b"text", "a.md", "a.bin") == set()


def test_what_is_there_already_is_told(ann: Context, repo: Repo) -> None:
    sha256 = upload(ann, repo, b"weights")
    write(ann, repo, {"folder/ü.txt": "text"})
    commits.commit(ann, repo, "main", Header("large"), [AddLargeFile("w.bin", sha256)])
    paths = ["w.bin", "folder/ü.txt", "folder", "folder/new", "w.bin/below", "W.BIN"]
    found = advise(ann, repo, *(Candidate(path, 4, b"text") for path in paths))
    assert [a.path for a in found] == paths
    assert [a.oid for a in found] == [sha256, read.git_blob_id(b"text"), None, None, None, None]


def test_what_the_repository_ignores(ann: Context, repo: Repo) -> None:
    paths = ["a.log", "keep.log", "build/x", "build/deep/x", "src/build/x", "top", "src/top", "ü.txt", "builds/x"]
    assert ignored(ann, repo, None, *paths) == set()
    write(ann, repo, {".gitignore": "*.log\n!keep.log\nbuild/\n/top\n# a.log\nü*\n", "src/.gitignore": "*\n"})
    assert ignored(ann, repo, None, *paths) == {"a.log", "build/x", "build/deep/x", "src/build/x", "top", "ü.txt"}


def test_what_the_caller_ignores_instead(ann: Context, repo: Repo) -> None:
    write(ann, repo, {".gitignore": "*.log\n"})
    paths = ["a.log", "a.tmp", ".gitignore", ".git-is-here"]
    assert ignored(ann, repo, "*.tmp\n.git*\n", *paths) == {"a.tmp", ".gitignore", ".git-is-here"}
    assert ignored(ann, repo, "", *paths) == set()
    assert ignored(ann, repo, "\r\n \n*.tmp\r\n", *paths) == {"a.tmp"}


@pytest.mark.parametrize("text", ["\0\n[\n***\n\\\n!\n/\n", "caf\ud800\n", "a" * 10_000, "[!\n" * 999, "\ufeffx"])
def test_rules_that_make_no_sense_ignore_nothing(ann: Context, repo: Repo, text: str) -> None:
    assert ignored(ann, repo, text, "b", "b/c", "ü") == set()


def test_rules_that_are_no_utf8(ann: Context, repo: Repo) -> None:
    write(ann, repo, {".gitignore": b"\xff\xfe\n*.log\n"})
    assert ignored(ann, repo, None, "a.log", "b") == {"a.log"}


def test_rules_that_are_too_many_ignore_nothing(ann: Context, repo: Repo) -> None:
    rules = b"*.log\n".ljust(2**20, b"#")
    write(ann, repo, {".gitignore": rules})
    assert ignored(ann, repo, None, "a.log", "b") == {"a.log"}
    write(ann, repo, {".gitignore": rules + b"#"})
    assert ignored(ann, repo, None, "a.log", "b") == set()
    assert ignored(ann, repo, "b", "a.log", "b") == {"b"}


def test_a_submodule_is_no_file_that_is_there_nor_one_with_rules(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    for path in (".gitignore", "module"):
        copy.submodule(path)
    send(ann, repo, copy)
    found = advise(ann, repo, *(Candidate(path, 4, b"text") for path in (".gitignore", "module", "module/x")))
    assert [(a.path, a.large, a.ignore) for a in found] == [
        (".gitignore", False, False), ("module", False, False), ("module/x", False, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["#x", "!x", "[a]", "*", "a?b", "a\\b", " x ", ":(top)x", "-rf", "ü/🐎", "x" * 1000, "%2e"]
)
def test_a_path_means_itself_whatever_it_looks_like(ann: Context, repo: Repo, name: str) -> None:
    write(ann, repo, {name: "text"})
    (advice,) = advise(ann, repo, Candidate(name, 4, b"text"), git_ignore="other\n")
    assert advice == Advice(name, large=False, ignore=False, oid=read.git_blob_id(b"text"))


def test_many_files_are_looked_up_at_once(ann: Context, repo: Repo, statements: list[str]) -> None:
    names = [f"d{number % 50}/{number}" for number in range(2000)]
    write(ann, repo, {name: name for name in names[::2]})
    sha256 = upload(ann, repo, b"weights")
    many = [AddLargeFile(f"w/{number}.bin", sha256) for number in range(100)]
    oid = commits.commit(ann, repo, "main", Header("large"), many).oid
    names += [operation.path for operation in many]
    files = [Candidate(name, 4, b"text") for name in reversed(names)]
    statements.clear()
    found = preupload.advise(ann, repo, oid, files)
    assert len(statements) <= 2
    assert [a.path for a in found] == names[::-1]
    known = {name: read.git_blob_id(name.encode()) for name in names[:2000:2]}
    assert {a.path: a.oid for a in found if a.oid} == known | {operation.path: sha256 for operation in many}


def test_nothing_is_left_behind(ann: Context, repo: Repo) -> None:
    assert advise(ann, repo, git_ignore="x") == []
    advise(ann, repo, Candidate("x", 1, b"x"), git_ignore="x")
    assert list((ann.settings.data / "tmp").iterdir()) == []
