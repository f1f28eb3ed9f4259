"""What git can push and hardly anybody does: the hub shows it, and goes on serving the rest."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from building.git import WorkingCopy
from building.hub import Person

NewRepo = Callable[..., str]


def test_commits_that_git_does_not_make(each_alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    """They are shown as well as can be, in the API, by the stock client and on pages."""
    repo = new_repo(each_alice)
    copy = WorkingCopy(tmp_path / "copy", each_alice.git_url(repo))
    words = (b"nonsense", b"zlib", b"idna", b"ISO-8859-1")
    oids = [copy.odd_commit(word, name=b"J\xfcrgen", message=b"caf\xe9") for word in words]
    oids.append(copy.odd_commit(b"unicode_escape", name=rb"A\0", message=rb"\ud800"))
    oids.append(copy.odd_commit(date=100_000_000_000_000))
    copy.git("push", "-q", "origin", "main")
    with each_alice.client() as client:
        answer = client.get(f"/api/models/{repo}/commits/main")
        assert answer.status_code == 200, answer.text
        told = {one["id"]: one for one in answer.json()}
        shown = [(told[oid]["title"], told[oid]["authors"][0]["user"]) for oid in oids]
        assert shown[:3] == [("caf\ufffd", "J\ufffdrgen")] * 3
        assert shown[3:] == [("café", "Jürgen"), ("?", "A\ufffd"), ("odd", "Ann")]
        assert told[oids[-1]]["date"] == "9999-12-31T23:59:59.999Z"
        for page in ("commits/main", *(f"commit/{oid}" for oid in oids), "tree/main", "blob/main/.gitattributes", ""):
            assert client.get(f"/{repo}/{page}".rstrip("/"), headers={"Accept": "text/html"}).status_code == 200, page
    newest, *_ = each_alice.api.list_repo_commits(repo)
    assert (newest.commit_id, newest.created_at.year) == (oids[-1], 9999)
    assert each_alice.api.model_info(repo).sha == oids[-1]


def test_a_submodule_is_no_file(each_alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(each_alice)
    copy = WorkingCopy(tmp_path / "copy", each_alice.git_url(repo))
    for path in ("module", ".gitignore"):
        head = copy.submodule(path)
    copy.git("push", "-q", "origin", "main")
    with each_alice.client() as client:
        for path in ("module", ".gitignore", "module/inside"):
            for face in ("resolve", "raw"):
                for method in ("GET", "HEAD"):
                    answer = client.request(method, f"/{repo}/{face}/main/{path}")
                    assert (answer.status_code, answer.headers.get("x-error-code")) == (404, "EntryNotFound")
                    assert answer.headers["x-repo-commit"] == head
        for page in ("tree/main", f"commit/{head}"):
            assert client.get(f"/{repo}/{page}", headers={"Accept": "text/html"}).status_code == 200
        assert client.get(f"/{repo}/blob/main/module", headers={"Accept": "text/html"}).status_code == 404
    # nor are there rules in one that is called .gitignore
    each_alice.api.upload_file(path_or_fileobj=b"text", path_in_repo="a.log", repo_id=repo)
    assert each_alice.api.list_repo_files(repo) == [".gitattributes", ".gitignore", "a.log", "module"]
    copy.git("pull", "-q", "origin", "main")
    assert (copy.folder / "a.log").read_bytes() == b"text"


def test_rules_that_are_too_many_stop_no_upload(alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    alice.api.upload_file(path_or_fileobj=b"*.log\n" * 2**18, path_in_repo=".gitignore", repo_id=repo)
    sample = {"path": "a.log", "size": 4, "sample": base64.b64encode(b"text").decode()}
    with alice.client() as client:
        answer = client.post(f"/api/models/{repo}/preupload/main", json={"files": [sample]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["files"] == [{"path": "a.log", "uploadMode": "regular", "shouldIgnore": False}]
    alice.api.upload_file(path_or_fileobj=b"text", path_in_repo="a.log", repo_id=repo)


def test_a_branch_gives_way_to_another_in_one_push(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copy = WorkingCopy(tmp_path / "copy", alice.git_url(repo))
    copy.git("push", "-q", "origin", "main:a")
    copy.git("push", "-q", "--atomic", "origin", ":a", "main:a/b")
    assert [b.name for b in alice.api.list_repo_refs(repo).branches] == ["main", "a/b"]
    copy.git("push", "-q", "origin", ":a/b", "main:a")
    assert [b.name for b in alice.api.list_repo_refs(repo).branches] == ["main", "a"]
    WorkingCopy(tmp_path / "again", alice.git_url(repo))


def test_a_zero_byte_ends_no_path(alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    alice.api.upload_file(path_or_fileobj=b"text", path_in_repo="a.txt", repo_id=repo)
    path = quote("a.txt\0.png")
    with alice.client() as client:
        for address in (
            f"/{repo}/resolve/main/{path}",
            f"/{repo}/raw/main/{path}",
            f"/api/models/{repo}/tree/main/{path}",
        ):
            answer = client.get(address)
            assert (answer.status_code, answer.headers["x-error-code"]) == (404, "EntryNotFound"), address
        told = client.post(f"/api/models/{repo}/paths-info/main", json={"paths": ["a.txt\0.png", "a.txt"]})
        assert [one["path"] for one in told.json()] == ["a.txt"]
