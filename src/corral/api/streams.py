"""Large request bodies for code that runs in a thread: a few megabytes are read ahead, never all of it.

Receiving goes on while the thread hashes and writes. The threads are apart from those of other requests, which go on
however many slow senders there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request

from corral.core.errors import HubError

T = TypeVar("T")

#: bytes handed to the thread at once, and how many such pieces may wait for it
_PIECE = 1 << 20
_AHEAD = 8
#: what is read of a body after it was refused, so that a client that is still sending gets to hear why
_DRAIN = 64 << 20
#: seconds without a single byte after which a sender is given up
_IDLE = 120
#: uploads at once in this process; each waits on its client most of the time, so they get threads of their own
_uploads = anyio.CapacityLimiter(256)


class BodyCut(HubError):
    """The connection ended before the body did."""

    status = 400
    code = "BodyCut"


async def receive(request: Request, work: Callable[[Iterator[bytes]], T]) -> T:
    """Run `work` in a thread with the request's body as pieces of about a megabyte; returns what it returns.

    `work` sees BodyCut when the client goes away before the end.
    """
    pieces: SimpleQueue[list[bytes] | HubError | None] = SimpleQueue()
    room = asyncio.Semaphore(_AHEAD)
    loop = asyncio.get_running_loop()
    finished = anyio.Event()
    result: list[T] = []
    failure: list[Exception] = []

    def body() -> Iterator[bytes]:
        while (some := pieces.get()) is not None:
            if isinstance(some, HubError):
                raise some
            loop.call_soon_threadsafe(room.release)
            yield some[0] if len(some) == 1 else b"".join(some)

    async def run() -> None:
        try:
            result.append(await run_sync(work, body(), limiter=_uploads))
        except Exception as error:
            # kept, so that the rest of the body can be read before the answer
            failure.append(error)
        finally:
            finished.set()
            room.release()

    async def feed() -> None:
        some: list[bytes] = []
        size = drained = 0
        stream = aiter(request.stream())
        try:
            while True:
                with anyio.fail_after(_IDLE):
                    chunk = await anext(stream, None)
                if chunk is None:
                    break
                if finished.is_set():
                    drained += len(chunk)
                    if drained > _DRAIN:
                        return
                    continue
                some.append(chunk)
                size += len(chunk)
                if size >= _PIECE:
                    await room.acquire()
                    pieces.put(some)
                    some, size = [], 0
            if some:
                pieces.put(some)
            pieces.put(None)
        except (ClientDisconnect, TimeoutError):
            pieces.put(BodyCut("The connection ended before the body did: send it again."))
        except BaseException:
            # the server is stopping: let go of the thread
            pieces.put(BodyCut("The hub is stopping: send it again in a moment."))
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        tasks.start_soon(feed)
    if failure:
        raise failure[0]
    return result[0]
