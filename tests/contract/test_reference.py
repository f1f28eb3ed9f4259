"""The description of the API: for programs at `/.well-known/openapi.json`, for people at `/docs`."""

from __future__ import annotations

import httpx


def test_the_description_names_the_calls_of_the_clients(anonymous: httpx.Client) -> None:
    told = anonymous.get("/.well-known/openapi.json").json()
    calls = {(method, path) for path, methods in told["paths"].items() for method in methods}
    assert {
        ("post", "/api/repos/create"),
        ("post", "/api/{types}/{repo}/commit/{rev}"),
        ("get", "/{prefix}{repo}/resolve/{rev}/{path}"),
        ("get", "/api/whoami-v2"),
    } <= calls
    # what only reads a JSON body takes nothing from the address
    create = told["paths"]["/api/repos/create"]["post"]
    assert [p for p in create.get("parameters", ()) if p["in"] == "query"] == []


def test_people_can_read_it(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/docs", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "A new repository with its first commit." in answer.text
