"""Forms with files (multipart/form-data), as OpenAI's clients send them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from corral.api.calling import whole_body
from corral.core.errors import BadRequest

#: bytes of a form's member that is no file
_MAX_FIELD = 64 * 2**10


async def whole_form(request: Request, *, holds: str, files: int) -> FormData:
    """The form that the body is, with at most `files` files; `holds` tells people what it should hold.

    Raises BadRequest for what is none, TooLarge for one that is longer than any request.
    """
    raw = await whole_body(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest(f"Send a form (multipart/form-data) with {holds}.")

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield raw

    try:
        parser = MultiPartParser(request.headers, pieces(), max_files=files, max_fields=50, max_part_size=_MAX_FIELD)
        return await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise BadRequest(f"The form cannot be read: {getattr(error, 'message', None) or error}") from None
