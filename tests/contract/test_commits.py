"""The commit API and downloads on the wire: what a client may rely on, and bad input, each refused with a reason."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from building.hub import Hub, Person
from corral.core.actor import TokenRole

NewRepo = Callable[..., str]


def header(summary: str = "change", **more: str) -> dict[str, Any]:
    return {"key": "header", "value": {"summary": summary, **more}}


def file(path: str, content: bytes = b"text") -> dict[str, Any]:
    return {"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}}


def send(person: Person, repo: str, *lines: Any, revision: str = "main") -> httpx.Response:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return commit(person, repo, body, revision)


def commit(person: Person, repo: str, body: Any, revision: str = "main") -> httpx.Response:
    kind = {"Content-Type": "application/x-ndjson"}
    return person.client().post(f"/api/models/{repo}/commit/{revision}", content=body, headers=kind)


def head(person: Person, repo: str) -> str:
    sha = person.api.model_info(repo).sha
    assert sha
    return sha


def refused(answer: httpx.Response, status: int, code: str, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["x-error-code"] == code
    assert answer.headers["x-request-id"]
    for word in words:
        assert word in answer.json()["error"]


@pytest.fixture
def repo(alice: Person, new_repo: NewRepo) -> str:
    return new_repo(alice)


# --- what may be relied on ---------------------------------------------------------------------------------------


def test_a_commit_adds_replaces_and_deletes_in_order(each_alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(each_alice)
    send(each_alice, repo, header(), file("a/one.txt"), file("a/two.txt"), file("b.txt"))
    answer = send(
        each_alice,
        repo,
        header("second", description="why"),
        {"key": "deletedFolder", "value": {"path": "a"}},
        file("a/one.txt", b"again"),
        {"key": "deletedFile", "value": {"path": "b.txt"}},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["commitUrl"] == f"{each_alice.url}/{repo}/commit/{answer.json()['commitOid']}"
    assert set(each_alice.api.list_repo_files(repo)) == {".gitattributes", "a/one.txt"}
    newest = each_alice.api.list_repo_commits(repo)[0]
    assert (newest.title, newest.message, newest.authors) == ("second", "why", [each_alice.name])


def test_a_file_gives_way_to_a_folder_only_when_it_is_deleted(alice: Person, repo: str) -> None:
    send(alice, repo, header(), file("thing"))
    refused(send(alice, repo, header(), file("thing/inside")), 422, "InvalidPath", "thing")
    assert send(
        alice, repo, header(), {"key": "deletedFile", "value": {"path": "thing"}}, file("thing/inside")
    ).is_success
    assert send(alice, repo, header(), file("thing", b"a file again")).is_success
    assert set(alice.api.list_repo_files(repo)) == {".gitattributes", "thing"}


def test_a_download_can_be_cached_by_its_commit(alice: Person, anonymous: httpx.Client, repo: str) -> None:
    sha = send(alice, repo, header(), file("notes.txt", b"0123456789")).json()["commitOid"]
    whole = anonymous.get(f"/{repo}/resolve/main/notes.txt")
    assert (whole.content, whole.headers["x-repo-commit"]) == (b"0123456789", sha)
    assert "immutable" in anonymous.get(f"/{repo}/resolve/{sha}/notes.txt").headers["cache-control"]
    again = anonymous.get(f"/{repo}/resolve/main/notes.txt", headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    looked = anonymous.head(f"/{repo}/resolve/main/notes.txt")
    assert (looked.headers["content-length"], looked.content) == ("10", b"")


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=abc", 200, b"0123456789", None),
    ],
)
def test_ranges(
    alice: Person, anonymous: httpx.Client, repo: str, asked: str, status: int, content: bytes | None, told: str | None
) -> None:
    send(alice, repo, header(), file("notes.txt", b"0123456789"))
    answer = anonymous.get(f"/{repo}/resolve/main/notes.txt", headers={"Range": asked})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, told)
    if content is not None:
        assert answer.content == content


def test_a_missing_file_names_the_commit_it_is_missing_from(alice: Person, anonymous: httpx.Client, repo: str) -> None:
    answer = anonymous.head(f"/{repo}/resolve/main/no.txt")
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "EntryNotFound")
    assert answer.headers["x-repo-commit"] == head(alice, repo)
    assert anonymous.head(f"/{repo}/resolve/no/no.txt").headers["x-error-code"] == "RevisionNotFound"


def test_uploaded_pages_run_nothing_in_the_hubs_name(alice: Person, anonymous: httpx.Client, repo: str) -> None:
    send(alice, repo, header(), file("page.html", b"<script>alert(1)</script>"), file("p.svg", b"<svg onload='x()'/>"))
    for name in ("page.html", "p.svg"):
        answer = anonymous.get(f"/{repo}/resolve/main/{name}")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert anonymous.get(f"/{repo}/resolve/main/page.html").headers["content-type"].startswith("text/plain")


# --- who may -----------------------------------------------------------------------------------------------------


def test_a_private_repository_answers_like_an_absent_one(
    hub: Hub, alice: Person, bob: Person, anonymous: httpx.Client, new_repo: NewRepo
) -> None:
    private, absent = new_repo(alice, private=True), f"{alice.name}/never-was"
    for path in (
        "/api/models/{}",
        "/api/models/{}/tree/main",
        "/{}/resolve/main/.gitattributes",
        "/api/models/{}/refs",
    ):
        for client in (anonymous, bob.client()):
            there, not_there = (client.get(path.format(repo)) for repo in (private, absent))
            assert there.status_code == not_there.status_code == (401 if client is anonymous else 404)
            assert there.headers["x-error-code"] == not_there.headers["x-error-code"] == "RepoNotFound"
            assert there.json() == not_there.json()


def test_a_wrong_token_and_a_token_that_may_only_read(hub: Hub, alice: Person, repo: str) -> None:
    wrong = Person(alice.url, alice.name, "hf_wrong")
    refused(send(wrong, repo, header(), file("a")), 401, "Unauthorized", "Invalid credentials")
    reader = hub.token(alice, TokenRole.READ)
    refused(send(reader, repo, header(), file("a")), 403, "Forbidden", "write")


def test_somebody_else_may_not_write(bob: Person, repo: str) -> None:
    refused(send(bob, repo, header(), file("a")), 403, "Forbidden")


# --- bad input ---------------------------------------------------------------------------------------------------


def test_a_stale_parent(alice: Person, repo: str) -> None:
    old = head(alice, repo)
    assert send(alice, repo, header(parentCommit=old), file("a")).is_success
    refused(send(alice, repo, header(parentCommit=old), file("b")), 412, "PreconditionFailed", "was updated")
    assert "b" not in alice.api.list_repo_files(repo)


@pytest.mark.parametrize(
    "path",
    [
        *("../up", "/etc/passwd", "a/../../b", "a//b", ".", "a/.git/config", ".GIT/hooks/x", "..\\up", "nul\0byte", ""),
        "x" * 2000,
    ],
)
def test_paths_that_lead_elsewhere(alice: Person, repo: str, path: str) -> None:
    before = head(alice, repo)
    refused(send(alice, repo, header(), file("good.txt"), file(path)), 422, "InvalidPath")
    assert head(alice, repo) == before


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "BadRequest"),
        ([file("a")], "BadRequest"),
        ([header(), {"key": "teleport", "value": {"path": "a"}}], "BadRequest"),
        ([header(), {"key": "file", "value": {"path": "a", "content": "%%%", "encoding": "base64"}}], "BadRequest"),
        ([header(), ["no", "object"]], "BadRequest"),
        ([header(), {"key": "lfsFile", "value": {"path": "a", "algo": "md5", "oid": "0" * 64}}], "BadRequest"),
    ],
)
def test_lines_that_make_no_sense(alice: Person, repo: str, lines: list[Any], code: str) -> None:
    refused(send(alice, repo, *lines), 400, code)


def test_a_body_that_is_no_json(alice: Person, repo: str) -> None:
    refused(commit(alice, repo, b"{half"), 400, "InvalidJson", "Line 1")
    refused(commit(alice, repo, json.dumps(header()).encode() + b"\n\xff\xfe\n"), 400, "InvalidJson", "Line 2")


def test_a_large_file_that_was_never_uploaded(alice: Person, repo: str) -> None:
    pointer = {"key": "lfsFile", "value": {"path": "m.bin", "algo": "sha256", "oid": "1" * 64, "size": 3}}
    refused(send(alice, repo, header(), pointer), 422, "LargeFileMissing", "upload it first")


def test_a_deletion_of_what_is_not_there(alice: Person, repo: str) -> None:
    refused(send(alice, repo, header(), {"key": "deletedFile", "value": {"path": "no"}}), 404, "EntryNotFound")


def test_a_file_that_belongs_into_large_storage(alice: Person, repo: str) -> None:
    refused(send(alice, repo, header(), file("big.txt", b"a" * (10 * 2**20 + 1))), 413, "TooLarge", "git-lfs")


def test_a_line_of_100_megabytes(hub: Hub, alice: Person, repo: str) -> None:
    def body() -> Iterator[bytes]:
        yield json.dumps(header()).encode() + b'\n{"key":"file","value":{"path":"a","content":"'
        for _ in range(100):
            yield b"A" * 2**20
        yield b'","encoding":"base64"}}\n'

    refused(commit(alice, repo, body()), 413, "TooLarge", "Line 2")
    assert send(alice, repo, header(), file("after.txt")).is_success


def test_a_body_that_is_cut_off_leaves_nothing(hub: Hub, alice: Person, repo: str) -> None:
    before = head(alice, repo)
    start = json.dumps(header()).encode() + b"\n" + json.dumps(file("half.txt", b"x" * 5000)).encode()[:3000]
    where = urlsplit(hub.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(
            f"POST /api/models/{repo}/commit/main HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Authorization: Bearer {alice.token}\r\nContent-Length: 9999\r\n\r\n".encode()
            + start
        )
    assert send(alice, repo, header(), file("whole.txt")).is_success
    assert set(alice.api.list_repo_files(repo)) == {".gitattributes", "whole.txt"}
    assert [c.commit_id for c in alice.api.list_repo_commits(repo)][1] == before


@pytest.mark.parametrize(
    ("name", "word"),
    [("a" * 97, "longer"), ("sp ace", "letters"), ("-start", "start"), ("two--dashes", "--"), ("x.git", ".git")],
)
def test_names_that_are_not_allowed(alice: Person, name: str, word: str) -> None:
    answer = alice.client().post("/api/repos/create", json={"name": name})
    refused(answer, 400, "InvalidName", word)


def test_a_name_that_is_taken_tells_where(alice: Person, repo: str) -> None:
    answer = alice.client().post("/api/repos/create", json={"name": repo.partition("/")[2].upper()})
    assert answer.status_code == 409
    assert answer.json()["url"] == f"{alice.url}/{repo}"


@pytest.mark.parametrize("name", ["", "a..b", "-x", "a b", "a~1", "x.lock", "a\\b"])
def test_branch_names_that_git_forbids(alice: Person, repo: str, name: str) -> None:
    answer = alice.client().post(f"/api/models/{repo}/branch/{name.replace(' ', '%20')}", json={})
    refused(answer, 400, "InvalidRef")


def test_what_is_not_supported_says_so(alice: Person, repo: str) -> None:
    answer = alice.client().post(f"/api/models/{repo}/duplicate", json={"repository": f"{alice.name}/other"})
    refused(answer, 501, "NotSupported", "not supported")
