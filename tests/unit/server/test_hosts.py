"""Spaces at host names of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from anyio import run

from building.threads import in_threads
from corral.accounts import people
from corral.context import Context
from corral.core.actor import Actor
from corral.core.ids import RepoId, RepoType
from corral.repos import lifecycle
from corral.repos.lookup import Repo
from corral.server.hosts import SpaceHosts

Ask = Callable[..., tuple[int, str]]


async def _echo(scope: dict, receive: object, send: Callable) -> None:  # type: ignore[type-arg]
    """Answers with the path as it sees it."""
    own = b"own " if scope.get("corral.own_host") else b""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": own + scope["path"].encode()})


def asked(ctx: Context, host: str, path: str) -> tuple[int, str]:
    """Status and the path that the hub sees."""

    async def ask() -> tuple[int, str]:
        transport = httpx.ASGITransport(SpaceHosts(_echo, ctx))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            answer = await client.get(path, headers={"Host": host})
            return answer.status_code, answer.text

    return run(ask)


@pytest.fixture
def ask(ctx: Context) -> Ask:
    """`ask("host", "/path")` -> status and the path that the hub sees."""
    return lambda host, path="/": asked(ctx, host, path)


def person(ctx: Context, name: str) -> Context:
    return ctx.acting_as(Actor(people.create_user(ctx, name).id, name))


def space(ctx: Context, name: str, **options: bool) -> Repo:
    owner = ctx.actor.name or ""
    return lifecycle.create(ctx, RepoId(RepoType.SPACE, owner, name), sdk="static", **options)


def test_a_space_has_a_host_name(ctx: Context, ask: Ask) -> None:
    space(person(ctx, "Ann"), "My_Space.2")
    for host in ("ann-my-space-2.localhost", "ann-my-space-2.localhost:7070", "ANN-My-Space-2.LOCALHOST"):
        assert ask(host, "/a/b.js") == (200, "own /-/spaces/Ann/My_Space.2/a/b.js")
    assert ask("localhost:7070", "/a") == (200, "/a")


def test_the_domain_may_be_written_in_capitals(ctx: Context) -> None:
    space(person(ctx, "ann"), "space")
    big = replace(ctx, settings=replace(ctx.settings, spaces_domain="Spaces.Example.ORG"))
    for host in ("ann-space.spaces.example.org", "ANN-space.Spaces.Example.ORG:7070"):
        assert asked(big, host, "/a") == (200, "own /-/spaces/ann/space/a")
    assert asked(big, "spaces.example.org", "/a") == (200, "/a")


def test_what_has_none(ctx: Context, ask: Ask) -> None:
    ann = person(ctx, "ann")
    space(ann, "secret", private=True)
    lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))
    for label in ("ann-secret", "ann-model", "ann-nope", "", "x.ann-secret"):
        status, text = ask(f"{label}.localhost")
        assert (status, text) == (404, "There is no Space at this address.")


def test_the_name_follows_the_space(ctx: Context, ask: Ask) -> None:
    ann = person(ctx, "ann")
    repo = space(ann, "old")
    lifecycle.rename(ann, repo, RepoId(RepoType.SPACE, "ann", "new"))
    assert ask("ann-new.localhost") == (200, "own /-/spaces/ann/new/")
    assert ask("ann-old.localhost")[0] == 404
    lifecycle.configure(ann, repo, private=True)
    assert ask("ann-new.localhost")[0] == 404


def test_nobody_takes_the_host_name_of_another(ctx: Context, ask: Ask) -> None:
    """`a/b-c` and `a-b/c` would both be `a-b-c`: whoever has it keeps it, also against an older Space."""
    thief, victim = person(ctx, "a"), person(ctx, "a-b")
    older = space(thief, "x")
    space(victim, "c")
    renamed = lifecycle.rename(thief, older, RepoId(RepoType.SPACE, "a", "b-c"))
    made = space(thief, "b.c")
    assert ask("a-b-c.localhost") == (200, "own /-/spaces/a-b/c/")
    for repo, name in ((renamed, "b-c"), (made, "b.c")):
        assert repo.subdomain != "a-b-c"
        assert ask(f"{repo.subdomain}.localhost") == (200, f"own /-/spaces/a/{name}/")


def test_spaces_that_are_made_at_once_have_host_names_of_their_own(ctx: Context, ask: Ask) -> None:
    one, two = person(ctx, "a"), person(ctx, "a-b")
    for number in range(4):
        made = at_once((one, f"b-c{number}"), (two, f"c{number}"))
        labels = {repo.full_name: repo.subdomain for repo in made if isinstance(repo, Repo)}
        assert sorted(labels) == [f"a-b/c{number}", f"a/b-c{number}"], made
        assert len({*labels.values()}) == 2
        assert f"a-b-c{number}" in labels.values()
        for name, label in labels.items():
            assert ask(f"{label}.localhost") == (200, f"own /-/spaces/{name}/")


def at_once(*wanted: tuple[Context, str]) -> list[object]:
    return in_threads(len(wanted), lambda number: space(*wanted[number]))


def test_a_long_name_has_a_label_that_dns_allows(ctx: Context, ask: Ask) -> None:
    ann = person(ctx, "a" * 40)
    labels = {space(ann, f"{'b' * 60}{number}").subdomain or "" for number in range(3)}
    assert len(labels) == 3
    for label in labels:
        assert len(label) <= 63
        assert ask(f"{label}.localhost")[0] == 200
