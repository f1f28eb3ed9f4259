"""Several answers to one request (OpenAI's `n`, and several prompts): run beside each other, given together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from fastapi import Request
from starlette.responses import Response

from corral.api.calling import Events, left, outcome
from corral.core.errors import HubError
from corral.inference.calls import Call, Event, Failure, Result


async def all_of(request: Request, calls: Sequence[Call]) -> list[Result]:
    """Every result, in order. Raises what went wrong with the first that fails, and ends the others."""
    try:
        return [await outcome(request, call) for call in calls]
    except BaseException:
        for call in calls:
            call.cancel()
        raise


async def streamed_all(
    request: Request, calls: Sequence[Call], shape: Callable[[int, Event], list[bytes]], last: Callable[[], list[bytes]]
) -> Response:
    """Server-sent events of all of them, as they come. `shape` gives the lines for an event of the call of that number,
    `last` those after all results; a failure is the last event there is.

    The answer starts with the first event, so that a refusal still has its status.
    """
    queue = _events(calls)
    coming, leaving = asyncio.ensure_future(queue.get()), asyncio.ensure_future(left(request))
    try:
        await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            raise HubError("The caller went away.", status=499, code="Cancelled")
        first = coming.result()
        if isinstance(first[1], Failure):
            raise first[1].error
    except BaseException:
        for call in calls:
            call.cancel()
        raise
    finally:
        for task in (coming, leaving):
            task.cancel()
        await asyncio.gather(coming, leaving, return_exceptions=True)

    async def lines() -> AsyncGenerator[bytes, None]:
        number, event = first
        open_ = len(calls)
        while True:
            for line in shape(number, event):
                yield line
            open_ -= isinstance(event, Result)
            if isinstance(event, Failure):
                return
            if not open_:
                for line in last():
                    yield line
                return
            number, event = await queue.get()

    return Events(lines(), calls)


def _events(calls: Sequence[Call]) -> asyncio.Queue[tuple[int, Event]]:
    """All calls' events with the call's number, from the workers' threads to this one."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()

    def listener(number: int) -> Callable[[Event], None]:
        def hand_over(event: Event) -> None:
            # the loop is closed when the hub ends first
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, (number, event))

        return hand_over

    for number, call in enumerate(calls):
        call.listen(listener(number))
    return queue
