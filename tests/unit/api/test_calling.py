"""Following a call from a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from starlette.types import Message

from corral.api.calling import Events
from corral.inference.calls import Call, Request


def test_a_caller_who_goes_away_in_the_middle_of_a_line_ends_the_call() -> None:
    call = Call(Request("generate"), "bob")
    reading = asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        while True:
            yield b"data: {}\n\n"

    async def receive() -> Message:
        await reading.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            reading.set()
            # a slow reader: the line does not get out
            await asyncio.Event().wait()

    # a thread of its own: browser tests of this process leave a loop that runs
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, Events(lines(), [call])({"type": "http"}, receive, send)).result(10)
    assert call.cancelled
