"""An application of a few lines behind the real door: what is tested is how requests and answers travel."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from corral.api.resolve import byte_range
from corral.api.wire import FileBytes
from corral.core.settings import Settings
from corral.server.door import RawPath


def build(settings: Settings) -> ASGIApp:
    """Files of the data folder under /file/NAME; what happened to the others is told in `told.jsonl` there."""
    folder = settings.data

    def tell(**what: object) -> None:
        with (folder / "told.jsonl").open("a") as file:
            file.write(json.dumps(what) + "\n")

    async def file(request: Request) -> Response:
        path = folder / request.path_params["name"]
        size = path.stat().st_size
        start, length = byte_range(request.headers.get("range"), size)
        if request.headers.get("if-none-match") == '"tag"':
            return Response(status_code=304, headers={"ETag": '"tag"'})
        extra = {"Content-Range": f"bytes {start}-{start + length - 1}/{size}"} if length < size else {}
        return FileBytes(path, start, length, 206 if extra else 200, extra | {"ETag": '"tag"'})

    async def short(request: Request) -> Response:
        path = folder / request.path_params["name"]
        return FileBytes(path, 0, path.stat().st_size + 10)

    async def upload(request: Request) -> Response:
        digest, size = hashlib.sha256(), 0
        try:
            async for chunk in request.stream():
                digest.update(chunk)
                size += len(chunk)
        except ClientDisconnect:
            tell(upload="cut", size=size)
            raise
        return JSONResponse({"sha256": digest.hexdigest(), "size": size, "rss": _peak()})

    async def refused(_: Request) -> Response:
        return JSONResponse({"error": "no"}, 403)

    async def stream(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            sent = 0
            try:
                while True:
                    yield b"x" * 65536
                    sent += 1
                    await asyncio.sleep(0.001)
            finally:
                tell(stream="ended", sent=sent)

        return StreamingResponse(pieces())

    async def slow(_: Request) -> Response:
        await asyncio.sleep(0.7)
        return JSONResponse({"slow": True})

    async def broken(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"some"
            raise RuntimeError("broken on purpose")

        return StreamingResponse(pieces())

    async def echo(request: Request) -> Response:
        return JSONResponse({"path": request.url.path, "query": request.url.query, "pid": os.getpid()})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tell(lifespan="up")
        yield
        tell(lifespan="down")

    routes = [
        Route("/file/{name}", file),
        Route("/short/{name}", short),
        Route("/upload", upload, methods=["PUT", "POST"]),
        Route("/refused", refused, methods=["PUT", "POST"]),
        Route("/stream", stream),
        Route("/slow", slow),
        Route("/broken", broken),
        Route("/{path:path}", echo, methods=["GET", "POST"]),
    ]
    return RawPath(Starlette(routes=routes, lifespan=lifespan))


def _peak() -> int:
    """Bytes of memory that this process held at most."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """`python -m building.toy DATA PORT WORKERS`: prints the address when it answers, `ended` when it has ended."""
    import sys

    from corral.server import door
    from corral.server.run import serve

    door.HEAD_SECONDS = float(os.environ.get("TOY_HEAD_SECONDS", door.HEAD_SECONDS))  # type: ignore[assignment]
    settings = Settings(data=Path(sys.argv[1]), port=int(sys.argv[2]), workers=int(sys.argv[3]))
    serve(settings, lambda address: print(address, flush=True), build)
    print("ended", flush=True)


if __name__ == "__main__":
    main()
