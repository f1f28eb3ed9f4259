"""The door: uvicorn's HTTP/1.1 protocol, with what a hub needs on top.

- Files and ranges of files leave by `sendfile`: no byte of a download passes through Python (ASGI's
  `http.response.zerocopysend`, which `api.wire.FileBytes` uses).
- A request's head has a size limit and a time limit, and a download whose client takes nothing is ended.
- Who waits for `100 Continue` and is refused instead loses the connection: whether the body follows is not known.

Why not another server: docs/adr/0004-the-door.md.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import Any

import anyio
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: bytes of a request line and its headers
MAX_HEAD = 1 << 16
#: seconds in which they must arrive
HEAD_SECONDS = 30
#: seconds after which a download is ended whose client takes nothing
STALL_SECONDS = 120

#: what one turn in a thread sends at most, and the milliseconds it waits for the client to take more
_TURN = 1 << 24
_WAIT_MS = 20
#: bytes of one call: with more of them on the way at once they fall out of the processor's caches before they are read
_STEP = 1 << 18
#: downloads that are being sent at the same moment; others take turns with them
_senders = anyio.CapacityLimiter(64)


class RawPath:
    """Routes see the path as it was sent: clients send `refs/pr/1` as the one segment `refs%2Fpr%2F1`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (raw := scope.get("raw_path")):
            scope = {**scope, "path": raw.decode("latin-1")}
        await self._app(scope, receive, send)


class Door(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._inner = self.app
        self.app = self._answer
        self._head_size = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal = (400, "This is no HTTP request that can be understood.")

    # ---- requests

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > MAX_HEAD and not self.transport.is_closing():
            self._refuse(431, f"The request's headers are longer than the {MAX_HEAD} bytes that are taken.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_size = 0
        self._in_head = True
        if self.cycle.response_complete and not self.transport.is_closing():
            # the answer came before the body's end, and the body's last bytes stopped uvicorn's timer
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _expect_head(self) -> None:
        self._in_head = True
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_late)

    def _head_arrived(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if not self._head_size:
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(408, f"The request's headers did not arrive within {HEAD_SECONDS} seconds.")

    def _refuse(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        self.send_400_response(message)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and close. uvicorn calls this for what its parser refuses."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            # an answer is under way: nothing may be put into the middle of it
            self.transport.abort()
            return
        status, text = self._refusal
        head = f"HTTP/1.1 {status} Refused\r\ncontent-type: text/plain\r\ncontent-length: {len(text)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n{text}".encode())
        self.transport.close()

    # ---- answers

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]
        scope["extensions"] = {"http.response.zerocopysend": {}}

        async def send_or_copy(message: Message) -> None:
            if message["type"] == "http.response.zerocopysend":
                await self._send_file(cycle, message)
                return
            if message["type"] == "http.response.start" and cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            await send(message)

        try:
            await self._inner(scope, receive, send_or_copy)
        except asyncio.CancelledError:
            # the hub is stopping; this is the end of the request's task
            cycle.disconnected = True
            self.transport.abort()
        except Exception:
            # one that was answered has been logged by whoever answered it; after hanging up nobody hears of it
            if not cycle.response_complete and not cycle.disconnected:
                raise

    async def _send_file(self, cycle: RequestResponseCycle, message: Message) -> None:
        """`count` bytes of the open `file` from `offset`, as (part of) the body of a response with Content-Length."""
        count: int = message["count"]
        if not cycle.response_started or cycle.chunked_encoding or count > cycle.expected_content_length:
            raise RuntimeError("a file is sent after a Content-Length that it fits in")
        if cycle.scope["method"] != "HEAD" and not cycle.disconnected:
            # what was written before must be out before bytes go past the transport
            while self.transport.get_write_buffer_size() and not self.transport.is_closing():
                await asyncio.sleep(0 if self.transport.get_write_buffer_size() < MAX_HEAD else 0.01)
            await self._copy(message["file"].fileno(), message.get("offset", 0), count)
            cycle.expected_content_length -= count
        await cycle.send({"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)})

    async def _copy(self, file: int, offset: int, count: int) -> None:
        if self.transport.is_closing():
            return
        # a descriptor of our own, since the loop lets nobody else wait for the transport's
        out = os.dup(self.transport.get_extra_info("socket").fileno())
        try:
            end = offset + count
            while offset < end and not self.transport.is_closing():
                sent = await run_sync(_push, out, file, offset, end, limiter=_senders)
                offset += sent
                if not sent:
                    async with asyncio.timeout(STALL_SECONDS):
                        await self._writable(out)
        except (ConnectionError, TimeoutError):
            self.transport.abort()
        finally:
            os.close(out)

    async def _writable(self, out: int) -> None:
        ready = asyncio.Event()
        self.loop.add_writer(out, ready.set)
        try:
            await ready.wait()
        finally:
            self.loop.remove_writer(out)


def _push(out: int, file: int, offset: int, end: int) -> int:
    """Send until the turn is over or the client takes no more for a moment. Returns how many bytes went."""
    start = offset
    poll = select.poll()
    poll.register(out, select.POLLOUT)
    while offset < end and offset - start < _TURN:
        try:
            sent = os.sendfile(out, file, offset, min(end - offset, _STEP))
        except BlockingIOError:
            if not poll.poll(_WAIT_MS):
                break
            continue
        if not sent:
            raise EOFError("the file is shorter than was announced")
        offset += sent
    return offset - start
