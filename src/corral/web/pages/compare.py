"""Models of one task side by side: the same input for all of them. `/compare?models=a/b,c/d&inputs=…&parameters=…`.

`inputs` and `parameters` are members of the request's body as JSON, where a file is `{"src": address}`; the script on
the page reads them. Without a script the page is a table of the models and how to call them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.catalogue import listing
from corral.context import Context
from corral.core.errors import HubError, RepoNotFound
from corral.core.ids import RepoId, RepoType
from corral.inference.service import InferenceService
from corral.inference.widget import describe
from corral.repos.lookup import RepoMoved
from corral.web.deps import PageCtx
from corral.web.render import page
from corral.web.views import Seat, Task

router = APIRouter(include_in_schema=False)

#: models on one page
MOST = 4


@router.get("/compare")
def compare(request: Request, ctx: PageCtx, models: str = "", task: str = "", add: str = "") -> Response:
    names = list(dict.fromkeys(name.strip() for name in [*models.split(","), add] if name.strip()))
    service: InferenceService = request.app.state.inference
    found = [_described(ctx, service, name) for name in names[:MOST]]
    described = [one for one, _ in found]
    task = next((one["task"] for one in described if one["runnable"]), task)
    return page(
        request,
        ctx,
        "compare.html",
        seats=_seats(ctx, found, task),
        left_out=names[MOST:],
        most=MOST,
        task=Task.of(task) if task else None,
        models=",".join(one["name"] for one in described),
        described=described,
    )


def _described(ctx: Context, service: InferenceService, name: str) -> tuple[dict[str, Any], int | None]:
    """`inference.widget.describe` and the repository's id; a model that cannot be seen does not run, with a reason."""
    rid = RepoId.parse(RepoType.MODEL, name)
    try:
        try:
            model = service.models.find(ctx, rid)
        except RepoMoved as moved:
            model = service.models.find(ctx, moved.new)
    except RepoNotFound:
        return {"name": name, "runnable": False, "problem": "There is no such model here, or it is private."}, None
    except HubError as error:
        return {"name": name, "runnable": False, "problem": error.message}, None
    return describe(service, model), model.repo_id


def _seats(ctx: Context, described: list[tuple[dict[str, Any], int | None]], task: str) -> list[Seat]:
    known = listing.listing_of(ctx, [repo_id for _, repo_id in described if repo_id is not None])
    seats = []
    for one, repo_id in described:
        found = known[repo_id] if repo_id is not None else None
        problem = "" if one["runnable"] else one["problem"] or "This hub has no way to run it yet."
        if one["runnable"] and one["task"] != task:
            this = Task.of(task).label.lower()
            problem = (
                f"It is for {one['label'].lower()}, because {one['reason']}; this comparison is of models for {this}."
            )
        rest = [other["name"] for other, _ in described if other is not one]
        seats.append(
            Seat(
                name=one["name"],
                url=f"/{one['name']}" if found else "",
                problem=problem,
                library=one.get("library") or "",
                license=found.license if found else None,
                parameters=found.parameters if found else None,
                size=found.size if found else None,
                without=f"/compare?{urlencode({'models': ','.join(rest), 'task': task})}",
            )
        )
    return seats
