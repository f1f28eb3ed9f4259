from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from building.time import Time
from corral.accounts import people
from corral.community import feedback, feedback_audit, feedback_data
from corral.community.feedback import Entry, Opinion
from corral.context import Context
from corral.core.actor import Actor, TokenRole
from corral.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RepoNotFound,
    RevisionNotFound,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)
from corral.core.ids import RepoId, RepoType
from corral.repos import lifecycle, lookup, read
from corral.repos.lookup import Repo

Person = Callable[[str], Context]


@pytest.fixture
def person(ctx: Context) -> Person:
    return lambda name: ctx.acting_as(Actor(people.create_user(ctx, name).id, name))


@pytest.fixture
def ann(person: Person) -> Context:
    return person("ann")


@pytest.fixture
def bob(person: Person) -> Context:
    return person("bob")


@pytest.fixture
def repo(ann: Context) -> Repo:
    return lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))


def opinion(given: Any = "How many?", answered: Any = "Two.", good: bool = True, **more: str) -> Opinion:
    return Opinion(commit="", task="text-generation", input=given, output=answered, good=good, **more)


def waiting(ctx: Context, repo: Repo) -> list[Entry]:
    return feedback.page(ctx, repo)


def rows(ctx: Context, data_set: Repo, config: str) -> list[dict[str, Any]]:
    commit = read.commit_of(ctx, data_set, "main")
    files = [e.path for e in read.entries(ctx, data_set, commit, recursive=True) if e.path.startswith(f"{config}/")]
    return [json.loads(line) for f in files for line in read.read_file(ctx, data_set, commit, f).splitlines()]


def test_an_opinion_is_kept_with_what_it_is_about(ann: Context, bob: Context, repo: Repo) -> None:
    given = {"messages": [{"role": "user", "content": "How many?"}]}
    number = feedback.give(bob, repo, opinion(given, "Two.", False, note=" no ", better="Three.", source="widget"))
    (entry,) = waiting(ann, repo)
    assert (entry.object_id, entry.rater, entry.status) == (number, "bob", "pending")
    assert entry.opinion == Opinion(
        read.commit_of(ann, repo, "main"), "text-generation", given, "Two.", False, "no", "Three.", "widget"
    )


def test_who_says_it_again_changes_what_was_said(ann: Context, bob: Context, repo: Repo) -> None:
    feedback.give(bob, repo, opinion(good=True))
    changed = feedback.give(bob, repo, opinion(good=False, note="after all"))
    assert feedback.give(bob, repo, opinion(good=False, note="after all")) == changed
    (entry,) = waiting(ann, repo)
    assert (entry.opinion.good, entry.opinion.note) == (False, "after all")
    feedback_data.accept(ann, repo, [changed])
    assert feedback.give(bob, repo, opinion(good=True)) == changed, "what was decided stays as it was"
    assert feedback.counts(ann, repo) == feedback.Counts(0, 1, 0)


def test_an_owner_accepts_only_what_they_have_seen(
    ann: Context, bob: Context, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = feedback.give(bob, repo, opinion(good=False, better="Three."))
    seen = feedback.chosen(ann, repo, [shown])
    now = feedback.give(bob, repo, opinion(good=False, better="Buy my book."))
    with pytest.raises(NotFound):
        feedback_data.accept(ann, repo, [shown])
    # as it is when it changes while it is being written
    monkeypatch.setattr(feedback, "chosen", lambda *_: seen)
    with pytest.raises(Conflict):
        feedback_data.accept(ann, repo, [shown])
    assert [entry.object_id for entry in waiting(ann, repo)] == [now]


def test_a_data_set_that_was_renamed_still_takes_what_is_accepted(ann: Context, bob: Context, repo: Repo) -> None:
    data_set, _ = feedback_data.accept(ann, repo, [feedback.give(bob, repo, opinion())])
    moved = lifecycle.rename(ann, data_set, RepoId(RepoType.DATASET, "ann", "thumbs"))
    again, _ = feedback_data.accept(ann, repo, [feedback.give(bob, repo, opinion("And now?"))])
    assert again.rid == moved.rid


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (opinion(given=None), BadRequest),
        (opinion(answered=""), BadRequest),
        (opinion(given="x" * (feedback.MOST_BYTES + 1)), TooLarge),
        (opinion(note="x" * (feedback.MOST_TEXT + 1)), TooLarge),
        (opinion(better="x" * (feedback.MOST_TEXT + 1)), TooLarge),
        (opinion(source="x" * 101), BadRequest),
        (opinion(given=float("nan")), None),
        (Opinion("f" * 40, "t", "a", "b", True), RevisionNotFound),
    ],
)
def test_what_cannot_be_kept_is_refused(
    bob: Context, repo: Repo, wrong: Opinion, error: type[Exception] | None
) -> None:
    if error is None:
        feedback.give(bob, repo, wrong)
        return
    with pytest.raises(error):
        feedback.give(bob, repo, wrong)


def test_only_people_with_a_right_to_write_give_and_decide(
    ctx: Context, ann: Context, bob: Context, repo: Repo
) -> None:
    with pytest.raises(Unauthorized):
        feedback.give(ctx, repo, opinion())
    reading = ctx.acting_as(Actor(bob.actor.account_id, "bob", token_role=TokenRole.READ))
    with pytest.raises(Forbidden):
        feedback.give(reading, repo, opinion())
    number = feedback.give(bob, repo, opinion())
    for act in (
        feedback.page,
        lambda c, r: feedback.reject(c, r, [number]),
        lambda c, r: feedback_data.accept(c, r, [number]),
    ):
        with pytest.raises(Forbidden):
            act(bob, repo)
    assert feedback.counts(ann, repo).pending == 1


def test_one_person_says_only_so_much_in_an_hour(bob: Context, repo: Repo, time: Time) -> None:
    for number in range(feedback.EACH_HOUR):
        feedback.give(bob, repo, opinion(f"question {number}"))
    with pytest.raises(TooManyRequests) as caught:
        feedback.give(bob, repo, opinion("one more"))
    assert "Retry-After" in caught.value.headers
    feedback.give(bob, repo, opinion("question 0", good=False))
    time.forward(3601)
    feedback.give(bob, repo, opinion("one more"))


def test_an_opinion_that_waits_can_be_taken_back_by_who_gave_it(ann: Context, bob: Context, repo: Repo) -> None:
    number = feedback.give(bob, repo, opinion())
    with pytest.raises(NotFound):
        feedback.withdraw(ann, repo, number)
    feedback.withdraw(bob, repo, number)
    assert waiting(ann, repo) == []
    with pytest.raises(NotFound):
        feedback.withdraw(bob, repo, number)


def test_what_is_set_aside_counts_for_nothing(ann: Context, bob: Context, repo: Repo) -> None:
    number = feedback.give(bob, repo, opinion())
    assert feedback.reject(ann, repo, [number, "absent"]) == 1
    assert feedback.reject(ann, repo, [number]) == 0
    with pytest.raises(NotFound):
        feedback_data.accept(ann, repo, [number])
    with pytest.raises(RepoNotFound):
        lookup.find(ann, feedback_data.home(repo))


def test_accepted_opinions_become_a_private_data_set_of_the_owner(ann: Context, bob: Context, repo: Repo) -> None:
    first = feedback.give(bob, repo, opinion("How many?", "Two.", True, note="right"))
    second = feedback.give(
        bob, repo, opinion({"inputs": "Why?"}, [{"generated_text": "So."}], False, better="Because.")
    )
    third = feedback.give(bob, repo, opinion({"inputs": "a picture"}, [{"label": "cat", "score": 0.5}]))
    data_set, number = feedback_data.accept(ann, repo, [first, second, third])
    assert (data_set.full_name, data_set.private, number) == ("ann/model-feedback", True, 3)
    whole = rows(ann, data_set, "feedback")
    assert [(row["id"], row["rating"], row["rater"]) for row in whole] == [
        (first, "up", "bob"), (second, "down", "bob"), (third, "up", "bob"),
    ]  # fmt: skip
    assert (whole[0]["input"], whole[0]["output"], whole[0]["model"]) == ("How many?", "Two.", "ann/model")
    user, assistant = ({"role": role, "content": ""} for role in ("user", "assistant"))
    assert rows(ann, data_set, "unpaired_preference") == [
        {"prompt": [user | {"content": "How many?"}], "completion": [assistant | {"content": "Two."}], "label": True},
        {"prompt": [user | {"content": "Why?"}], "completion": [assistant | {"content": "So."}], "label": False},
    ]
    assert rows(ann, data_set, "preference") == [
        {
            "prompt": [user | {"content": "Why?"}],
            "chosen": [assistant | {"content": "Because."}],
            "rejected": [assistant | {"content": "So."}],
        }
    ]
    assert waiting(ann, repo) == []


def test_a_good_and_a_bad_answer_to_one_question_make_a_pair_also_later(
    ann: Context, person: Person, repo: Repo
) -> None:
    one, two = person("one"), person("two")
    feedback_data.accept(ann, repo, [feedback.give(one, repo, opinion("Q", "good answer", True))])
    data_set, _ = feedback_data.accept(ann, repo, [feedback.give(two, repo, opinion("Q", "bad answer", False))])
    (pair,) = rows(ann, data_set, "preference")
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("good answer", "bad answer")
    feedback_data.accept(ann, repo, [feedback.give(two, repo, opinion("other", "x", False))])
    assert len(rows(ann, data_set, "preference")) == 1, "no pair is written twice"


def test_people_who_disagree_on_one_answer_make_no_pair(ann: Context, person: Person, repo: Repo) -> None:
    given = [
        feedback.give(person(name), repo, opinion("Q", "A", good)) for name, good in (("one", True), ("two", False))
    ]
    data_set, _ = feedback_data.accept(ann, repo, given)
    assert rows(ann, data_set, "preference") == []


def test_nothing_is_accepted_when_the_data_set_cannot_be_written(
    ann: Context, bob: Context, person: Person, repo: Repo
) -> None:
    number = feedback.give(bob, repo, opinion())
    theirs = RepoId(RepoType.DATASET, "bob", "data")
    lifecycle.create(bob, theirs)
    with pytest.raises(Forbidden):
        feedback_data.accept(ann, repo, [number], theirs)
    assert [entry.object_id for entry in waiting(ann, repo)] == [number]


def test_what_was_decided_meanwhile_is_not_written_twice(
    ann: Context, bob: Context, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = feedback.give(bob, repo, opinion())
    seen = feedback.chosen(ann, repo, [number])
    feedback.reject(ann, repo, [number])
    # as the other web process saw it before
    monkeypatch.setattr(feedback, "chosen", lambda *_: seen)
    with pytest.raises(Conflict):
        feedback_data.accept(ann, repo, [number])
    assert rows(ann, lookup.find(ann, feedback_data.home(repo)), "feedback") == []


# --- signs -------------------------------------------------------------------------------------------------------


def kinds(ctx: Context, repo: Repo) -> dict[str, set[str]]:
    entries = feedback.page(ctx, repo)
    found = feedback_audit.signs(ctx, repo, entries)
    return {e.rater: {s.kind for s in found.get(e.object_id, [])} for e in entries}


def test_the_same_said_by_several_is_a_sign(ann: Context, person: Person, repo: Repo) -> None:
    for name, good in (("one", True), ("two", True), ("three", False)):
        feedback.give(person(name), repo, opinion(good=good))
    assert kinds(ann, repo) == {"one": {"duplicate"}, "two": {"duplicate"}, "three": set()}


def test_who_rates_unlike_everybody_else_is_a_sign(ann: Context, person: Person, repo: Repo, time: Time) -> None:
    people_ = {name: person(name) for name in ("fair", "just", "spoiler")}
    for number in range(12):
        for name, ctx in people_.items():
            feedback.give(ctx, repo, opinion(f"{name} {number}", good=(name != "spoiler") == (number % 6 != 0)))
            time.forward(60)
    assert kinds(ann, repo) == {"fair": set(), "just": set(), "spoiler": {"outlier"}}


def test_many_within_minutes_are_a_sign(ann: Context, person: Person, repo: Repo, time: Time) -> None:
    fast, slow = person("fast"), person("slow")
    for number in range(16):
        feedback.give(fast, repo, opinion(f"fast {number}"))
        time.forward(1)
    for number in range(16):
        feedback.give(slow, repo, opinion(f"slow {number}"))
        time.forward(60)
    assert kinds(ann, repo) == {"fast": {"burst"}, "slow": set()}
