"""A repository's own page: its card, what it is, how to use it, and a place to try it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from corral.accounts import rights
from corral.catalogue import cards, likes, lineage, listing
from corral.catalogue.listing import Listing
from corral.context import Context
from corral.core.errors import EntryNotFound, RevisionNotFound, TooLarge
from corral.core.ids import RepoType
from corral.inference.service import InferenceService
from corral.inference.tasks import TASKS
from corral.inference.widget import describe
from corral.repos import lookup, read
from corral.repos.lookup import Repo
from corral.web import call_snippets, markdown, shaping, snippets
from corral.web.address import PageId, repo_url
from corral.web.deps import CheckedForm, PageCtx
from corral.web.pages import model_task
from corral.web.render import go, origin, page
from corral.web.sanitise import Base
from corral.web.views import Chip, Head, Snippet

router = APIRouter(include_in_schema=False)

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_RELATIONS = {"finetune": "Finetunes", "adapter": "Adapters", "merge": "Merges", "quantized": "Quantizations"}


def _card_text(ctx: Context, repo: Repo) -> str | None:
    try:
        commit = read.commit_of(ctx, repo, "main")
        text, _ = cards.decode(read.read_file(ctx, repo, commit, "README.md"))
    except (EntryNotFound, RevisionNotFound):
        return None
    except TooLarge:
        return "*The card is too large to show: open README.md among the files.*"
    return text


@router.get("/{page:page}")
def repository(request: Request, ctx: PageCtx, rid: PageId) -> Response:
    repo, known, head = shaping.opened(ctx, rid, "card")
    if repo.type is RepoType.SPACE:
        return _space(request, ctx, repo, known, head)
    text = _card_text(ctx, repo)
    body = markdown.render(text, Base(repo.rid.path)) if text is not None else None
    model = repo.type is RepoType.MODEL
    widget = _widget(request, ctx, repo, known, head) if model else None
    calls: list[Snippet] = []
    if widget and widget["runnable"]:
        chats = widget["output"] == "chat"
        calls = call_snippets.snippets(repo.full_name, TASKS[widget["task"]], chats, origin(request))
    return page(
        request,
        ctx,
        "repository.html",
        head=head,
        known=known,
        repo=repo,
        card=body if body else None,
        written=text is not None,
        warnings=known.details.warnings if head.may_write else (),
        description=known.summary,
        snippets=snippets.snippets(repo, known, origin(request)),
        bases=_bases(ctx, repo) if model else [],
        children=_children(ctx, repo) if model else [],
        spaces=lineage.spaces_using(ctx, [repo.full_name], repo.type)[repo.full_name][:12],
        pictures=_pictures(repo, known),
        license_link=next(iter(cards.strings(known.details.card, "license_link")), ""),
        license_name=next(iter(cards.strings(known.details.card, "license_name")), ""),
        tensors=_tensors(known),
        widget=widget,
        calls=calls,
        tasks=model_task.choices() if widget and head.may_write and not _says_its_task(known) else [],
    )


def _widget(request: Request, ctx: Context, repo: Repo, known: Listing, head: Head) -> dict[str, Any] | None:
    """What the island shows; None where there is nothing to say, or nobody who could say what the model is for."""
    service: InferenceService = request.app.state.inference
    found = describe(service, service.models.find(ctx, repo.rid))
    holds_something = not set(known.details.files) <= {".gitattributes", "README.md"}
    return found if found["task"] or (head.may_write and holds_something) else None


def _says_its_task(known: Listing) -> bool:
    return bool(cards.strings(known.details.card, "pipeline_tag"))


def _bases(ctx: Context, repo: Repo) -> list[Chip]:
    found = lineage.base_models(ctx, [repo.id]).get(repo.full_name)
    return [Chip(model["id"], f"/{model['id']}", "model") for model in (found or {}).get("models", [])]


def _children(ctx: Context, repo: Repo) -> list[Chip]:
    counts = lineage.children_counts(ctx, [repo.full_name])[repo.full_name]
    return [
        Chip(_RELATIONS[how], f"/models?other=base_model:{how}:{repo.full_name}", "branch", count)
        for how, count in counts.items()
        if count
    ]


def _pictures(repo: Repo, known: Listing, most: int = 12) -> list[str]:
    """The addresses of a few pictures of a data set that is a folder of them."""
    if repo.type is not RepoType.DATASET:
        return []
    files = [f for f in known.details.files if f.lower().endswith(_PICTURES)]
    step = max(1, len(files) // most)
    return [repo_url(repo.rid, "resolve", "main", file) for file in files[::step][:most]]


def _tensors(known: Listing) -> list[str]:
    """The types of a model's numbers: `F32`, `BF16`."""
    counts = (known.details.safetensors or {}).get("parameters")
    return sorted(counts, key=lambda kind: -counts[kind]) if isinstance(counts, dict) else []


def _space(request: Request, ctx: Context, repo: Repo, known: Listing, head: Head) -> Response:
    """The running Space in a frame of its own origin, or what there is to say about it."""
    inside = f"/-/spaces/{repo.rid}/"
    domain = ctx.settings.spaces_domain
    host = (request.headers.get("host") or "").rpartition(":")
    own = host[0] == domain or request.headers.get("host") == domain
    if own and not repo.private:
        port = f":{host[2]}" if host[0] == domain else ""
        inside = f"{request.url.scheme}://{repo.subdomain}.{domain}{port}/"
    card = shaping.repo_cards(ctx, [repo])[0]
    return page(
        request,
        ctx,
        "space.html",
        head=head,
        card=card,
        repo=repo,
        runs=repo.sdk == "static",
        inside=inside,
        frames=inside if inside.startswith("http") else "'self'",
    )


@router.post("/{page:page}/like", dependencies=[CheckedForm])
def like(request: Request, ctx: PageCtx, rid: PageId, on: Annotated[str, Form()] = "yes") -> Response:
    repo = lookup.find(ctx, rid)
    wants_json = "application/json" in request.headers.get("accept", "")
    if ctx.actor.is_anonymous and not wants_json:
        return go(f"/login?next={repo_url(repo.rid)}")
    rights.require_signed_in(ctx.actor)
    (likes.like if on == "yes" else likes.unlike)(ctx, repo)
    if wants_json:
        return JSONResponse({"likes": listing.listing_of(ctx, [repo.id])[repo.id].likes, "liked": on == "yes"})
    return go(repo_url(repo.rid))
