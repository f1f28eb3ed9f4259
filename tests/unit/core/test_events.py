from __future__ import annotations

import json

import pytest

from corral.core.events import EVENTS, Event, RefsMoved, RepoChanged, RepoCreated, RepoDeleted, restore

MAIN, TAG = "refs/heads/main", "refs/tags/v1"
MOVED = RefsMoved(4, ((MAIN, "a" * 40, "b" * 40), (TAG, "c" * 40, "")), 9)


@pytest.mark.parametrize("event", [RepoCreated(1), RepoChanged(2), RepoDeleted(3, "ann/ünïcödé"), RefsMoved(5), MOVED])
def test_an_event_comes_back_from_json_as_it_was(event: Event) -> None:
    again = restore(event.kind, json.loads(json.dumps(event.payload())))
    assert again == event
    assert type(again) is type(event)


def test_every_event_has_a_name_of_its_own() -> None:
    assert {kind.kind for kind in Event.__subclasses__()} == set(EVENTS)
    assert len(set(EVENTS.values())) == len(EVENTS)


def test_what_an_older_version_wrote_is_read() -> None:
    assert restore("repo.deleted", {"repo_id": 3}) == RepoDeleted(3, "")
    assert restore("repo.refs", {"repo_id": 4}) == RefsMoved(4, (), None)


def test_an_event_of_another_version_is_not_guessed_at() -> None:
    with pytest.raises(KeyError):
        restore("repo.of the future", {"repo_id": 1})
    with pytest.raises(TypeError):
        restore("repo.created", {"repo_id": 1, "colour": "blue"})


def test_where_a_ref_went() -> None:
    assert MOVED.moved(MAIN) == "b" * 40
    assert MOVED.moved(TAG) == ""
    assert MOVED.moved("refs/heads/other") is None
