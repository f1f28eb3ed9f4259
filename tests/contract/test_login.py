"""Signing in with the stock client: whoami, a pasted token, and the device flow of `hf auth login`."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from building.hub import Hub, Person
from corral.accounts import device, orgs, people, sessions, tokens
from corral.context import Context
from corral.core.actor import Actor, TokenRole


@pytest.fixture
def ann(each_hub: Hub) -> Person:
    """Ann, who administers the organization `…-labs`, with a token called `laptop`."""
    ctx, name = each_hub.ctx, f"Ann-{secrets.token_hex(3)}"
    user = people.create_user(ctx, name, email=f"{name}@example.org", fullname="Ann A.", trusted=True)
    orgs.create_org(ctx, f"{name}-labs", fullname="The Labs", admin_id=user.id)
    return Person(each_hub.url, name, tokens.create(ctx, user.id, "laptop", TokenRole.WRITE))


@pytest.fixture
def as_ann(each_hub: Hub, ann: Person) -> Context:
    """The hub as Ann sees it who is signed in on a page."""
    user = people.find_user(each_hub.ctx, ann.name)
    return each_hub.ctx.acting_as(Actor(user.id, user.name))


def test_whoami_tells_who_with_which_token_in_which_organizations(ann: Person) -> None:
    me = ann.api.whoami()
    assert (me["type"], me["name"], me["fullname"]) == ("user", ann.name, "Ann A.")
    assert (me["email"], me["emailVerified"]) == (f"{ann.name}@example.org", True)
    assert re.fullmatch("[0-9a-f]{24}", me["id"])
    in_orgs = [(org["name"], org["fullname"], org["roleInOrg"]) for org in me["orgs"]]
    assert in_orgs == [(f"{ann.name}-labs", "The Labs", "admin")]
    access = me["auth"]["accessToken"]
    assert (access["displayName"], access["role"]) == ("laptop", "write")
    assert me["avatarUrl"].startswith(ann.url)
    picture = httpx.get(me["avatarUrl"])
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "<svg" in picture.text


def test_nobody_and_a_wrong_token_are_told_so(each_hub: Hub) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid user token") as refused:
        HfApi(endpoint=each_hub.url, token="hf_" + "x" * 34).whoami()
    assert refused.value.response.status_code == 401
    assert httpx.get(f"{each_hub.url}/api/whoami-v2").status_code == 401


def test_a_revoked_token_ends_at_once(each_hub: Hub, ann: Person) -> None:
    assert ann.api.whoami()["name"] == ann.name
    user = people.find_user(each_hub.ctx, ann.name)
    tokens.revoke(each_hub.ctx, user.id, tokens.list_tokens(each_hub.ctx, user.id)[0].id)
    with pytest.raises(HfHubHTTPError):
        ann.api.whoami()


def test_profiles_are_read_by_the_client(ann: Person) -> None:
    user = ann.api.get_user_overview(ann.name.upper())
    assert (user.username, user.fullname, user.user_type) == (ann.name, "Ann A.", "user")
    assert [org.name for org in user.orgs] == [f"{ann.name}-labs"]
    org = ann.api.get_organization_overview(f"{ann.name}-labs")
    assert (org.name, org.fullname, org.num_users) == (f"{ann.name}-labs", "The Labs", 1)
    assert [member.username for member in ann.api.list_organization_members(f"{ann.name}-labs")] == [ann.name]
    for missing in (ann.api.get_user_overview, ann.api.get_organization_overview):
        with pytest.raises(HfHubHTTPError) as refused:
            missing("nobody")
        assert refused.value.response.status_code == 404


def test_a_profile_counts_the_repositories_that_the_caller_may_see(each_hub: Hub, ann: Person) -> None:
    ann.api.create_repo(f"{ann.name}/open")
    ann.api.create_repo(f"{ann.name}/closed", private=True)
    assert ann.api.get_user_overview(ann.name).num_models == 2
    assert each_hub.person().api.get_user_overview(ann.name).num_models == 1


def test_tokens_are_made_and_revoked_by_a_token_that_may(each_hub: Hub, ann: Person) -> None:
    with ann.client() as client:
        made = client.post("/api/settings/tokens", json={"displayName": "reader", "role": "read"})
        assert made.status_code == 201
        reader = Person(ann.url, ann.name, made.json()["token"])
        assert client.post("/api/settings/tokens", json={"displayName": "x", "role": "admin"}).status_code == 403
        assert client.post("/api/settings/tokens", json={"displayName": "x", "role": "all"}).status_code == 400
        listed = client.get("/api/settings/tokens").json()
        assert [(t["displayName"], t["role"]) for t in listed] == [("reader", "read"), ("laptop", "write")]
        assert not any(reader.token in str(value) for t in listed for value in t.values())
    assert reader.api.whoami()["auth"]["accessToken"]["role"] == "read"
    with reader.client() as client:
        assert client.post("/api/settings/tokens", json={"displayName": "x"}).status_code == 403
        assert client.delete(f"/api/settings/tokens/{listed[0]['id']}").status_code == 403
    with ann.client() as client:
        assert client.delete(f"/api/settings/tokens/{listed[0]['id']}").status_code == 200
        assert client.delete(f"/api/settings/tokens/{listed[0]['id']}").status_code == 404
    with pytest.raises(HfHubHTTPError):
        reader.api.whoami()


def test_a_cookie_makes_changes_only_from_the_hubs_own_pages(each_hub: Hub, as_ann: Context) -> None:
    cookie = {"token": sessions.start(as_ann, as_ann.actor.account_id or 0)}
    with httpx.Client(base_url=each_hub.url, cookies=cookie) as browser:
        assert browser.get("/api/whoami-v2").json()["auth"] == {"type": "session"}
        wanted = {"displayName": "stolen", "role": "write"}
        for origin in ("https://evil.example", "null", "http://localhost:1"):
            refused = browser.post("/api/settings/tokens", json=wanted, headers={"Origin": origin})
            assert (refused.status_code, refused.headers["X-Error-Code"]) == (403, "CsrfMismatch")
        assert browser.post("/api/settings/tokens", json=wanted, headers={"Origin": each_hub.url}).status_code == 201


class Client:
    """The `hf` command with a home of its own, in which nobody is signed in."""

    def __init__(self, home: Path, person: Person) -> None:
        self._environment = person.environment(home) | {"PYTHONUNBUFFERED": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
        del self._environment["HF_TOKEN"]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [Path(sys.executable).with_name("hf"), *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *words: str) -> str:
        process = self.start(*words)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        return out


@pytest.fixture
def hf(ann: Person, home: Path) -> Client:
    return Client(home, ann)


def _code(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if found := re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", line):
            return found[0]
    raise AssertionError(f"no code was shown:\n{read}")


def test_hf_auth_login_by_device_code_which_is_its_default(hf: Client, as_ann: Context) -> None:
    login = hf.start("auth", "login")
    code = _code(login)
    assert "Hugging Face client" in device.find(as_ann, code).client
    device.decide(as_ann, code, approve=True)
    out, _ = login.communicate(timeout=60)
    assert login.returncode == 0, out
    assert f"{as_ann.actor.name}-labs" in hf("auth", "whoami")


def test_hf_auth_login_hears_a_refusal(hf: Client, as_ann: Context) -> None:
    login = hf.start("auth", "login")
    device.decide(as_ann, _code(login), approve=False)
    out, _ = login.communicate(timeout=60)
    assert login.returncode != 0
    assert "denied" in out


def test_hf_auth_login_with_a_pasted_token(hf: Client, ann: Person) -> None:
    hf("auth", "login", "--token", ann.token)
    assert ann.name in hf("auth", "whoami")
    assert "laptop" in hf("auth", "list")


def test_the_token_endpoint_refuses_as_oauth_says(each_hub: Hub) -> None:
    for form, code in (
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}, "invalid_grant"),
    ):
        # an OAuth client's own credentials are no access token
        answer = httpx.post(f"{each_hub.url}/oauth/token", data=form, auth=("client", "secret"))
        assert answer.status_code == 400
        body = json.loads(answer.text)
        assert body["error"] == code
        assert body["error_description"]
    assert httpx.post(f"{each_hub.url}/oauth/device").json()["error"] == "invalid_client"
