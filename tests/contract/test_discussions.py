"""Discussions and pull requests with the stock client."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx
import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from building.hub import Hub, Person

NewRepo = Callable[..., str]


@pytest.fixture
def ann(each_hub: Hub) -> Person:
    return each_hub.person()


@pytest.fixture
def bob(each_hub: Hub) -> Person:
    return each_hub.person()


def more(who: Person, repo_id: str, revision: str) -> None:
    add = [CommitOperationAdd(path_in_repo="more.txt", path_or_fileobj=b"more")]
    who.api.create_commit(repo_id, add, commit_message="More", revision=revision)


@pytest.mark.filterwarnings("ignore:Hidden comments")
def test_a_conversation(ann: Person, bob: Person, new_repo: NewRepo) -> None:
    repo_id = new_repo(ann, "dataset")
    opened = bob.api.create_discussion(repo_id, " A question ", description="Why **so**?", repo_type="dataset")
    assert (opened.num, opened.title, opened.author, opened.status) == (1, "A question", bob.name, "open")
    assert opened.url == f"{ann.url}/datasets/{repo_id}/discussions/1"
    said = ann.api.comment_discussion(repo_id, 1, "Because <script>alert(1)</script>", repo_type="dataset")
    ann.api.edit_discussion_comment(repo_id, 1, said.id, "Because *I* said so", repo_type="dataset")
    ann.api.rename_discussion(repo_id, 1, "An answered question", repo_type="dataset")
    ann.api.change_discussion_status(repo_id, 1, "closed", comment="Done", repo_type="dataset")
    details = bob.api.get_discussion_details(repo_id, 1, repo_type="dataset")
    assert [event.type for event in details.events] == [
        "comment",
        "comment",
        "title-change",
        "comment",
        "status-change",
    ]
    first, second = details.events[:2]
    assert first.content == "Why **so**?"  # type: ignore[attr-defined]
    assert "<strong>so</strong>" in first.rendered  # type: ignore[attr-defined]
    assert second.edited  # type: ignore[attr-defined]
    assert second.number_of_edits == 1  # type: ignore[attr-defined]
    assert (details.title, details.status) == ("An answered question", "closed")
    hidden = ann.api.hide_discussion_comment(repo_id, 1, said.id, repo_type="dataset")
    assert (hidden.hidden, hidden.content) == (True, "")


def test_html_in_a_comment_is_text(ann: Person, new_repo: NewRepo) -> None:
    repo_id = new_repo(ann)
    evil = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) <script>alert(1)</script>"
    opened = ann.api.create_discussion(repo_id, "Harm", description=evil)
    html = opened.events[0].rendered  # type: ignore[attr-defined]
    assert "<img" not in html
    assert "<script" not in html
    assert 'href="javascript' not in html


def test_lists(ann: Person, bob: Person, new_repo: NewRepo) -> None:
    repo_id = new_repo(ann)
    for number in range(60):
        (ann if number % 2 else bob).api.create_discussion(repo_id, f"Number {number}")
    assert [d.num for d in ann.api.get_repo_discussions(repo_id)] == list(range(60, 0, -1))
    assert len(list(ann.api.get_repo_discussions(repo_id, author=bob.name))) == 30
    assert list(ann.api.get_repo_discussions(repo_id, discussion_type="pull_request")) == []


def test_a_pull_request_by_somebody_without_rights_is_merged_by_the_owner(
    ann: Person, bob: Person, new_repo: NewRepo
) -> None:
    repo_id = new_repo(ann)
    proposed = bob.api.upload_file(
        path_or_fileobj=b"from bob", path_in_repo="new.txt", repo_id=repo_id, create_pr=True, commit_message="A gift"
    )
    assert (proposed.pr_num, proposed.pr_revision) == (1, "refs/pr/1")
    # its author may go on, and on nothing else
    more(bob, repo_id, "refs/pr/1")
    with pytest.raises(HfHubHTTPError) as refused:
        more(bob, repo_id, "main")
    assert refused.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError):
        bob.api.merge_pull_request(repo_id, 1)
    ann.api.upload_file(path_or_fileobj=b"from ann", path_in_repo="own.txt", repo_id=repo_id)
    details = ann.api.get_discussion_details(repo_id, 1)
    assert (details.target_branch, details.conflicting_files, details.merge_commit_oid) == ("refs/heads/main", [], None)
    assert "+from bob" in (details.diff or "")
    assert "own.txt" not in (details.diff or "")
    assert [e.summary for e in details.events if e.type == "commit"] == ["A gift", "More"]  # type: ignore[attr-defined]
    ann.api.merge_pull_request(repo_id, 1, comment="Thank you")
    assert {"new.txt", "more.txt", "own.txt"} <= set(ann.api.list_repo_files(repo_id))
    merged = ann.api.get_discussion_details(repo_id, 1)
    assert merged.status == "merged"
    assert merged.merge_commit_oid == ann.api.model_info(repo_id).sha


def test_a_conflict_is_told_and_refused(ann: Person, new_repo: NewRepo) -> None:
    repo_id = new_repo(ann)
    api = ann.api
    api.upload_file(path_or_fileobj=b"base\n", path_in_repo="a.txt", repo_id=repo_id)
    api.upload_file(path_or_fileobj=b"theirs\n", path_in_repo="a.txt", repo_id=repo_id, create_pr=True)
    api.upload_file(path_or_fileobj=b"ours\n", path_in_repo="a.txt", repo_id=repo_id)
    assert api.get_discussion_details(repo_id, 1).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError, match=r"a\.txt") as refused:
        api.merge_pull_request(repo_id, 1)
    assert refused.value.response.status_code == 409
    assert api.get_discussion_details(repo_id, 1).status == "open"


def test_discussions_of_a_private_repository_do_not_exist_for_others(
    ann: Person, bob: Person, new_repo: NewRepo
) -> None:
    repo_id = new_repo(ann, private=True)
    ann.api.create_discussion(repo_id, "Among us")
    with pytest.raises(RepositoryNotFoundError):
        bob.api.get_discussion_details(repo_id, 1)
    with pytest.raises(RepositoryNotFoundError):
        bob.api.create_discussion(repo_id, "Let me in")
    with pytest.raises(RepositoryNotFoundError):
        list(bob.api.get_repo_discussions(repo_id))


def test_nobody_may_read_but_not_write(ann: Person, new_repo: NewRepo) -> None:
    repo_id = new_repo(ann)
    ann.api.create_discussion(repo_id, "Public")
    base = f"{ann.url}/api/models/{repo_id}/discussions"
    assert httpx.get(base).json()["count"] == 1
    assert httpx.post(base, json={"title": "Anonymous"}).status_code == 401
    assert httpx.post(f"{base}/1/comment", json={"comment": "x"}).status_code == 401


def test_bad_requests(ann: Person, new_repo: NewRepo) -> None:
    repo_id = new_repo(ann)
    ann.api.create_discussion(repo_id, "One")
    base = f"{ann.url}/api/models/{repo_id}/discussions"
    headers = {"Authorization": f"Bearer {ann.token}"}

    def post(path: str, body: object) -> int:
        return httpx.post(base + path, json=body, headers=headers).status_code

    assert post("", {"title": "ab"}) == 400
    assert post("", {"title": 3}) == 400
    assert post("", {}) == 400
    assert post("/1/comment", {"comment": " "}) == 400
    assert post("/1/comment", {}) == 400
    assert post("/1/status", {"status": "burnt"}) == 400
    assert post("/1/merge", None) == 400
    assert post("/9/comment", {"comment": "x"}) == 404
    assert post(f"/{10**30}/comment", {"comment": "x"}) == 404
    assert post(f"/1/comment/{secrets.token_hex(12)}/edit", {"content": "x"}) == 404
    for query in ("p=-1", "p=x", "type=odd", "status=odd"):
        assert httpx.get(f"{base}?{query}").status_code in (400, 422)
