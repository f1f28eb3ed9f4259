"""What the real hub has and this one has not yet: each answers 501 and says so, never a fake success."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from corral.core.errors import NotSupported

router = APIRouter(include_in_schema=False)

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_AREAS = {
    "/api/collections": "Collections",
    "/api/collections/{rest:rest}": "Collections",
    "/api/settings/webhooks": "Webhooks",
    "/api/settings/webhooks/{rest:rest}": "Webhooks",
    "/api/{types:types}/{repo:repo}/user-access-request/{rest:rest}": "Access requests",
    "/api/{types:types}/{repo:repo}/duplicate": "Duplicating a repository",
    "/api/{types:types}/{repo:repo}/lfs-files/batch": "Deleting large files from history",
    "/api/spaces/{repo:repo}/{call:space_call}": "Running Spaces other than static ones",
    "/api/kernels/{rest:rest}": "Kernel repositories",
    "/api/jobs/{rest:rest}": "Jobs",
    "/api/scheduled-jobs/{rest:rest}": "Scheduled jobs",
    "/api/papers/{rest:rest}": "Paper pages",
    "/api/daily_papers": "Paper pages",
    "/datasets-server/{rest:rest}": "The data set viewer",
    "/uploads": "Attachments in discussions",
}


def _decline(path: str, what: str) -> None:
    def declined() -> Response:
        raise NotSupported(f"{what}: not supported by this version of Corral.")

    router.add_api_route(path, declined, methods=_METHODS)


for _path, _what in _AREAS.items():
    _decline(_path, _what)
