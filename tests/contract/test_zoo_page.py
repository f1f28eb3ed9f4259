"""Repositories of the zoo, added with a click on a page and by command: who may, how far it is, and what failed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from building.hub import PASSWORD
from building.serving import Serving
from building.zoo import fake_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_zoo(tmp_path_factory.mktemp("zoo") / "checkout")


@pytest.fixture(scope="module")
def serving(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A hub that is filled with the core."""
    data = tmp_path_factory.mktemp("hub") / "data"
    with Serving(data, starter=zoo, CORRAL_ADMIN_PASSWORD=PASSWORD) as serving:
        # the first user to be made is the administrator
        serving.wait_for("Corral is ready at")
        serving.command("user", "create", "alice", typed=f"{PASSWORD}\n")
        yield serving


def _browser(serving: Serving, name: str = "") -> httpx.Client:
    client = httpx.Client(base_url=serving.url, follow_redirects=True, timeout=60)
    if name:
        form = {"csrf": _csrf(client, "/login"), "name": name, "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 200
    return client


def _csrf(client: httpx.Client, path: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def _click(client: httpx.Client, *names: str) -> httpx.Response:
    return client.post("/zoo/add", data={"csrf": _csrf(client, "/zoo"), "name": list(names)})


def _card(client: httpx.Client, name: str) -> str:
    cards = re.findall(r"<article.*?</article>", client.get("/zoo").text, re.DOTALL)
    return next(card for card in cards if f">{name}<" in card)


def _until(client: httpx.Client, name: str, words: str) -> str:
    until = time.monotonic() + 60
    while words not in (card := _card(client, name)):
        assert time.monotonic() < until, card
        time.sleep(0.1)
    return card


def test_a_click_adds_a_repository_and_the_page_says_how_far_it_is(serving: Serving, zoo: Path) -> None:
    admin = _browser(serving, "admin")
    assert 'href="/zoo"' in admin.get("/").text
    assert "On this hub" in _card(admin, "small"), "the core is there from the start"
    (zoo / "wait").touch()
    assert _click(admin, "large").url.path == "/zoo"
    _until(admin, "large", "begun by admin")
    # a second click changes nothing
    assert _click(admin, "large").status_code == 200
    (zoo / "wait").unlink()
    assert 'href="/corral/large"' in _until(admin, "large", "On this hub")
    assert HfApi(endpoint=serving.url, token=False).file_exists("corral/large", "README.md")
    assert _tokens(serving) == []


def test_what_failed_is_told_and_can_be_tried_again(serving: Serving, zoo: Path) -> None:
    admin = _browser(serving, "admin")
    _delete(serving)
    (zoo / "refuse").touch()
    _click(admin, "large")
    card = _until(admin, "large", "not today")
    assert "Try again" in card and 'role="alert"' in card
    (zoo / "refuse").unlink()
    _click(admin, "large")
    _until(admin, "large", "On this hub")


def test_only_administrators_add(serving: Serving) -> None:
    for name in ("", "alice"):
        visitor = _browser(serving, name)
        assert "/zoo/add" not in visitor.get("/zoo").text
    alice = _browser(serving, "alice")
    assert _click(alice, "large").status_code == 403
    assert _click(_browser(serving), "large").url.path == "/login"


def test_what_is_not_in_the_zoo_is_said(serving: Serving) -> None:
    admin = _browser(serving, "admin")
    assert _click(admin, "tiger").status_code == 404
    assert admin.get("/zoo/tiger/picture").status_code == 404
    assert admin.get("/zoo/small/picture").status_code == 404


@pytest.mark.slow
def test_the_command_adds_beside_a_running_hub(serving: Serving, zoo: Path) -> None:
    _delete(serving)
    added = _corral(serving.data, zoo, "zoo", "add", "corral/large")
    assert added.returncode == 0, added.stderr
    assert "large\tmodel\t0 MB\tmit\there" in _corral(serving.data, zoo, "zoo", "list").stdout
    assert _tokens(serving) == []


@pytest.mark.slow
def test_the_command_adds_where_no_hub_is_running_and_tells_what_failed(zoo: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    refused = _corral(data, zoo, "zoo", "add", "large")
    assert refused.returncode == 1 and "corral user create NAME --admin" in refused.stderr
    assert _corral(data, zoo, "user", "create", "root", "--admin", "--no-password").returncode == 0
    (zoo / "refuse").touch()
    failed = _corral(data, zoo, "zoo", "add", "large")
    (zoo / "refuse").unlink()
    assert failed.returncode == 1 and "corral/large is not there: not today" in failed.stderr
    assert "large\tmodel\t0 MB\tmit\t-" in _corral(data, zoo, "zoo", "list").stdout
    added = _corral(data, zoo, "zoo", "add", "large")
    assert added.returncode == 0, added.stderr
    unknown = _corral(data, zoo, "zoo", "add", "tiger")
    assert (unknown.returncode, unknown.stderr) == (1, "corral: The zoo has no 'tiger'. It has: small, large.\n")


def _corral(data: Path, zoo: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Like a person who stands in the folder of that zoo."""
    environment = {**os.environ, "CORRAL_DATA": str(data)}
    command = [sys.executable, "-m", "corral", *words]
    return subprocess.run(command, env=environment, cwd=zoo, capture_output=True, text=True, check=False)


def _delete(serving: Serving) -> None:
    secret = serving.command("token", "create", "admin", "--role", "write", "--name", "test").strip()
    HfApi(endpoint=serving.url, token=secret).delete_repo("corral/large")


def _tokens(serving: Serving) -> list[str]:
    """Those that the programs were given; they are revoked with the end of them."""
    until = time.monotonic() + 10
    while (left := _left(serving)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def _left(serving: Serving) -> list[str]:
    return [line for line in serving.command("token", "list", "admin").splitlines() if "starter content" in line]
