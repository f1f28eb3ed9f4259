"""The pages over HTTP: who may see what, how refusals look, and what other sites' pages cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from secrets import token_hex

import httpx
import pytest

from building.hub import Hub, Person
from building.pages import HTML, csrf, signed_in
from corral.web import assets

NewRepo = Callable[..., str]


@pytest.fixture(scope="module")
def alice_browser(hub: Hub) -> Iterator[httpx.Client]:
    with signed_in(hub, "alice") as client:
        yield client


@pytest.fixture(scope="module")
def bob_browser(hub: Hub) -> Iterator[httpx.Client]:
    with signed_in(hub, "bob") as client:
        yield client


@pytest.fixture
def visitor(hub: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub.url, headers=HTML, timeout=60) as client:
        yield client


def test_a_private_repository_looks_like_none(
    visitor: httpx.Client, bob_browser: httpx.Client, alice: Person, new_repo: NewRepo
) -> None:
    hidden = new_repo(alice, private=True)
    absent = f"{hidden}-absent"
    for client in (visitor, bob_browser):
        for view in ("", "/tree/main", "/blob/main/.gitattributes", "/commits/main", "/settings", "/discussions"):
            seen, none = (client.get(f"/{repo}{view}") for repo in (hidden, absent))
            assert seen.status_code == none.status_code, view
            assert seen.text.replace(hidden, absent).split("<main")[-1] == none.text.split("<main")[-1], view
    assert hidden not in visitor.get("/alice").text
    assert hidden not in visitor.get("/models?sort=created").text
    name = hidden.partition("/")[2]
    assert f'href="/{hidden}"' not in visitor.get(f"/search?q={name}").text


def test_refusals_are_pages_for_browsers(visitor: httpx.Client) -> None:
    absent = visitor.get("/nobody-of-this-name/nothing")
    assert absent.status_code == 404
    assert absent.headers["content-type"].startswith("text/html")
    assert "<h1>" in absent.text
    assert visitor.get("/models?cursor=nonsense").status_code == 400
    assert "range" in visitor.get("/models?num_parameters=lots").text
    assert visitor.get("/alice").status_code == 200
    assert visitor.get("/ALICE").headers["location"] == "/alice"
    # a program hears JSON at the same address
    assert visitor.get("/nobody-of-this-name/nothing", headers={"Accept": "*/*"}).json()["error"]


def test_pages_for_members_lead_to_the_form_and_back(visitor: httpx.Client) -> None:
    for address in ("/settings/tokens", "/new", "/oauth/device?code=BCDF-GHJK"):
        answer = visitor.get(address)
        assert answer.status_code == 303
        assert httpx.URL(answer.headers["location"]).params["next"] == address


def test_a_form_without_its_token_does_nothing(
    alice_browser: httpx.Client, alice: Person, new_repo: NewRepo, hub: Hub
) -> None:
    repo = new_repo(alice)
    forms = {
        "/settings/tokens": {"name": "stolen", "role": "write"},
        "/settings/profile": {"fullname": "Mallory"},
        f"/{repo}/settings": {"what": "delete", "confirmation": repo},
        f"/{repo}/new/main": {"name": "x", "content": "x"},
        f"/{repo}/like": {"on": "yes"},
        f"/{repo}/task": {"task": "fill-mask"},
        "/logout": {},
        "/-/theme": {},
    }
    with httpx.Client(base_url=hub.url, headers=HTML) as other:
        foreign = csrf(other, "/login")
    for address, form in forms.items():
        for token in ("", "0" * 64, foreign):
            answer = alice_browser.post(address, data={**form, "csrf": token})
            assert answer.status_code == 403, address
    assert alice.api.repo_exists(repo)
    assert alice_browser.get("/settings/profile").status_code == 200


def test_cookies_and_headers(hub: Hub, visitor: httpx.Client) -> None:
    page = visitor.get("/login")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    for script in re.findall(r"<script[^>]*>(.*?)</script>", page.text):
        assert not script.strip()
    assert " style=" not in page.text
    with signed_in(hub, "alice") as client:
        (cookie,) = [c for c in client.cookies.jar if c.name == "token"]
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert str(cookie.get_nonstandard_attr("SameSite")).lower() == "lax"


def test_static_files_are_kept_for_ever(visitor: httpx.Client) -> None:
    page = visitor.get("/").text
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = visitor.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.search(r"\.[0-9a-f]{10}\.\w+$", address)
    assert visitor.get("/static/../pages/files.py").status_code == 404
    upload = re.findall(r'from "\./([^"]+)"', visitor.get(assets.url("upload.js")).text)
    assert upload
    assert all(visitor.get(f"/static/{name}").status_code == 200 for name in upload)


def test_somebody_elses_repository_cannot_be_changed(
    bob_browser: httpx.Client, visitor: httpx.Client, alice: Person, new_repo: NewRepo
) -> None:
    repo = new_repo(alice)
    token = csrf(bob_browser, "/")
    page = bob_browser.get(f"/{repo}/tree/main").text
    assert "Upload files" not in page
    for address in (f"/{repo}/settings", f"/{repo}/upload/main", f"/{repo}/edit/main/.gitattributes"):
        assert bob_browser.get(address).status_code == 403, address
        assert visitor.get(address).status_code == 303, address
    form = {"csrf": token, "name": "x.txt", "content": "x", "what": "delete", "confirmation": repo}
    for address in (f"/{repo}/settings", f"/{repo}/new/main", f"/{repo}/edit/main/.gitattributes"):
        assert bob_browser.post(address, data=form).status_code == 403, address
    assert alice.api.list_repo_files(repo) == [".gitattributes"]


def test_a_renamed_repository_is_found_by_its_old_name(
    alice_browser: httpx.Client, alice: Person, new_repo: NewRepo
) -> None:
    repo = new_repo(alice)
    form = {"csrf": csrf(alice_browser, "/"), "what": "name", "owner": "alice", "name": f"{repo.partition('/')[2]}-new"}
    answer = alice_browser.post(f"/{repo}/settings", data=form)
    assert answer.headers["location"] == f"/{repo}-new/settings"
    old = alice_browser.get(f"/{repo}/tree/main")
    assert old.status_code == 307
    assert old.headers["location"] == f"/{repo}-new/tree/main"


def test_names_that_look_like_views(alice: Person, visitor: httpx.Client, new_repo: NewRepo) -> None:
    """A data set called `settings` or `tree` is no view of a model `datasets/alice`."""
    for name in ("settings", "discussions", "like"):
        repo = new_repo(alice, "dataset", name=name)
        assert f"<title>{repo} " in visitor.get(f"/datasets/{repo}").text
        alice.api.delete_repo(repo, repo_type="dataset")


def test_files_with_odd_names_and_contents(alice: Person, visitor: httpx.Client, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    files = {
        "a b/ü#?%.txt": b"text\n",
        "bytes.txt": b"\xff\xfe\x00binary",
        "latin.txt": "caf\u00e9".encode("latin-1"),
        "empty.txt": b"",
        "one-line.json": b"[" + b"1," * 200_000 + b"1]",
        "<img src=x>.md": b"# ok\n",
    }
    for path, data in files.items():
        alice.api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo)
    tree = visitor.get(f"/{repo}/tree/main").text
    for address in map(unescape, re.findall(rf'href="(/{repo}/blob/main/[^"]+)"', tree)):
        assert visitor.get(address).status_code == 200, address
    assert "<img src=x>" not in tree
    folder = visitor.get(f"/{repo}/tree/main/a%20b").text
    assert f"/{repo}/blob/main/a%20b/%C3%BC%23%3F%25.txt" in folder
    assert "binary file" in visitor.get(f"/{repo}/blob/main/bytes.txt").text
    assert "empty" in visitor.get(f"/{repo}/blob/main/empty.txt").text
    assert visitor.get(f"/{repo}/blob/main/no-such-file").status_code == 404
    assert visitor.get(f"/{repo}/tree/no-such-branch").status_code == 404
    assert visitor.get(f"/{repo}/tree/main/..%2f..%2fetc").status_code == 404


def test_an_organization_and_its_members(hub: Hub, alice_browser: httpx.Client, bob_browser: httpx.Client) -> None:
    name = f"stable-{token_hex(3)}"
    token = csrf(alice_browser, "/")
    made = alice_browser.post("/organizations/new", data={"csrf": token, "name": name, "fullname": "A stable"})
    assert made.headers["location"] == f"/{name}"
    assert bob_browser.get(f"/organizations/{name}/settings").status_code == 403
    added = alice_browser.post(f"/organizations/{name}/members", data={"csrf": token, "user": "bob", "role": "write"})
    assert added.status_code == 303
    assert "bob" in alice_browser.get(f"/{name}").text
    alone = alice_browser.post(f"/organizations/{name}/members", data={"csrf": token, "user": "alice", "role": "read"})
    assert "needs an administrator" in alone.text
    wrong = alice_browser.post(f"/organizations/{name}/members", data={"csrf": token, "user": "bob", "role": "king"})
    assert wrong.status_code == 400
    form = {"csrf": csrf(bob_browser, "/"), "owner": name, "name": "m", "visibility": "private", "license": ""}
    assert bob_browser.post("/new", data=form).headers["location"] == f"/{name}/m/tree/main"
