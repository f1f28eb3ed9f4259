"""Tasks over HTTP: what there is for each, what runs here, and how a model's owner says which is his model's."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from building.hub import Hub, Person
from building.pages import HTML, csrf, signed_in

NewRepo = Callable[..., str]


def test_tasks_say_what_there_is_and_what_runs(alice: Person, new_repo: NewRepo, anonymous: httpx.Client) -> None:
    model, hidden = new_repo(alice), new_repo(alice, private=True)
    for repo in (model, hidden):
        card = b"---\npipeline_tag: image-classification\n---\nIt tells horses from other animals.\n"
        alice.api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo)
    tasks = anonymous.get("/api/tasks").json()
    one = tasks["image-classification"]
    # huggingface.js's `TaskData`
    members = ("id", "label", "summary", "demo", "models", "datasets", "spaces", "metrics", "widgetModels", "libraries")
    assert all(name in one for name in members)
    assert one["runs"]
    assert "transformers" in one["libraries"]
    assert one["count"] >= 1
    assert hidden not in [entry["id"] for entry in one["models"]]
    assert not tasks["robotics"]["runs"]
    # it holds no weights, so it cannot run
    assert one["running"] < one["count"]
    page = anonymous.get("/tasks", headers=HTML).text
    assert 'href="/models?pipeline_tag=image-classification"' in page
    assert "runs on this hub" in page


def test_the_owner_sets_the_task(hub: Hub, alice: Person, new_repo: NewRepo, anonymous: httpx.Client) -> None:
    repo = new_repo(alice)
    alice.api.upload_file(
        path_or_fileobj=b"---\nlicense: mit # ours\n---\n# A\n", path_in_repo="README.md", repo_id=repo
    )
    alice.api.upload_file(path_or_fileobj=b"weights", path_in_repo="weights.bin", repo_id=repo)
    assert "Set the task" not in anonymous.get(f"/{repo}", headers=HTML).text
    with signed_in(hub, "bob") as bob:
        assert bob.post(f"/{repo}/task", data={"csrf": csrf(bob, "/"), "task": "fill-mask"}).status_code == 403
    with signed_in(hub, "alice") as browser:
        assert "Set the task" in browser.get(f"/{repo}").text
        token = csrf(browser, f"/{repo}")
        assert browser.post(f"/{repo}/task", data={"csrf": token, "task": "no-such"}).status_code == 400
        assert browser.post(f"/{repo}/task", data={"csrf": token, "task": "fill-mask"}).status_code == 303
        # what the card says needs no setting
        assert "Set the task" not in browser.get(f"/{repo}").text
    card = anonymous.get(f"/{repo}/raw/main/README.md").text
    assert card == "---\nlicense: mit # ours\npipeline_tag: fill-mask\n---\n# A\n"
    last = alice.api.list_repo_commits(repo)[0]
    assert last.title == "Set the task to Fill-Mask"
    assert last.authors == ["alice"]
    assert alice.api.model_info(repo).pipeline_tag == "fill-mask"


def test_comparisons_name_what_takes_no_part(alice: Person, new_repo: NewRepo, anonymous: httpx.Client) -> None:
    hidden = new_repo(alice, private=True)
    page = anonymous.get("/compare", params={"models": f"{hidden},alice/absent"}, headers=HTML)
    assert page.status_code == 200
    assert page.text.count("There is no such model here, or it is private.</span>") == 2
    many = anonymous.get("/compare", params={"models": "a/1,a/2,a/3,a/4,a/5,a/6", "add": "a/7"}, headers=HTML).text
    assert "a/5, a/6, a/7 were left out" in many
    assert anonymous.get("/compare?models=<script>,x", headers=HTML).status_code == 200
