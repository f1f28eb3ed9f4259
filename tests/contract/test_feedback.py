"""Feedback on a model over HTTP, from a thumb to a data set that stock libraries read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from building.clients import run_script
from building.hub import Hub, Person

NewRepo = Callable[..., str]


@pytest.fixture
def owner(each_hub: Hub) -> Person:
    return each_hub.person()


@pytest.fixture
def rater(each_hub: Hub) -> Person:
    return each_hub.person()


def say(who: Person, model: str, asked: str, answered: str, rating: str, **more: str) -> str:
    body = {"input": {"messages": [{"role": "user", "content": asked}]}, "output": answered, "rating": rating, **more}
    answer = httpx.post(f"{who.url}/api/models/{model}/feedback", json=body, headers=who.headers)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


LOAD = """
import json, sys
from datasets import load_dataset
print(json.dumps(load_dataset(sys.argv[1], sys.argv[2], split="train").to_list()))
"""


def loaded(who: Person, data_set: str, config: str, home: Path) -> Any:
    return json.loads(run_script(Path(sys.executable), LOAD, who.environment(home), data_set, config).splitlines()[-1])


def test_from_a_thumb_to_a_data_set(owner: Person, rater: Person, new_repo: NewRepo, home: Path) -> None:
    model = new_repo(owner)
    url = f"{owner.url}/api/models/{model}/feedback"
    say(rater, model, "Capital of France?", "Lyon.", "down", better="Paris.", note="No", source="widget")
    say(rater, model, "Two and two?", "Four.", "up")
    refused = say(owner, model, "Spam?", "Spam.", "up")
    listed = httpx.get(url, headers=owner.headers).json()
    assert [(one["rating"], one["rater"]) for one in listed] == [
        ("up", owner.name),
        ("up", rater.name),
        ("down", rater.name),
    ]
    assert httpx.get(url, headers=rater.headers).status_code == 403
    assert httpx.post(f"{url}/reject", json={"ids": [refused]}, headers=owner.headers).json() == {"rejected": 1}
    ids = [one["id"] for one in listed if one["id"] != refused]
    done = httpx.post(f"{url}/accept", json={"ids": ids}, headers=owner.headers).json()
    assert done["accepted"] == 2
    assert httpx.get(f"{owner.url}/datasets/{done['dataset']}").status_code in (401, 404), "it is private"
    assert loaded(owner, done["dataset"], "preference", home) == [
        {
            "prompt": [{"role": "user", "content": "Capital of France?"}],
            "chosen": [{"role": "assistant", "content": "Paris."}],
            "rejected": [{"role": "assistant", "content": "Lyon."}],
        }
    ]
    assert len(loaded(owner, done["dataset"], "feedback", home)) == 2


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "rating"),
        ({"rating": "up"}, 400, "input"),
        ({"rating": "up", "input": "a"}, 400, "output"),
        ({"rating": "sideways", "input": "a", "output": "b"}, 400, "rating"),
        ({"rating": ["up"], "input": "a", "output": "b"}, 400, "rating"),
        ({"rating": "up", "input": "a", "output": "b", "note": 5}, 400, "note"),
        ({"rating": "up", "input": "a", "output": "b", "commit": "nonsense"}, 404, "Invalid rev id"),
        ({"rating": "up", "input": "x" * 600_000, "output": "b"}, 413, "too much"),
    ],
)
def test_wrong_opinions_are_refused_with_the_reason(
    owner: Person, new_repo: NewRepo, body: dict[str, object], status: int, says: str
) -> None:
    answer = httpx.post(f"{owner.url}/api/models/{new_repo(owner)}/feedback", json=body, headers=owner.headers)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]


def test_who_is_not_signed_in_or_may_not_see_the_model_gives_none(
    owner: Person, rater: Person, new_repo: NewRepo
) -> None:
    body = {"rating": "up", "input": "a", "output": "b"}
    url = f"{owner.url}/api/models/{new_repo(owner)}/feedback"
    assert httpx.post(url, json=body).status_code == 401
    hidden = f"{owner.url}/api/models/{new_repo(owner, private=True)}/feedback"
    answer = httpx.post(hidden, json=body, headers=rater.headers)
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RepoNotFound")
