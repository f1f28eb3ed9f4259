"""Signing in with the stock client: whoami, a pasted token, and the device flow of `hf auth login`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from building.serving import Serving
from corral.accounts import device, people
from corral.context import Context, shared_secret
from corral.core.actor import Actor
from corral.core.settings import Settings
from corral.storage.blobs import connect
from corral.storage.database import Database


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("hub") / "data") as running:
        running.wait_for("hf upload")
        running.command(
            "user", "create", "Ann", "--email", "ann@example.org", "--fullname", "Ann A.", typed="correct horse"
        )
        running.command("org", "create", "labs", "--admin", "ann", "--fullname", "The Labs")
        yield running


@pytest.fixture(scope="module")
def token(serving: Serving) -> str:
    return serving.command("token", "create", "ann", "--role", "write", "--name", "laptop").strip()


@pytest.fixture
def as_ann(serving: Serving) -> Iterator[Context]:
    """The hub as Ann sees it who is signed in on a page."""
    settings = Settings(data=serving.data)
    db = Database(settings.database_url)
    ctx = Context(settings, db, connect(settings.storage_url), shared_secret(db))
    yield ctx.acting_as(Actor(people.find_user(ctx, "ann").id, "Ann"))
    db.close()


def test_whoami_tells_who_with_which_token_in_which_organizations(serving: Serving, token: str) -> None:
    me = HfApi(endpoint=serving.url, token=token).whoami()
    assert (me["type"], me["name"], me["fullname"], me["email"]) == ("user", "Ann", "Ann A.", "ann@example.org")
    assert re.fullmatch("[0-9a-f]{24}", me["id"])
    assert [(org["name"], org["fullname"], org["roleInOrg"]) for org in me["orgs"]] == [("labs", "The Labs", "admin")]
    access = me["auth"]["accessToken"]
    assert (access["displayName"], access["role"]) == ("laptop", "write")
    assert me["avatarUrl"].startswith(serving.url)
    picture = httpx.get(me["avatarUrl"])
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "<svg" in picture.text


def test_nobody_and_a_wrong_token_are_told_so(serving: Serving) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid user token") as refused:
        HfApi(endpoint=serving.url, token="hf_" + "x" * 34).whoami()
    assert refused.value.response.status_code == 401
    assert httpx.get(f"{serving.url}/api/whoami-v2").status_code == 401


def test_a_revoked_token_ends_at_once(serving: Serving) -> None:
    secret = serving.command("token", "create", "ann").strip()
    api = HfApi(endpoint=serving.url, token=secret)
    assert api.whoami()["name"] == "Ann"
    number = serving.command("token", "list", "ann").split("\t")[0]
    serving.command("token", "revoke", "ann", number)
    with pytest.raises(HfHubHTTPError):
        api.whoami()


def test_profiles_are_read_by_the_client(serving: Serving, token: str) -> None:
    api = HfApi(endpoint=serving.url, token=token)
    user = api.get_user_overview("aNN")
    assert (user.username, user.fullname, user.user_type) == ("Ann", "Ann A.", "user")
    assert [org.name for org in user.orgs] == ["labs"]
    org = api.get_organization_overview("labs")
    assert (org.name, org.fullname, org.num_users) == ("labs", "The Labs", 1)
    assert [member.username for member in api.list_organization_members("labs")] == ["Ann"]
    for missing in (api.get_user_overview, api.get_organization_overview):
        with pytest.raises(HfHubHTTPError) as refused:
            missing("nobody")
        assert refused.value.response.status_code == 404


class Client:
    """The `hf` command with a home of its own."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))},
            "HF_HOME": str(home),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self, *args: str) -> subprocess.Popen[str]:
        command = [str(Path(sys.executable).parent / "hf"), *args]
        return subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *args: str) -> str:
        process = self.start(*args)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        return out


@pytest.fixture
def hf(serving: Serving, tmp_path: Path) -> Client:
    return Client(tmp_path / "home", serving.url)


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
    assert "Ann" in hf("auth", "whoami")
    assert "labs" in hf("auth", "whoami")


def test_hf_auth_login_hears_a_refusal(hf: Client, as_ann: Context) -> None:
    login = hf.start("auth", "login")
    device.decide(as_ann, _code(login), approve=False)
    out, _ = login.communicate(timeout=60)
    assert login.returncode != 0
    assert "denied" in out


def test_hf_auth_login_with_a_pasted_token(hf: Client, token: str) -> None:
    hf("auth", "login", "--token", token)
    assert "Ann" in hf("auth", "whoami")
    assert "laptop" in hf("auth", "list")


def test_the_token_endpoint_refuses_as_oauth_says(serving: Serving) -> None:
    for form, code in (
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}, "invalid_grant"),
    ):
        # an OAuth client's own credentials are no access token
        answer = httpx.post(f"{serving.url}/oauth/token", data=form, auth=("client", "secret"))
        assert answer.status_code == 400
        body = json.loads(answer.text)
        assert body["error"] == code
        assert body["error_description"]
    assert httpx.post(f"{serving.url}/oauth/device").json()["error"] == "invalid_client"
