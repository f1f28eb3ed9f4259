from __future__ import annotations

import threading

import pytest

from building.time import Time
from corral.accounts import people
from corral.community import discussions
from corral.context import Context
from corral.core.actor import Actor, TokenRole
from corral.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RevisionNotFound,
    Unauthorized,
    Unprocessable,
)
from corral.core.ids import RepoId, RepoType
from corral.repos import commits, lifecycle, read, refs
from corral.repos.lookup import Repo


def signed_in(ctx: Context, name: str) -> Context:
    return ctx.acting_as(Actor(people.create_user(ctx, name).id, name))


@pytest.fixture
def ann(ctx: Context) -> Context:
    return signed_in(ctx, "ann")


@pytest.fixture
def bob(ctx: Context) -> Context:
    return signed_in(ctx, "bob")


@pytest.fixture
def repo(ann: Context) -> Repo:
    return lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))


def push(ctx: Context, repo: Repo, ref: str, **files: str) -> str:
    operations = [commits.AddFile(f"{name}.txt", text.encode()) for name, text in files.items()]
    return commits.commit(ctx, repo, ref, commits.Header("Change"), operations).oid


def open_one(ctx: Context, repo: Repo, title: str = "A question") -> discussions.Discussion:
    return discussions.find(ctx, repo, discussions.open_discussion(ctx, repo, title, "What is this?"))


def open_pull(ctx: Context, repo: Repo, base: str = "refs/heads/main") -> discussions.Discussion:
    return discussions.find(ctx, repo, discussions.open_pull_request(ctx, repo, "A change", "", base))


def text_of(ctx: Context, repo: Repo, revision: str, path: str) -> str:
    return read.read_file(ctx, repo, read.commit_of(ctx, repo, revision), path).decode()


def test_numbers_are_shared_by_discussions_and_pull_requests(ann: Context, bob: Context, repo: Repo) -> None:
    assert open_one(bob, repo).num == 1
    assert open_pull(bob, repo).num == 2
    assert open_one(ann, repo).num == 3
    page = discussions.page(ann, repo)
    assert [one.num for one in page.discussions] == [3, 2, 1]
    assert page.discussions[0].author.name == "ann"
    assert page.discussions[0].comments == 1


def test_numbers_are_given_out_once_to_many_at_a_time(ann: Context, repo: Repo) -> None:
    threads = [threading.Thread(target=open_one, args=(ann, repo)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.num for one in discussions.page(ann, repo).discussions) == list(range(1, 9))


def test_lists_are_filtered_and_paged(ann: Context, bob: Context, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    for ctx in (ann, bob, ann, bob):
        open_one(ctx, repo)
    open_pull(bob, repo)
    discussions.set_status(ann, repo, discussions.find(ann, repo, 1), "closed")

    def numbers(**filters: object) -> list[int]:
        return [one.num for one in discussions.page(ann, repo, **filters).discussions]  # type: ignore[arg-type]

    assert numbers(author="BOB") == [5, 4, 2]
    assert numbers(pull_requests=True) == [5]
    assert numbers(pull_requests=False, status="open") == [4, 3, 2]
    assert numbers(status="closed") == [1]
    assert numbers(author="nobody") == []
    monkeypatch.setattr(discussions, "PAGE", 2)
    page = discussions.page(ann, repo, 1)
    assert ([one.num for one in page.discussions], page.count, page.start, page.closed) == ([3, 2], 5, 2, 1)


def test_a_draft_counts_as_open(ann: Context, repo: Repo) -> None:
    discussions.open_pull_request(ann, repo, "Later", "", draft=True)
    (one,) = discussions.page(ann, repo, status="open").discussions
    assert one.status == "draft"


def test_what_happens_is_written_down(ann: Context, bob: Context, repo: Repo) -> None:
    one = open_one(bob, repo)
    discussions.comment(ann, repo, one, "An answer")
    discussions.rename(bob, repo, one, " A better title ")
    discussions.set_status(bob, repo, one, "closed", "Thank you")
    found = discussions.happenings(ann, one)
    assert [(h.type, h.author.name) for h in found] == [
        ("comment", "bob"),
        ("comment", "ann"),
        ("title-change", "bob"),
        ("comment", "bob"),
        ("status-change", "bob"),
    ]
    assert found[2].data == {"from": "A question", "to": "A better title"}
    again = discussions.find(ann, repo, one.num)
    assert (again.title, again.status) == ("A better title", "closed")


def test_a_comment_is_edited_by_its_author_and_hidden_by_who_may(
    ann: Context, bob: Context, repo: Repo, time: Time
) -> None:
    one = open_one(ann, repo)
    said = discussions.comment(bob, repo, one, "first")
    time.forward(1)
    with pytest.raises(Forbidden):
        discussions.edit_comment(ann, repo, one, said.object_id, "not mine")
    edited = discussions.edit_comment(bob, repo, one, said.object_id, "second")
    assert (edited.data["raw"], edited.data["edited"]) == ("second", True)
    assert [past["raw"] for past in edited.data["history"]] == ["first"]
    hidden = discussions.hide_comment(ann, repo, one, said.object_id)
    assert (hidden.data["raw"], hidden.data["hidden"], hidden.data["history"]) == ("", True, [])
    with pytest.raises(Forbidden):
        discussions.edit_comment(bob, repo, one, said.object_id, "back")
    with pytest.raises(NotFound):
        discussions.edit_comment(bob, repo, open_one(ann, repo), said.object_id, "elsewhere")


def test_who_may_do_what(ctx: Context, ann: Context, bob: Context, repo: Repo) -> None:
    one = open_one(ann, repo)
    reader = ctx.acting_as(Actor(bob.actor.account_id, "bob", token_role=TokenRole.READ))
    with pytest.raises(Unauthorized):
        open_one(ctx, repo)
    with pytest.raises(Forbidden):
        open_one(reader, repo)
    with pytest.raises(Forbidden):
        discussions.rename(bob, repo, one, "Taken over")
    with pytest.raises(Forbidden):
        discussions.set_status(bob, repo, one, "closed")
    with pytest.raises(Forbidden):
        discussions.merge(bob, repo, open_pull(bob, repo))


@pytest.mark.parametrize("title", ["", " ab ", "x" * 201])
def test_titles_have_a_length(ann: Context, repo: Repo, title: str) -> None:
    with pytest.raises(BadRequest):
        discussions.open_discussion(ann, repo, title, "")


def test_bad_input(ann: Context, repo: Repo) -> None:
    one = open_one(ann, repo)
    with pytest.raises(BadRequest):
        discussions.comment(ann, repo, one, "  ")
    with pytest.raises(BadRequest):
        discussions.comment(ann, repo, one, "x" * (discussions.MOST_COMMENT + 1))
    with pytest.raises(BadRequest):
        discussions.set_status(ann, repo, one, "merged")
    with pytest.raises(BadRequest):
        discussions.merge(ann, repo, one)
    for num in (0, 99, 10**30):
        with pytest.raises(NotFound):
            discussions.find(ann, repo, num)


def test_a_pull_request_begins_at_the_head_of_its_branch(ann: Context, bob: Context, repo: Repo) -> None:
    one = open_pull(bob, repo)
    head = refs.read(ann, repo.id, "refs/heads/main")
    assert refs.read(ann, repo.id, one.ref) == head
    assert discussions.may_push(bob, repo, one.ref)
    assert not discussions.may_push(bob, repo, "refs/heads/main")
    assert not discussions.may_push(bob, repo, "refs/pr/77")
    push(bob, repo, one.ref, added="hello")
    found = discussions.changes(ann, repo, one)
    assert (found.base, [c.title for c in found.commits], list(found.conflicts)) == (head, ["Change"], [])


@pytest.mark.parametrize("base", ["refs/heads/missing", "refs/pr/1", "refs/tags/v1"])
def test_a_pull_request_is_against_a_branch(ann: Context, repo: Repo, base: str) -> None:
    open_pull(ann, repo)
    with pytest.raises(RevisionNotFound):
        open_pull(ann, repo, base)


def test_merging_brings_both_sides_together(ann: Context, bob: Context, repo: Repo) -> None:
    one = open_pull(bob, repo)
    theirs = push(bob, repo, one.ref, theirs="new")
    ours = push(ann, repo, "main", ours="meanwhile")
    oid = discussions.merge(ann, repo, discussions.find(ann, repo, one.num), "Merged, thanks")
    assert refs.read(ann, repo.id, "refs/heads/main") == oid
    assert text_of(ann, repo, "main", "theirs.txt") == "new"
    assert text_of(ann, repo, "main", "ours.txt") == "meanwhile"
    assert read.commit_info(ann, repo, oid).parents == (ours, theirs)
    assert read.commit_info(ann, repo, oid).title == "A change (#1)"
    done = discussions.find(ann, repo, one.num)
    assert (done.status, done.merge_commit) == ("merged", oid)
    assert [c.oid for c in discussions.changes(ann, repo, done).commits] == [theirs]
    with pytest.raises(Conflict):
        discussions.merge(ann, repo, done)
    with pytest.raises(Conflict):
        discussions.set_status(ann, repo, done, "open")
    assert not discussions.may_push(bob, repo, one.ref)


def test_different_lines_of_one_file_are_merged(ann: Context, repo: Repo) -> None:
    push(ann, repo, "main", poem="one\n\ntwo\n\nthree\n\nfour\n")
    one = open_pull(ann, repo)
    push(ann, repo, one.ref, poem="ONE\n\ntwo\n\nthree\n\nfour\n")
    push(ann, repo, "main", poem="one\n\ntwo\n\nthree\n\nFOUR\n")
    discussions.merge(ann, repo, one)
    assert text_of(ann, repo, "main", "poem.txt") == "ONE\n\ntwo\n\nthree\n\nFOUR\n"


def test_a_conflict_is_named_and_changes_nothing(ann: Context, repo: Repo) -> None:
    push(ann, repo, "main", poem="one\n")
    one = open_pull(ann, repo)
    push(ann, repo, one.ref, poem="theirs\n")
    head = push(ann, repo, "main", poem="ours\n")
    assert list(discussions.changes(ann, repo, one).conflicts) == ["poem.txt"]
    with pytest.raises(Conflict, match=r"poem\.txt"):
        discussions.merge(ann, repo, one)
    assert refs.read(ann, repo.id, "refs/heads/main") == head
    assert discussions.find(ann, repo, one.num).status == "open"
    assert len(discussions.happenings(ann, one)) == 0


def test_a_pull_request_is_opened_with_its_commit(bob: Context, repo: Repo) -> None:
    add = [commits.AddFile("new.txt", b"from bob")]
    num, oid = discussions.propose(bob, repo, "main", commits.Header("A gift", "Take it"), add)
    assert refs.read(bob, repo.id, f"refs/pr/{num}") == oid
    assert text_of(bob, repo, f"refs/pr/{num}", "new.txt") == "from bob"
    opened = discussions.find(bob, repo, num)
    assert (opened.title, opened.status) == ("A gift", "open")


def test_a_commit_that_is_refused_opens_no_pull_request(bob: Context, repo: Repo) -> None:
    before = refs.all(bob, repo.id)
    for operation in (commits.Delete("absent"), commits.AddLargeFile("w.bin", "0" * 64)):
        with pytest.raises((NotFound, Unprocessable)):
            discussions.propose(bob, repo, "main", commits.Header("A gift"), [operation])
    assert discussions.page(bob, repo).count == 0
    assert refs.all(bob, repo.id) == before
