"""Every quirk of Hugging Face's wire contract that more than one endpoint shares, once.

Source: `huggingface_hub` 2.4.0 (`utils/_http.py`, `utils/_pagination.py`, `file_download.py`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import orjson
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corral.core.errors import HubError, RepoNotFound


class _Segment(Convertor[str]):
    """One path segment, decoded: routes match the raw path, so `refs%2Fpr%2F1` is one segment."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


class _Rest(Convertor[str]):
    """The rest of the path, decoded (clients send it with or without %2F)."""

    regex = ".*"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value)


class _Types(Convertor[str]):
    """`models`, `datasets` or `spaces`."""

    regex = "models|datasets|spaces"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Prefix(_Types):
    """What stands before an id in page and file addresses: nothing for models."""

    regex = "(?:datasets/|spaces/)?"


class _Repo(_Rest):
    """`owner/name`."""

    regex = "[^/]+/[^/]+?"


register_url_convertor("seg", _Segment())
register_url_convertor("rest", _Rest())
register_url_convertor("types", _Types())
register_url_convertor("prefix", _Prefix())
register_url_convertor("repo", _Repo())


class Json(Response):
    """JSON by orjson, uncompressed."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


def origin(request: Request) -> str:
    """`scheme://host` the request came to: URLs in answers must name the same host as HF_ENDPOINT does."""
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def next_link(request: Request, **query: str) -> dict[str, str]:
    """The `Link` header of a page that has a next one; `query` are the members that move it on."""
    url = request.url.include_query_params(**query)
    # request.url is made from the raw path, so what was %2F stays %2F
    return {"Link": f'<{origin(request)}{url.path}?{url.query}>; rel="next"'}


def error_response(error: HubError, *, anonymous: bool) -> Response:
    """The JSON answer to a refusal.

    A hidden or absent repository is 401 for nobody (so that the client says how to sign in) and 404 for anybody else.
    """
    status = 401 if anonymous and isinstance(error, RepoNotFound) else error.status
    headers = {"X-Error-Code": error.code, "X-Error-Message": _header_text(error.message)} | error.headers
    return Json({"error": error.message} | error.extra, status_code=status, headers=headers)


def _header_text(text: str) -> str:
    """`text` fit for a header: one line of Latin-1."""
    return " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")[:1000]


class RequestId:
    """Answers carry `X-Request-Id`: the request's own, else with its `X-Amzn-Trace-Id`, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given: Mapping[bytes, bytes] = dict(scope["headers"])
        request_id = given.get(b"x-request-id") or given.get(b"x-amzn-trace-id") or secrets.token_hex(8).encode()

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        await self._app(scope, receive, with_id)
