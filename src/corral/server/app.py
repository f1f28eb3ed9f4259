"""The hub put together: one context, the routers of both faces, and what runs beside the requests."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from corral import __version__, api, web
from corral.api.wire import RequestId, error_response
from corral.catalogue import cards, downloads
from corral.cluster.runner import LocalRunner
from corral.core.actor import ANONYMOUS
from corral.core.errors import BadRequest, HubError, NotFound
from corral.core.settings import Settings, load
from corral.inference.service import InferenceService
from corral.repos.lookup import RepoMoved
from corral.server.door import RawPath
from corral.server.hosts import SpaceHosts
from corral.server.hub import open_hub
from corral.server.wiring import Outbox
from corral.starter.additions import Additions

log = logging.getLogger(__name__)


def build(settings: Settings | None = None) -> ASGIApp:
    """The application for one web process. Settings come from the environment unless given."""
    ctx = open_hub(settings or load())
    outbox = Outbox(ctx)
    ctx = replace(ctx, on_events=outbox.deliver)
    counter = downloads.Counter(ctx)
    runner = LocalRunner(hide=_own(ctx.settings))
    inference = InferenceService(ctx.settings, runner, lambda readme: cards.parse(readme).meta)
    additions = Additions(ctx, LocalRunner())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        outbox.start()
        counter.start()
        inference.start()
        try:
            yield
        finally:
            additions.close()
            inference.close()
            counter.close()
            outbox.close()
            ctx.db.close()

    app = FastAPI(
        title="Corral",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/.well-known/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.ctx = ctx
    app.state.downloads = counter
    app.state.inference = inference
    app.state.additions = additions
    app.add_exception_handler(HubError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DataError, _no_value)
    app.add_exception_handler(OverflowError, _no_value)
    app.add_exception_handler(Exception, _crashed)
    for router, title in api.routers():
        app.include_router(router, tags=[title])
    for router in web.routers():
        app.include_router(router)
    web.mount_static(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["*"],
        max_age=86400,
    )
    return RawPath(RequestId(SpaceHosts(app, ctx)))


def _own(settings: Settings) -> list[Path]:
    """The folders that no model may look into."""
    where = urlsplit(settings.storage_url)
    return [settings.data, *([Path(where.path)] if where.scheme == "file" else [])]


def _operation_id(route: APIRoute) -> str:
    """A name for generated clients; a route that also answers HEAD is described by its GET."""
    methods = sorted((route.methods or set()) - {"HEAD"}) or ["HEAD"]
    return f"{methods[0].lower()}_{route.name}_{route.path_format}"


def _split(path: str, part: str) -> tuple[str, str, str]:
    """`path` before, at and after `part` (in upper or lower case); the last two are empty when it is not there."""
    found = re.search(f"{re.escape(part)}(?![A-Za-z0-9_-])", path, re.IGNORECASE)
    return (path[: found.start()], found[0], path[found.end() :]) if found else (path, "", "")


def _wants_page(request: Request) -> bool:
    """Whether a person with a browser is asking, rather than a client."""
    path = request.url.path
    if path.startswith(("/api/", "/v1/", "/xet/", "/oauth/token", "/inference/")) or ".git/" in path:
        return False
    return "text/html" in request.headers.get("accept", "")


def _answer(request: Request, error: HubError) -> Response:
    if _wants_page(request):
        return web.error_page(request, error)
    actor = getattr(request.state, "actor", ANONYMOUS)
    # what OpenAI's own clients, and all that are built upon them, call themselves by
    openai = "x-stainless-lang" in request.headers
    return error_response(error, anonymous=actor.is_anonymous, openai=openai)


async def _no_value(request: Request, error: Exception) -> Response:
    """What a database cannot hold, and no handler looks for: a zero byte in a text, a number of more than 64 bits."""
    return _answer(request, BadRequest("The request names something with a character or number that nothing here has."))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)  # noqa: S101 - the handler is registered for it
    if isinstance(error, RepoMoved):
        before, old, after = _split(request.url.path, f"/{error.old}")
        if not old:
            # the old name came in the body
            return _answer(request, NotFound(f"{error.message} Use that name.", code="RepoMoved"))
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{before}/{error.new}{after}{query}", status_code=307)
    return _answer(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for it
    if error.status_code == 404:
        return _answer(request, NotFound(f"There is nothing at {request.url.path}."))
    refusal = HubError(str(error.detail), status=error.status_code, code=f"Http{error.status_code}")
    refusal.headers |= dict(error.headers or {})
    return _answer(request, refusal)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for it
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _answer(request, BadRequest(f"{where}: {first['msg']}", code="InvalidRequest"))


async def _crashed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "The hub failed at this request. Try again; if it stays so, show its log to whoever runs it."
    return _answer(request, HubError(message, status=500, code="InternalError"))
