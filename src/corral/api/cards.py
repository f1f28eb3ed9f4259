"""`POST /api/validate-yaml`: what the client asks before it uploads a README.md (`repocard.py`, `hf_api.py` 2.4.0)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from corral.api.deps import Body
from corral.api.wire import Json
from corral.catalogue import validation
from corral.core.errors import BadRequest
from corral.core.ids import GIT_TYPES, RepoType

router = APIRouter()


@router.post("/api/validate-yaml")
def validate_yaml(request: Request, body: Body) -> Response:
    """Errors (400) and warnings about the front matter of a card; as text lines to those who accept only text."""
    content, kind = body.get("content"), body.get("repoType") or "model"
    if not isinstance(content, str):
        raise BadRequest("The member 'content' must be the text of a README.md.")
    if kind not in GIT_TYPES:
        # buckets, kernels and the like: read as a model's
        kind = RepoType.MODEL
    found = validation.validate(content, RepoType(kind))
    status = 400 if found.errors else 200
    if request.headers.get("accept", "").startswith("text/plain"):
        lines = [f"- Error: {e}" for e in found.errors] + [f"- Warning: {w}" for w in found.warnings]
        return PlainTextResponse("\n".join(lines), status_code=status)
    return Json(
        {
            "errors": [{"message": message} for message in found.errors],
            "warnings": [{"message": message} for message in found.warnings],
        },
        status_code=status,
    )
