"""Every quirk of Hugging Face's wire contract that more than one endpoint shares, once.

Source: `huggingface_hub` 2.4.0 (`utils/_http.py`, `utils/_pagination.py`, `file_download.py`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import orjson
from anyio.to_thread import run_sync
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
    """`owner/name`, where no owner has a name that the hub's own addresses begin with."""

    regex = "(?!(?:api|buckets)/)[^/]+/[^/]+?"


class _Call(_Types):
    """The first word after an id in `/api/{types}/{id}/…`."""

    regex = "revision|tree|paths-info|refs|commits|commit|preupload|branch|tag|auth-check|discussions|settings"


class _SpaceCall(_Types):
    """The calls that steer a running Space."""

    regex = "secrets|variables|hardware|sleeptime|pause|restart|dev-mode|volumes|logs/run|logs/build|metrics|events"


register_url_convertor("call", _Call())
register_url_convertor("space_call", _SpaceCall())
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


class FileBytes(Response):
    """`length` bytes of the file at `path`, from `start`; the headers may say more than that (ranges, types, tags).

    A server that offers ASGI's zero-copy extension (ours does) gets the open file and lets the kernel send it; under
    any other the bytes are read and sent in pieces. The file is opened before the first header goes out, so that
    one that is missing raises FileNotFoundError while there can still be a proper answer.
    """

    #: up to this many bytes one read is cheaper than anything else
    _SMALL = 1 << 16
    _PIECE = 1 << 18

    def __init__(
        self, path: Path, start: int, length: int, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        given = {k: v for k, v in (headers or {}).items() if k.lower() != "content-length"}
        super().__init__(status_code=status_code, headers=given | {"Content-Length": str(length)})
        self._path = path
        self._start = start
        self._length = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD" or not self._length:
            await send(begin)
            await send({"type": "http.response.body", "body": b""})
            return
        file, small = await run_sync(self._open)
        try:
            await send(begin)
            if small is not None:
                await send({"type": "http.response.body", "body": small})
            elif "http.response.zerocopysend" in scope.get("extensions", {}):
                window = {"file": file, "offset": self._start, "count": self._length}
                await send({"type": "http.response.zerocopysend"} | window)
            else:
                await self._send_pieces(file, send)
        finally:
            file.close()

    def _open(self) -> tuple[BinaryIO, bytes | None]:
        file = self._path.open("rb", buffering=0)
        if self._length > self._SMALL:
            return file, None
        file.seek(self._start)
        return file, file.read(self._length)

    async def _send_pieces(self, file: BinaryIO, send: Send) -> None:
        file.seek(self._start)
        left = self._length
        while left:
            piece = await run_sync(file.read, min(left, self._PIECE))
            if not piece:
                raise EOFError(f"{self._path} is shorter than the {self._start + self._length} bytes announced")
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})


def origin(request: Request) -> str:
    """`scheme://host` the request came to: URLs in answers must name the same host as HF_ENDPOINT does."""
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def next_link(request: Request, **query: str) -> dict[str, str]:
    """The `Link` header of a page that has a next one; `query` are the members that move it on."""
    url = request.url.include_query_params(**query)
    # request.url is made from the raw path, so what was %2F stays %2F
    return {"Link": f'<{origin(request)}{url.path}?{url.query}>; rel="next"'}


def error_response(error: HubError, *, anonymous: bool, openai: bool = False) -> Response:
    """The JSON answer to a refusal. OpenAI's clients show the sentence only where it lies in an object.

    A hidden or absent repository is 401 for nobody (so that the client says how to sign in) and 404 for anybody else.
    """
    status = 401 if anonymous and isinstance(error, RepoNotFound) else error.status
    headers = {"X-Error-Code": error.code, "X-Error-Message": _header_text(error.message)} | error.headers
    told: object = {"message": error.message, "type": error.code, "param": None, "code": error.code}
    return Json({"error": told if openai else error.message} | error.extra, status_code=status, headers=headers)


def _header_text(text: str) -> str:
    """`text` fit for a header: one line of Latin-1, without what a client would take for a broken answer."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line.encode("latin-1", "replace").decode("latin-1")[:1000]


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
