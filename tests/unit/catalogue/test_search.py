from __future__ import annotations

import itertools
import time as clock
from collections.abc import Callable

import pytest
from sqlalchemy import update

from building.time import Time
from corral.catalogue import facets, lineage, search
from corral.catalogue.search import Filters, Sort
from corral.context import Context
from corral.core.actor import Actor, OrgRole
from corral.core.errors import BadRequest
from corral.core.ids import RepoType
from corral.repos import lifecycle
from corral.repos.lookup import Repo
from corral.storage import schema as t

Make = Callable[..., Repo]

MODELS = Filters(type=RepoType.MODEL)


def names(ctx: Context, filters: Filters = MODELS, sort: Sort = Sort.CREATED, limit: int = 100) -> list[str]:
    return [repo.rid.name for repo in search.page(ctx, filters, sort, limit=limit).repos]


def models(**filters: object) -> Filters:
    return Filters(type=RepoType.MODEL, **filters)  # type: ignore[arg-type]


@pytest.fixture
def zoo(make: Make, time: Time) -> None:
    for name, front in (
        ("bert-base", "license: mit\nlanguage: en\npipeline_tag: fill-mask\nlibrary_name: transformers"),
        ("bert-tiny", "license: mit\nlanguage: [en, fr]\npipeline_tag: fill-mask\nlibrary_name: timm"),
        ("llama", "license: llama3\nlanguage: en\npipeline_tag: text-generation\nlibrary_name: transformers"),
        ("lora", "license: mit\nlibrary_name: peft\nbase_model: ann/llama\ndatasets: squad"),
    ):
        time.forward(1)
        make(name, front)


FOUND: tuple[tuple[dict[str, object], list[str]], ...] = (
    ({}, ["lora", "llama", "bert-tiny", "bert-base"]),
    ({"search": ("BERT",)}, ["bert-tiny", "bert-base"]),
    ({"search": ("bert", "tiny")}, ["bert-tiny"]),
    ({"search": ("ann/l",)}, ["lora", "llama"]),
    ({"search": ("%",)}, []),
    ({"search": ("_",)}, []),
    ({"author": "ANN"}, ["lora", "llama", "bert-tiny", "bert-base"]),
    ({"author": "nobody"}, []),
    ({"tags": ("en",)}, ["llama", "bert-tiny", "bert-base"]),
    ({"tags": ("en", "license:mit")}, ["bert-tiny", "bert-base"]),
    ({"tags": ("base_model:adapter:ann/llama",)}, ["lora"]),
    ({"tags": ("dataset:squad",)}, ["lora"]),
    ({"any_tags": (("timm", "peft"),)}, ["lora", "bert-tiny"]),
    ({"pipeline_tag": "fill-mask"}, ["bert-tiny", "bert-base"]),
    ({"library": "transformers"}, ["llama", "bert-base"]),
    ({"license": "llama3"}, ["llama"]),
    ({"tags": ("en",), "pipeline_tag": "fill-mask", "search": ("base",)}, ["bert-base"]),
    ({"gated": True}, []),
    ({"gated": False, "search": ("llama",)}, ["llama"]),
)


@pytest.mark.usefixtures("zoo")
def test_filters(ctx: Context) -> None:
    for filters, found in FOUND:
        assert names(ctx, models(**filters)) == found, filters


@pytest.mark.usefixtures("zoo")
def test_many_matches_are_found_by_walking_and_few_by_sorting(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [names(ctx, models(tags=("en",)), sort) for sort in Sort]
    monkeypatch.setattr(search, "_FEW", 1)
    monkeypatch.setattr(search.matching, "__defaults__", (1,))
    assert search.matching(ctx, models(tags=("en",))) is None
    assert [names(ctx, models(tags=("en",)), sort) for sort in Sort] == few


def test_orders_and_directions(ann: Context, make: Make, time: Time) -> None:
    repos = {}
    for name in ("a", "b", "c"):
        time.forward(1)
        repos[name] = make(name, "license: mit")
    with ann.db.write() as c:
        for name, values in (
            ("a", {"likes": 3, "downloads": 1, "trending": 2.5, "size": 7}),
            ("b", {"likes": 2, "downloads": 3, "trending": 0.5, "size": 9}),
            ("c", {"likes": 2, "downloads": 2, "trending": 1.5, "size": 8}),
        ):
            c.execute(update(t.listings).where(t.listings.c.repo_id == repos[name].id).values(values))
    assert names(ann, sort=Sort.LIKES) == ["a", "c", "b"]
    assert names(ann, sort=Sort.DOWNLOADS) == ["b", "c", "a"]
    assert names(ann, sort=Sort.TRENDING) == ["a", "c", "b"]
    assert names(ann, sort=Sort.SIZE) == ["b", "c", "a"]
    assert names(ann, sort=Sort.MODIFIED) == ["c", "b", "a"]
    ascending = search.page(ann, MODELS, Sort.LIKES, descending=False)
    assert [repo.rid.name for repo in ascending.repos] == ["b", "c", "a"]


def test_pages_by_key_set_hold_everything_once(ann: Context, make: Make) -> None:
    for number in range(7):
        make(f"m{number}")
    with ann.db.write() as c:
        c.execute(update(t.listings).values(likes=t.listings.c.repo_id % 2, trending=(t.listings.c.repo_id % 3) / 3.0))
    for filters, sort, descending in itertools.product((MODELS, models(search=("m",))), Sort, (True, False)):
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(4):
            page = search.page(ann, filters, sort, descending=descending, limit=2, cursor=cursor)
            seen += [repo.rid.name for repo in page.repos]
            cursor = page.next
            assert (cursor is None) == (len(seen) == 7)
        whole = search.page(ann, filters, sort, descending=descending, limit=100).repos
        assert seen == [repo.rid.name for repo in whole]
        assert sorted(seen) == [f"m{number}" for number in range(7)]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMl0", "=", "é", "WyJsaWtlcyIsMSwyXQ", "A" * 5000])
def test_a_cursor_that_no_page_gave_is_refused(ctx: Context, cursor: str) -> None:
    with pytest.raises(BadRequest, match="start again"):
        search.page(ctx, MODELS, Sort.TRENDING, cursor=cursor)


def test_private_repositories_are_listed_for_those_who_may_read_them(
    ctx: Context, ann: Context, bob: Context, make: Make
) -> None:
    make("open", "license: mit\nlibrary_name: timm")
    secret = make("secret", "license: mit\nlibrary_name: timm", private=True)
    admin = ctx.acting_as(Actor(999, "root", is_admin=True))
    member = bob.acting_as(Actor(bob.actor.account_id, "bob", orgs={secret.owner_id: OrgRole.READ}))
    for filters in (MODELS, models(tags=("timm",)), models(search=("e",)), models(author="ann")):
        assert names(ann, filters) == names(admin, filters) == names(member, filters) == ["secret", "open"]
        assert names(bob, filters) == names(ctx, filters) == ["open"]
    assert facets.facets(ctx, MODELS).total == facets.facets(bob, MODELS).total == 1
    assert facets.facets(ann, MODELS).total == 2
    assert facets.facets(ctx, models(tags=("timm",))).kinds["library"] == [("timm", 1)]
    assert facets.facets(ann, models(tags=("timm",))).kinds["library"] == [("timm", 2)]


@pytest.mark.usefixtures("zoo")
def test_facets_count_what_is_listed(ctx: Context) -> None:
    everything = facets.facets(ctx, MODELS)
    assert everything.total == 4
    assert everything.kinds["task"] == [("fill-mask", 2), ("text-generation", 1)]
    assert everything.kinds["license"] == [("license:mit", 3), ("license:llama3", 1)]
    narrow = facets.facets(ctx, models(tags=("fr",)))
    assert (narrow.total, narrow.narrow) == (1, True)
    assert narrow.kinds["library"] == [("timm", 1)]


def test_facets_follow_changes(ann: Context, make: Make) -> None:
    assert facets.facets(ann, MODELS).total == 0
    repo = make("m", "license: mit")
    until(lambda: facets.facets(ann, MODELS).kinds.get("license") == [("license:mit", 1)])
    lifecycle.remove(ann, repo)
    until(lambda: facets.facets(ann, MODELS).total == 0)


def until(condition: Callable[[], bool]) -> None:
    end = clock.monotonic() + 10
    while not condition():
        assert clock.monotonic() < end
        clock.sleep(0.02)


@pytest.mark.usefixtures("zoo")
def test_a_page_is_one_query_and_two_with_filters(ctx: Context, statements: list[str]) -> None:
    search.page(ctx, MODELS)
    assert len(statements) == 1
    search.page(ctx, models(tags=("en",)))
    assert len(statements) == 3


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("min:6B,max:128B", (6 * 10**9, 128 * 10**9)),
        ("min:1.5M", (1_500_000, None)),
        ("max:500", (None, 500)),
        ("MAX:2k", (None, 2000)),
    ],
)
def test_ranges(text: str, bounds: tuple[int | None, int | None]) -> None:
    assert search.parse_range(text) == bounds


@pytest.mark.parametrize("text", ["", "6B", "min:", "min:x", "min:1G", "min:1B;max:2B", "min:-1"])
def test_bad_ranges(text: str) -> None:
    with pytest.raises(BadRequest):
        search.parse_range(text)


def test_parameters_are_filtered_by_range(ann: Context, make: Make) -> None:
    for name, parameters in (("small", 10**6), ("large", 7 * 10**9), ("unknown", None)):
        repo = make(name, "license: mit")
        with ann.db.write() as c:
            c.execute(update(t.listings).where(t.listings.c.repo_id == repo.id).values(parameters=parameters))
    assert names(ann, models(parameters=(10**9, None))) == ["large"]
    assert names(ann, models(parameters=(None, 10**9))) == ["small"]


@pytest.mark.usefixtures("zoo")
def test_lineage(ctx: Context, ann: Context, make: Make) -> None:
    make("demo", "models: [ann/llama]\ndatasets: ann/d", type=RepoType.SPACE)
    make("hidden", "models: [ann/llama]", type=RepoType.SPACE, private=True)
    assert lineage.spaces_using(ctx, ["ann/llama", "ann/x"]) == {"ann/llama": ["ann/demo"], "ann/x": []}
    assert lineage.spaces_using(ann, ["ann/llama"]) == {"ann/llama": ["ann/hidden", "ann/demo"]}
    assert lineage.children_counts(ctx, ["ann/llama"])["ann/llama"]["adapter"] == 1
    (lora,) = search.page(ctx, models(search=("lora",))).repos
    base = lineage.base_models(ctx, [lora.id])["ann/lora"]
    assert base is not None
    assert base["relation"] == "adapter"
    assert [model["id"] for model in base["models"]] == ["ann/llama"]
    spaces = Filters(type=RepoType.SPACE, linked=True)
    assert [repo.rid.name for repo in search.page(ctx, spaces).repos] == ["demo"]
