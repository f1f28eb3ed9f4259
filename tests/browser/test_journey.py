"""What a newcomer does on the first day."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from building.hub import PASSWORD, Hub, Person
from building.pages import sign_in

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]


def test_from_signing_up_to_a_card(visit: Visit, hub: Hub) -> None:
    page = visit()
    name = f"newcomer-{secrets.token_hex(3)}"
    page.goto("/")
    page.get_by_role("banner").get_by_role("link", name="Sign up").click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("E-mail address").fill(f"{name}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("status")).to_contain_text("Welcome")

    # a token, shown once, that programs can use
    page.get_by_label("Your menu").click()
    page.get_by_role("link", name="Access tokens").click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("radio", name="Write").check()
    page.get_by_role("button", name="Create the token").click()
    token = page.locator("#c-token").inner_text()
    whoami = httpx.get(f"{hub.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}).json()
    assert whoami["name"] == name
    assert whoami["auth"]["accessToken"]["role"] == "write"
    page.goto("/settings/tokens")
    assert token not in page.content()

    # a repository, and its card written in the browser
    page.goto("/new")
    page.get_by_label("Name").fill("first-model")
    page.get_by_label("Licence").select_option("mit")
    page.get_by_role("button", name="Create model").click()
    expect(page).to_have_url(f"{hub.url}/{name}/first-model/tree/main")
    page.get_by_role("link", name="Model card").click()
    page.get_by_role("link", name="Edit the card").or_(page.get_by_role("link", name="Write the card")).first.click()
    card = "---\nlicense: mit\npipeline_tag: text-generation\n---\n# My first model\n\nIt *neighs*.\n"
    page.get_by_label("Contents").fill(card)
    page.get_by_label("What you did").fill("Write the card")
    page.get_by_role("button", name="Commit to main").click()
    expect(page.get_by_role("heading", name="My first model")).to_be_visible()
    page.goto(f"/{name}/first-model")
    expect(page.get_by_role("heading", name="My first model")).to_be_visible()
    expect(page.locator(".prose em")).to_have_text("neighs")
    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name=re.compile(r"\d commits")).click()
    expect(page.get_by_role("link", name="Write the card")).to_be_visible()
    page.get_by_role("link", name="Write the card").click()
    expect(page.locator(".diff").get_by_text("+ # My first model")).to_be_visible()

    # the token is taken back
    page.goto("/settings/tokens")
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.get_by_role("status")).to_contain_text("revoked")
    gone = httpx.get(f"{hub.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})
    assert gone.status_code == 401


def test_someone_else_was_faster(visit: Visit, alice: Person, new_repo: Callable[..., str]) -> None:
    repo = new_repo(alice)
    alice.api.upload_file(path_or_fileobj=b"one\n", path_in_repo="notes.txt", repo_id=repo)
    page = visit()
    sign_in(page, "alice", PASSWORD)
    page.goto(f"/{repo}/edit/main/notes.txt")
    alice.api.upload_file(path_or_fileobj=b"two\n", path_in_repo="notes.txt", repo_id=repo)
    page.get_by_label("Contents").fill("three\n")
    page.get_by_role("button", name="Commit to main").click()
    # nothing is lost: the text is still in the form, and what to do is said
    expect(page.get_by_role("alert")).to_contain_text("was updated")
    expect(page.get_by_label("Contents")).to_have_value("three\n")
    page.get_by_role("button", name="Commit to main").click()
    expect(page.locator(".source-lines")).to_contain_text("three")


def test_upload_small_and_large_files(
    visit: Visit, alice: Person, new_repo: Callable[..., str], tmp_path: Path
) -> None:
    repo = new_repo(alice, "dataset")
    small, large = tmp_path / "notes.csv", tmp_path / "weights.bin"
    small.write_text("a,b\n1,2\n")
    large.write_bytes(os.urandom(5_000_003))
    page = visit()
    sign_in(page, "alice", PASSWORD)
    page.goto(f"/datasets/{repo}/upload/main/data")
    page.locator("input[type=file]").set_input_files([small, large])
    page.get_by_label("What you did").fill("Bring the data")
    page.get_by_role("button", name="Commit to main").click()
    page.wait_for_url(f"**/datasets/{repo}/tree/main/data")
    expect(page.get_by_role("link", name="weights.bin", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Bring the data").first).to_be_visible()
    for file in (small, large):
        got = alice.client().get(f"/datasets/{repo}/resolve/main/data/{file.name}", follow_redirects=True).content
        assert hashlib.sha256(got).digest() == hashlib.sha256(file.read_bytes()).digest()
    info = alice.api.get_paths_info(repo, ["data/weights.bin"], repo_type="dataset")
    assert info[0].lfs is not None  # type: ignore[union-attr]


def test_like_without_a_reload(visit: Visit, alice: Person, new_repo: Callable[..., str]) -> None:
    repo = new_repo(alice)
    page = visit()
    sign_in(page, "bob", PASSWORD)
    page.goto(f"/{repo}")
    like = page.get_by_role("button", name="Like")
    like.click()
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-count]")).to_have_text("1")
    page.reload()
    expect(page.get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Like").click()
    expect(page.locator("[data-count]")).to_have_text("0")


def test_deleting_asks_for_the_name(visit: Visit, alice: Person, new_repo: Callable[..., str]) -> None:
    repo = new_repo(alice)
    page = visit()
    sign_in(page, "alice", PASSWORD)
    page.goto(f"/{repo}/settings")
    page.get_by_label(f"To be sure, type {repo}").fill("yes")
    page.get_by_role("button", name="Delete model").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
    assert alice.api.repo_exists(repo)
    page.get_by_label(f"To be sure, type {repo}").fill(repo)
    page.get_by_role("button", name="Delete model").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")
    assert not alice.api.repo_exists(repo)


def test_a_discussion(visit: Visit, alice: Person, new_repo: Callable[..., str]) -> None:
    repo = new_repo(alice)
    page = visit()
    sign_in(page, "bob", PASSWORD)
    page.goto(f"/{repo}/discussions")
    page.get_by_role("link", name="New discussion").click()
    page.get_by_label("Title").fill("How was it trained?")
    page.get_by_label("Text").fill("Please **say**. <img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Start the discussion").click()
    expect(page.locator(".comment strong")).to_have_text("say")
    page.get_by_label("Say something").fill("Never mind.")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("closed this")).to_be_visible()
    expect(page.locator(".comment")).to_have_count(2)
