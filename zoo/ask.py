"""Asks a hub to run the first example of a model, as the widget on its page would."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

#: seconds that a model may take to load and answer
PATIENCE = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `value` is JSON, or bytes of the media type `type`. `problem` says why nothing did."""

    repo: str
    task: str = ""
    example: Any = None
    value: Any = None
    type: str = ""
    seconds: float = 0.0
    problem: str = ""

    @property
    def summary(self) -> str:
        """In one line."""
        if self.problem:
            return f"PROBLEM: {self.problem}"
        if isinstance(self.value, bytes):
            return f"{self.type}, {len(self.value)} bytes"
        words = json.dumps(shortened(self.value), ensure_ascii=False)
        return words if len(words) <= 300 else f"{words[:300]} …"


def first_example(endpoint: str, token: str, repo: str) -> Answer:
    """The answer to the first example that the model's page offers. Never raises for what the hub refuses."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=endpoint, headers=headers, timeout=PATIENCE) as client:
        known = client.get(f"/inference/{repo}")
        if known.status_code != 200:
            return Answer(repo, problem=_words(known))
        described = known.json()
        task = described["task"] or ""
        if not described["runnable"]:
            return Answer(repo, task, problem=described["problem"])
        if not described["examples"]:
            return Answer(repo, task, problem="There is no example.")
        example = described["examples"][0]
        body = _with_files(client, repo, {k: v for k, v in example.items() if k != "example_title"})
        address = described["url"]
        if "messages" in body:
            address, body = described["chat_url"], body | {"model": repo, "max_tokens": 60}
        begun = time.monotonic()
        try:
            came = client.post(address, json=body, headers={"x-wait-for-model": "true"})
        except httpx.TimeoutException:
            return Answer(repo, task, example, problem=f"It did not answer within {PATIENCE} s.")
        seconds = time.monotonic() - begun
        if came.status_code != 200:
            return Answer(repo, task, example, seconds=seconds, problem=_words(came))
        kind = came.headers.get("content-type", "").partition(";")[0]
        return Answer(repo, task, example, came.json() if kind == "application/json" else came.content, kind, seconds)


def address_of(repo: str, source: str) -> str:
    """The path at the hub of a file of an example: the hub's own (it begins with `/`), or the repository's."""
    return source if source.startswith("/") else f"/{repo}/resolve/main/{source}"


def _with_files(client: httpx.Client, repo: str, value: Any) -> Any:
    """The body with `{"src": …}` made into base64."""
    if isinstance(value, dict):
        if set(value) == {"src"}:
            came = client.get(address_of(repo, value["src"]), follow_redirects=True).raise_for_status()
            return base64.b64encode(came.content).decode()
        return {key: _with_files(client, repo, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_files(client, repo, inner) for inner in value]
    return value


def _words(response: httpx.Response) -> str:
    try:
        return f"{response.status_code}: {response.json()['error']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}"


def shortened(value: Any) -> Any:
    """`value` without the pictures and the long rows of numbers in it."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        head = [shortened(inner) for inner in value[:5]]
        return [*head, f"… {len(value)} in all"] if len(value) > 5 else head
    if isinstance(value, str) and len(value) > 200:
        return f"{value[:60]} … ({len(value)} characters)"
    return round(value, 4) if isinstance(value, float) else value
