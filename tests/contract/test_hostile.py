"""Requests that nobody sends by mistake: each gets a plain answer, and others are served meanwhile."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from building.hub import Hub, Person

NewRepo = Callable[..., str]


def test_slow_senders_hold_up_nobody(hub: Hub, alice: Person, anonymous: httpx.Client, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    where = urlsplit(hub.url)
    with ExitStack() as stack:
        for number in range(60):
            sender = stack.enter_context(socket.create_connection((where.hostname, where.port)))
            path = f"/api/models/{repo}/commit/main" if number % 2 else f"/api/buckets/{repo}/batch"
            # strangers: what they send is refused, but their body is still read for a while
            head = f"POST {path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 1000000\r\n\r\n"
            sender.sendall(head.encode() + b"{")
        for _ in range(3):
            assert anonymous.get(f"/{repo}/resolve/main/.gitattributes", timeout=10).status_code == 200


@pytest.mark.parametrize("name", ["a\0b", "a\x01b", "a\x7fb", "a\r\nSet-Cookie: x=1", "é\x85\u2028🐎", "<script>"])
def test_names_do_not_get_into_headers(alice: Person, new_repo: NewRepo, name: str) -> None:
    repo = new_repo(alice)
    with alice.client() as client:
        for path in (f"/{repo}/resolve/main/{quote(name)}", f"/api/models/{repo}/tree/{quote(name, safe='')}"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert "set-cookie" not in answer.headers
            assert all(32 <= ord(c) != 127 for c in answer.headers["x-error-message"])
            assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", ['"quoted"; x=y.txt', "a\u2028b.txt", "ünïcödé 🐎.txt", "%0d%0aX: y.txt"])
def test_a_file_name_stays_within_its_header(
    alice: Person, anonymous: httpx.Client, new_repo: NewRepo, name: str
) -> None:
    repo = new_repo(alice)
    alice.api.upload_file(path_or_fileobj=b"text", path_in_repo=name, repo_id=repo)
    answer = anonymous.get(f"/{repo}/resolve/main/{quote(name, safe='')}")
    assert answer.content == b"text"
    assert answer.headers["content-disposition"] == f"inline; filename*=UTF-8''{quote(name, safe='')}"


@pytest.mark.parametrize("span", ["²-", "0-²", "-²", f"0-{'9' * 5000}", f"{'9' * 5000}-", "٣-"])
def test_a_range_in_no_digits_is_answered_whole(
    alice: Person, anonymous: httpx.Client, new_repo: NewRepo, span: str
) -> None:
    headers = {"Range": f"bytes={span}".encode()}
    answer = anonymous.get(f"/{new_repo(alice)}/resolve/main/.gitattributes", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("query", ["cursor=%C2%B2", f"cursor={'9' * 5000}", "cursor=-1", "limit=0", "limit=99999999"])
def test_odd_pages_of_a_tree(alice: Person, anonymous: httpx.Client, new_repo: NewRepo, query: str) -> None:
    assert anonymous.get(f"/api/models/{new_repo(alice)}/tree/main?{query}").status_code == 200


def test_names_that_are_part_of_an_address(hub: Hub, anonymous: httpx.Client) -> None:
    """A redirect changes the id, and nothing else that looks like it."""
    owner = hub.person(f"s{secrets.token_hex(3)}")
    word = owner.name
    for old in (f"{word}/{word}", f"{word}/models"):
        new = f"{word}/new-{secrets.token_hex(3)}"
        owner.api.create_repo(old)
        owner.api.move_repo(old, new)
        answer = anonymous.get(f"/api/models/{old}/tree/main/{old}?recursive=true")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"/api/models/{new}/tree/main/{old}?recursive=true"
        assert anonymous.get(f"/{old.upper()}/resolve/main/x").headers["location"] == f"/{new}/resolve/main/x"
        git = anonymous.get(f"/{old}.git/info/refs?service=git-upload-pack")
        assert git.headers["location"] == f"/{new}.git/info/refs?service=git-upload-pack"
        # where the id came in the body there is no address to redirect to
        refused = owner.client().request("DELETE", "/api/repos/delete", json={"name": old})
        assert refused.status_code == 404
        assert new in refused.json()["error"]
        owner.api.delete_repo(new)


def test_a_ref_cannot_be_the_folder_of_another(alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    alice.api.create_branch(repo, branch="a/b")
    with alice.client() as client:
        for name in ("a", "a/b/c"):
            answer = client.post(f"/api/models/{repo}/branch/{quote(name, safe='')}", json={})
            assert answer.status_code == 409
            assert "refs/heads/a/b" in answer.json()["error"]


#: where a name goes into a query; {z} is the name with a zero byte in it, {repo} a repository that exists
_ASKED_BY_NAME = """
    /api/models/{z}/x /api/datasets/a/{z} /api/models/{repo}{z} /api/buckets/{repo}{z} /{z} /{repo}{z}
    /api/models/{repo}/revision/{z} /api/models/{repo}/tree/{z} /api/models/{repo}/tree/refs%2Fpr%2F{z}
    /api/models/{repo}/commits/{z} /{repo}/resolve/{z}/.gitattributes /{repo}/raw/{z}/.gitattributes
    /{repo}{z}/resolve/main/x /{z}/x/resolve/main/x /buckets/{repo}{z}/resolve/x /-/spaces/{repo}{z}/x
    /api/users/{z}/overview /api/users/{z}/likes /api/organizations/{z}/overview
    /api/organizations/{z}/members /{repo}{z}.git/info/refs?service=git-upload-pack /inference/a{z}/x
    /{repo}/tree/{z} /{repo}/blob/{z}/.gitattributes /{repo}/commits/{z} /{repo}/commit/{z}
""".split()
_SEARCHED = """
    /api/models?search={z} /api/models?author={z} /api/models?filter={z} /api/models?pipeline_tag={z}
    /api/models?library={z} /api/datasets?search={z} /api/spaces/semantic-search?q={z} /api/quicksearch?q={z}
    /api/models/{repo}/discussions?author={z} /api/users/{z}/avatar /search?q={z} /models?search={z} /models?other={z}
""".split()
_SENT: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/repos/create", {"name": "x", "organization": "a\0"}),
    ("POST", "/api/repos/move", {"fromRepo": "a\0/x", "toRepo": "alice/x"}),
    ("POST", "/api/repos/move", {"fromRepo": "{repo}", "toRepo": "a\0/x"}),
    ("DELETE", "/api/repos/delete", {"name": "x\0", "organization": "alice"}),
    ("POST", "/api/models/{repo}/branch/a", {"startingPoint": "a\0"}),
    ("DELETE", "/api/models/{repo}/branch/{z}", {}),
    ("POST", "/api/models/{repo}/tag/{z}", {"tag": "a"}),
    ("DELETE", "/api/models/{repo}/tag/{z}", {}),
    ("POST", "/api/models/{repo}/super-squash/{z}", {"message": "a"}),
    ("POST", "/api/models/{repo}/preupload/{z}", {"files": []}),
    ("POST", "/api/models/{repo}{z}/like", {}),
]


def test_zero_bytes_where_names_are_expected(each_hub: Hub, each_alice: Person, new_repo: NewRepo) -> None:
    """A name with one is nobody's; PostgreSQL does not even take it in a question."""
    repo = new_repo(each_alice)
    failed = []
    with each_alice.client() as client:

        def ask(method: str, address: str, body: dict[str, Any] | None, least: int) -> None:
            for kind in ("*/*", "text/html"):
                path = address.format(repo=repo, z="a%00b")
                answer = client.request(method, path, json=body, headers={"Accept": kind})
                if not least <= answer.status_code < 500:
                    failed.append(f"{answer.status_code} {method} {path} {body}")

        for address in _ASKED_BY_NAME:
            ask("GET", address, None, 400)
        for address in _SEARCHED:
            ask("GET", address, None, 200)
        for method, address, body in _SENT:
            ask(method, address, {k: repo if v == "{repo}" else v for k, v in body.items()}, 400)
        assert not failed, "\n".join(failed)
        assert client.get(f"/api/models/{repo}").json()["id"] == repo


def test_a_branch_does_not_stand_for_a_pinned_commit(alice: Person, anonymous: httpx.Client, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    pinned = alice.api.model_info(repo).sha
    assert pinned is not None
    alice.api.upload_file(path_or_fileobj=b"evil", path_in_repo="weights", repo_id=repo)
    alice.api.create_branch(repo, branch=pinned, revision="main")
    answer = anonymous.head(f"/{repo}/resolve/{pinned}/.gitattributes")
    assert answer.headers["x-repo-commit"] == pinned
    assert anonymous.head(f"/{repo}/resolve/{pinned}/weights").status_code == 404


def test_other_origins_get_no_cookies_worth(anonymous: httpx.Client) -> None:
    """Any page may read what is public, and none may do so in a visitor's name."""
    answer = anonymous.get("/api/models", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
