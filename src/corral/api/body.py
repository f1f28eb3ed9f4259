"""Request bodies that are JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from starlette.requests import Request

from corral.core.errors import BadRequest, TooLarge


def ndjson(pieces: Iterable[bytes], longest_line: int) -> Iterator[Any]:
    """The values of a body (`streams.receive`) with one JSON value a line, never holding more than one line.

    Raises BadRequest naming the line that is no JSON, TooLarge for a line above `longest_line` bytes.
    """
    number = 0
    kept = bytearray()
    for chunk in pieces:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            number += 1
            kept += memoryview(chunk)[start:end]
            _check_line(kept, number, longest_line)
            if kept.strip():
                yield _value(kept, number)
            kept.clear()
            start = end + 1
        kept += memoryview(chunk)[start:]
        _check_line(kept, number + 1, longest_line)
    if kept.strip():
        yield _value(kept, number + 1)


def _check_line(line: bytearray, number: int, longest: int) -> None:
    if len(line) > longest:
        raise TooLarge(
            f"Line {number} of the body is longer than {longest} bytes: send large files by Xet or git-lfs instead."
        )


def _value(line: bytearray, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"Line {number} of the body is not valid JSON: {error}", code="InvalidJson") from None


async def json_body(request: Request, limit: int = 4 * 2**20) -> dict[str, Any]:
    """The body as a JSON object; an empty body and `null` are {}. Raises BadRequest or TooLarge."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise TooLarge(f"The body is longer than the {limit} bytes that this call takes.")
    if not data.strip():
        return {}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="InvalidJson") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.", code="InvalidJson")
    return value


def text_member(body: dict[str, Any], key: str, *, required: bool = True) -> str:
    """The string under `key`, '' when it is optional and absent. Raises BadRequest."""
    value = body.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise BadRequest(f"The member {key!r} must be a string{'' if not required else ' that is not empty'}.")
    return value


def private_of(body: dict[str, Any]) -> bool | None:
    """`visibility`, or `private` as older clients say it; None when the body says neither. Raises BadRequest."""
    match body.get("visibility"):
        case None:
            private = body.get("private")
            return None if private is None else bool(private)
        case "private":
            return True
        case "public":
            return False
    raise BadRequest("The visibility must be 'public' or 'private'.", code="InvalidVisibility")
