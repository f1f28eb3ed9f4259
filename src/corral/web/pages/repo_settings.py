"""New repositories, and the settings of one: visibility, name, deletion."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import orgs, people, rights
from corral.catalogue.vocabulary import LICENSES, SDKS
from corral.context import Context
from corral.core.actor import OrgRole
from corral.core.errors import BadRequest, HubError
from corral.core.ids import RepoId, RepoType
from corral.repos import lifecycle
from corral.repos.lookup import Right
from corral.web import shaping
from corral.web.address import PageId, repo_url
from corral.web.deps import CheckedForm, Field, MemberCtx
from corral.web.render import go, page
from corral.web.views import KINDS

router = APIRouter(include_in_schema=False)

_FORMS = {"/new": RepoType.MODEL, "/new-dataset": RepoType.DATASET, "/new-space": RepoType.SPACE}
#: the licences that the form offers first
_USUAL = ("apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "openrail", "gpl-3.0", "bsd-3-clause")


def _owners(ctx: Context) -> list[str]:
    """The names under which the visitor may create."""
    me = rights.require_signed_in(ctx.actor)
    mine = [m.account.name for m in orgs.orgs_of(ctx, me) if m.role.rank >= OrgRole.CONTRIBUTOR.rank]
    return [people.get(ctx, me).name, *mine]


def _new(request: Request, ctx: Context, type: RepoType, values: dict[str, str], problem: str, status: int) -> Response:
    return page(
        request,
        ctx,
        "new_repo.html",
        status=status,
        kind=KINDS[type],
        type=type.value,
        owners=_owners(ctx),
        licenses=[*_USUAL, *(word for word in LICENSES if word not in _USUAL)],
        sdks=SDKS,
        values=values,
        problem=problem,
    )


_BLANK = {"owner": "", "name": "", "license": "", "visibility": "public", "sdk": "static"}


@router.get("/new")
@router.get("/new-dataset")
@router.get("/new-space")
def new_form(request: Request, ctx: MemberCtx, owner: str = "") -> Response:
    return _new(request, ctx, _FORMS[request.url.path], _BLANK | {"owner": owner}, "", 200)


@router.post("/new", dependencies=[CheckedForm])
@router.post("/new-dataset", dependencies=[CheckedForm])
@router.post("/new-space", dependencies=[CheckedForm])
def create(
    request: Request,
    ctx: MemberCtx,
    owner: Field = "",
    name: Field = "",
    license: Field = "",
    visibility: Field = "public",
    sdk: Field = "",
) -> Response:
    type = _FORMS[request.url.path]
    values = {"owner": owner, "name": name, "license": license, "visibility": visibility, "sdk": sdk}
    try:
        if license and license not in LICENSES:
            raise BadRequest("Choose one of the licences.")
        if type is RepoType.SPACE and sdk not in SDKS:
            raise BadRequest("Choose how the Space is made.")
        repo = lifecycle.create(
            ctx,
            RepoId(type, owner, name.strip()),
            private=visibility == "private",
            sdk=sdk if type is RepoType.SPACE else None,
            license=license or None,
        )
    except HubError as error:
        return _new(request, ctx, type, values, error.message, error.status)
    return go(repo_url(repo.rid, "tree", "main"), "created")


def _settings(
    request: Request, ctx: Context, rid: RepoId, problem: HubError | None = None, where: str = ""
) -> Response:
    repo, _, head = shaping.opened(ctx, rid, "settings", Right.ADMIN)
    return page(
        request,
        ctx,
        "repo_settings.html",
        status=problem.status if problem else 200,
        head=head,
        repo=repo,
        owners=_owners(ctx),
        problem=problem.message if problem else "",
        where=where,
    )


@router.get("/{page:page}/settings")
def repo_settings(request: Request, ctx: MemberCtx, rid: PageId) -> Response:
    return _settings(request, ctx, rid)


@router.post("/{page:page}/settings", dependencies=[CheckedForm])
def change(
    request: Request,
    ctx: MemberCtx,
    rid: PageId,
    what: Field = "",
    visibility: Field = "",
    code: Field = "",
    owner: Field = "",
    name: Field = "",
    confirmation: Field = "",
) -> Response:
    repo, _, _ = shaping.opened(ctx, rid, "settings", Right.ADMIN)
    try:
        match what:
            case "visibility" if visibility in ("public", "private"):
                lifecycle.configure(ctx, repo, private=visibility == "private")
            case "code" if repo.type is RepoType.MODEL:
                lifecycle.configure(ctx, repo, runs_code=code == "yes")
            case "name":
                moved = lifecycle.rename(ctx, repo, RepoId(repo.type, owner or repo.rid.owner, name.strip()))
                return go(repo_url(moved.rid, "settings"), "renamed")
            case "delete":
                if confirmation.strip() != repo.full_name:
                    raise BadRequest(f"Nothing was deleted. To delete it, type {repo.full_name} into the field.")
                lifecycle.remove(ctx, repo)
                return go(f"/{repo.rid.owner}", "deleted")
            case _:
                raise BadRequest("Choose one of the settings.")
    except HubError as error:
        return _settings(request, ctx, rid, error, what)
    return go(repo_url(repo.rid, "settings"), "saved")
