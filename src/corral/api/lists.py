"""Lists and search: `/api/models`, `/api/datasets`, `/api/spaces`, quick search, what trends.

Parameters as `HfApi.list_models`, `list_datasets` and `list_spaces` of huggingface_hub 2.4.0 send them.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import people
from corral.api import shapes
from corral.api.accounts import avatar_url
from corral.api.deps import Ctx
from corral.api.shapes import PROVIDER, View
from corral.api.wire import Json, next_link, origin
from corral.catalogue import search
from corral.catalogue.search import Filters, Page, Sort
from corral.context import Context
from corral.core.errors import BadRequest, NotSupported
from corral.core.ids import GIT_TYPES, RepoType

router = APIRouter()

_DEFAULT_ROWS = 100
#: rows of one page where each row has the names of all its files, too
_MOST_FULL_ROWS = 250

_TRUE = frozenset({"true", "1", "yes", ""})
_FALSE = frozenset({"false", "0", "no"})

_SORTS = {sort.value.lower(): sort for sort in Sort} | {
    "trending": Sort.TRENDING,
    "trending_score": Sort.TRENDING,
    "last_modified": Sort.MODIFIED,
    "modified": Sort.MODIFIED,
    "created": Sort.CREATED,
    "created_at": Sort.CREATED,
    "mainsize": Sort.SIZE,
    "main_size": Sort.SIZE,
}

#: applications that run models on one's own machine -> tags of which a model must have one
_APPS = {
    **dict.fromkeys(
        ("llama.cpp", "ollama", "node-llama-cpp", "jan", "localai", "backyard", "msty", "recursechat", "jellybox"),
        ("gguf",),
    ),
    **dict.fromkeys(("lmstudio", "atomic-chat"), ("gguf", "mlx")),
    "mlx-lm": ("mlx",),
    **dict.fromkeys(("vllm", "sglang", "tgi", "docker-model-runner"), ("transformers", "gguf")),
    **dict.fromkeys(("draw-things", "diffusionbee", "invoke"), ("diffusers",)),
}


def _flag(query: QueryParams, name: str) -> bool | None:
    value = query.get(name)
    if value is None:
        return None
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise BadRequest(f"{name} must be true or false, not {value!r}.", code="InvalidParameter")


def _number(query: QueryParams, name: str, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not value.isdecimal() or len(value) > 9 or int(value) < 1:
        raise BadRequest(f"{name} must be a number above 0, not {value!r}.", code="InvalidParameter")
    return int(value)


def _all(query: QueryParams, *names: str) -> list[str]:
    """Every value of these parameters, repeated (`a=1&a=2`), in brackets (`a[]=1`) or with commas left as they are."""
    return [v for name in names for key in (name, f"{name}[]") for v in query.getlist(key) if v]


def filters_of(type: RepoType, query: QueryParams) -> Filters:
    """The filters that a list's address names, for the API and for the pages alike. Raises BadRequest."""
    given = _all(query, "filter", "tags", "other")
    code, licence = ("", "license:") if type is RepoType.MODEL else ("language:", "license:")
    given += [v if v.startswith(code) else code + v for v in _all(query, "language")]
    given += [v if v.startswith(licence) else licence + v for v in _all(query, "license")]
    for name in ("task_categories", "task_ids", "size_categories", "modality", "format", "multilinguality"):
        given += [v if v.startswith(f"{name}:") else f"{name}:{v}" for v in _all(query, name)]
    given += [v if v.startswith("dataset:") else f"dataset:{v}" for v in _all(query, "trained_dataset", "dataset")]
    if type is RepoType.DATASET:
        given += [f"task_categories:{v}" for v in _all(query, "pipeline_tag")]
        given += [f"library:{v}" for v in _all(query, "library")]
    elif type is RepoType.MODEL:
        given += _all(query, "library")
        given += [f"base_model:{v}" for v in _all(query, "base_model")]
    else:
        given += [f"model:{v}" for v in _all(query, "models")] + [f"dataset:{v}" for v in _all(query, "datasets")]
    return Filters(
        type=type,
        search=tuple(word for text in _all(query, "search") for word in text.split()),
        author=query.get("author") or None,
        tags=search.stored_tags(type, given),
        any_tags=tuple(_app(name) for name in _all(query, "apps")),
        pipeline_tag=(query.get("pipeline_tag") or None) if type is RepoType.MODEL else None,
        sdk=(query.get("sdk") or None) if type is RepoType.SPACE else None,
        gated=_flag(query, "gated"),
        runs=_runs(query) if type is RepoType.MODEL else None,
        parameters=search.parse_range(query["num_parameters"]) if query.get("num_parameters") else (None, None),
        linked=type is RepoType.SPACE and _flag(query, "linked") is True,
    )


def _runs(query: QueryParams) -> bool | None:
    """`inference=warm` and `inference_provider=all` ask for what runs: here that is what this hub runs."""
    state, providers = query.get("inference"), _all(query, "inference_provider")
    if state not in (None, "", "warm", "cold"):
        raise BadRequest("'inference' must be warm or cold.", code="InvalidParameter")
    if any(name not in ("all", PROVIDER) for name in providers):
        raise NotSupported(f"The only inference provider of this hub is {PROVIDER!r}, the hub itself.")
    if providers:
        return True
    return {"warm": True, "cold": False}.get(state or "")


def _app(name: str) -> tuple[str, ...]:
    if name not in _APPS:
        raise BadRequest(f"The app {name!r} is not known. Known: {', '.join(sorted(_APPS))}.", code="InvalidParameter")
    return _APPS[name]


def sort_of(query: QueryParams) -> tuple[Sort, bool]:
    """(order, whether it descends). Raises BadRequest."""
    name = query.get("sort") or Sort.TRENDING
    if name.lower() not in _SORTS:
        raise BadRequest(f"sort must be one of {', '.join(Sort)}, not {name!r}.", code="InvalidParameter")
    direction = query.get("direction", "-1")
    if direction not in ("-1", "1", "desc", "asc"):
        raise BadRequest("direction must be -1 (descending) or 1.", code="InvalidParameter")
    return _SORTS[name.lower()], direction in ("-1", "desc")


def _view(type: RepoType, query: QueryParams) -> View:
    expand = shapes.check_expand(type, _all(query, "expand"))
    full, card, config = (bool(_flag(query, name)) for name in ("full", "cardData", "config"))
    if expand and (full or card or config):
        raise BadRequest("expand cannot be used with full, cardData or config.", code="InvalidParameter")
    return View(expand=expand, full=full, card=card, config=config)


@router.get("/api/{types:types}")
def list_repos(request: Request, ctx: Ctx, types: str) -> Response:
    """Models, data sets or Spaces that the caller may see; `Link: rel="next"` leads to the next page."""
    type = RepoType.from_plural(types)
    query = request.query_params
    view = _view(type, query)
    filters = filters_of(type, query)
    sort, descending = sort_of(query)
    most = _MOST_FULL_ROWS if "siblings" in view.keys(type) else search.MOST_ROWS
    limit = min(_number(query, "limit", _DEFAULT_ROWS), most)
    found = search.page(ctx, filters, sort, descending=descending, limit=limit, cursor=query.get("cursor"))
    return Json(_shaped(ctx, request, found, view), headers=_next(request, found))


def _shaped(ctx: Context, request: Request, found: Page, view: View) -> list[dict[str, Any]]:
    listings = shapes.listing_of(ctx, [repo.id for repo in found.repos])
    return shapes.infos(ctx, found.repos, listings, view, origin=origin(request))


def _next(request: Request, found: Page) -> dict[str, str] | None:
    return next_link(request, cursor=found.next) if found.next else None


@router.get("/api/spaces/semantic-search")
def search_spaces(request: Request, ctx: Ctx) -> Response:
    """Spaces by words of their names: what `hf spaces search` asks."""
    query = request.query_params
    filters = Filters(
        type=RepoType.SPACE,
        search=tuple((query.get("q") or "").split()),
        tags=tuple(_all(query, "filter")),
        sdk=query.get("sdk") or None,
    )
    return Json(_shaped(ctx, request, search.page(ctx, filters), View(full=True)))


@router.get("/api/quicksearch")
def quick_search(request: Request, ctx: Ctx) -> Response:
    """A few of everything whose name holds `q`, for a search box: the most trending first."""
    query = request.query_params
    words = tuple((query.get("q") or "").split())
    limit = min(_number(query, "limit", 6), 20)
    asked = _all(query, "type") or [*(type.value for type in GIT_TYPES), "user", "org"]
    answer: dict[str, Any] = {"q": query.get("q") or ""}
    for type in GIT_TYPES:
        if type not in asked:
            continue
        filters = Filters(type=type, search=words)
        found = search.page(ctx, filters, limit=limit)
        answer[type.plural] = [
            {"_id": repo.object_id, "id": repo.full_name, "private": repo.private, "trendingWeight": rank}
            for rank, repo in enumerate(found.repos)
        ]
        answer[f"{type.plural}Count"] = search.count(ctx, filters, 1000)
    for kind in ("user", "org"):
        if kind in asked:
            answer[f"{kind}s"] = [
                {
                    "_id": account.object_id,
                    ("user" if kind == "user" else "name"): account.name,
                    "fullname": account.fullname or account.name,
                    "avatarUrl": avatar_url(request, account.name),
                }
                for account in people.search(ctx, " ".join(words), kind, limit)
            ]
    return Json(answer)


@router.get("/api/trending")
def trending(request: Request, ctx: Ctx) -> Response:
    """What trends: of one `type` (model, dataset or space), or the most trending of each."""
    query = request.query_params
    limit = min(_number(query, "limit", 10), 100)
    asked = query.get("type") or "all"
    if asked not in ("all", *GIT_TYPES):
        raise BadRequest("type must be one of all, model, dataset, space.", code="InvalidParameter")
    shown: list[tuple[RepoType, dict[str, Any]]] = []
    for type in GIT_TYPES:
        if asked in ("all", type):
            found = search.page(ctx, Filters(type=type), limit=limit)
            shown += [(type, data) for data in _shaped(ctx, request, found, View())]
    shown.sort(key=lambda one: -one[1]["trendingScore"])
    return Json({"recentlyTrending": [{"repoType": type, "repoData": data} for type, data in shown[:limit]]})
