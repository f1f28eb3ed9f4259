"""Lists of models, data sets and Spaces; the home page, trending, the tasks, and the search over everything."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import people
from corral.catalogue import facets, search
from corral.catalogue import tasks as catalogue_tasks
from corral.catalogue.search import Filters, Sort
from corral.catalogue.vocabulary import MODALITIES, TASKS
from corral.context import Context
from corral.core.ids import GIT_TYPES, RepoType
from corral.inference.libraries import runnable_tasks
from corral.starter import shelf
from corral.web import filters, shaping
from corral.web.deps import PageCtx
from corral.web.render import page
from corral.web.views import PLURALS, Chip, RepoCard, Task, TaskRow

router = APIRouter(include_in_schema=False)

_ROWS = 30
#: a hub with fewer models than this is shown where more are to be had
_FEW = 12


@router.get("/models")
@router.get("/datasets")
@router.get("/spaces")
def repositories(request: Request, ctx: PageCtx) -> Response:
    type = RepoType.from_plural(request.url.path.strip("/"))
    query = request.query_params
    sort = query.get("sort", "")
    if sort not in filters.SORTS:
        sort = "trending"
    asked = filters.filters_of(type, query)
    found = search.page(ctx, asked, filters.SORTS[sort][1], limit=_ROWS, cursor=query.get("cursor"))
    known = facets.facets(ctx, asked)
    cards = shaping.repo_cards(ctx, found.repos)
    running = [card.url.removeprefix("/") for card in cards if card.runs][:2]
    return page(
        request,
        ctx,
        "list.html",
        type=type.value,
        title=PLURALS[type],
        cards=cards,
        compare=f"/compare?models={','.join(running)}" if query.get("pipeline_tag") and len(running) > 1 else "",
        total=known.total,
        at_least=known.at_least,
        groups=filters.groups(type, query, known),
        filtered=not asked.is_empty,
        author=asked.author,
        search=query.get("search", ""),
        hidden=[(k, v) for k, v in query.multi_items() if k not in ("search", "cursor") and v],
        sorts=[
            Chip(filters.SORTS[name][0], filters.link(type, query, sort=name), on=name == sort)
            for name in filters.sorts_of(type)
        ],
        clear=filters.link(type, QueryParams({"sort": query.get("sort", "")})),
        first=filters.link(type, query) if query.get("cursor") else "",
        later=_with_cursor(filters.link(type, query), found.next),
        new={"model": "/new", "dataset": "/new-dataset", "space": "/new-space"}[type.value],
    )


def _with_cursor(address: str, cursor: str | None) -> str:
    return f"{address}{'&' if '?' in address else '?'}cursor={cursor}" if cursor else ""


def _first(ctx: Context, type: RepoType, limit: int, sort: Sort = Sort.TRENDING) -> list[RepoCard]:
    return shaping.repo_cards(ctx, search.page(ctx, Filters(type=type), sort, limit=limit).repos)


@router.get("/")
def home(request: Request, ctx: PageCtx) -> Response:
    mine: list[RepoCard] = []
    if ctx.actor.name is not None:
        found = [
            repo
            for type in GIT_TYPES
            for repo in search.page(ctx, Filters(type=type, author=ctx.actor.name), Sort.MODIFIED, limit=6).repos
        ]
        found.sort(key=lambda repo: -repo.updated_at)
        mine = shaping.repo_cards(ctx, found[:6])
    counts = {type.plural: facets.public(ctx, type).total for type in GIT_TYPES}
    return page(
        request,
        ctx,
        "home.html",
        models=_first(ctx, RepoType.MODEL, 8),
        datasets=_first(ctx, RepoType.DATASET, 8),
        spaces=_first(ctx, RepoType.SPACE, 6),
        counts=counts,
        mine=mine,
        zoo=counts["models"] < _FEW and bool(shelf.offers()),
    )


@router.get("/trending")
def trending(request: Request, ctx: PageCtx) -> Response:
    return page(
        request,
        ctx,
        "trending.html",
        models=_first(ctx, RepoType.MODEL, 20),
        datasets=_first(ctx, RepoType.DATASET, 20),
        spaces=_first(ctx, RepoType.SPACE, 12),
    )


@router.get("/tasks")
def tasks(request: Request, ctx: PageCtx) -> Response:
    counts = dict(facets.public(ctx, RepoType.MODEL).kinds.get("task", []))
    running = catalogue_tasks.running(ctx)
    here = runnable_tasks() & TASKS.keys()
    groups = []
    for modality, title in MODALITIES.items():
        rows = [
            TaskRow(Task.of(task), counts.get(task, 0), running.get(task, 0), task in here)
            for task, (_, of) in TASKS.items()
            if of == modality
        ]
        rows.sort(key=lambda row: (-row.count, not row.runs, row.task.label))
        groups.append((title, rows))
    return page(request, ctx, "tasks.html", groups=groups, of_all=len(here), running=sum(running.values()))


@router.get("/search")
def everything(request: Request, ctx: PageCtx, q: str = "") -> Response:
    words = tuple(q.split())[:8]
    found = {type: Filters(type=type, search=words) for type in GIT_TYPES}
    cards = {
        type.plural: shaping.repo_cards(ctx, search.page(ctx, asked, limit=6).repos) if words else []
        for type, asked in found.items()
    }
    return page(
        request,
        ctx,
        "search.html",
        q=q,
        cards=cards,
        titles={type.plural: PLURALS[type] for type in GIT_TYPES},
        people=people.named_like(ctx, words[0]) if words else [],
    )
