"""Light or dark, kept in a cookie, so that pages come in the chosen colours from the first paint."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.web.address import local
from corral.web.deps import CheckedForm, Field
from corral.web.render import THEME, THEMES, go, set_cookie

router = APIRouter(include_in_schema=False)

_YEAR = 365 * 86_400


@router.post("/-/theme", dependencies=[CheckedForm])
def switch(request: Request, next: Field = "/", theme: Field = "") -> Response:
    """To the colours that the island asks for, or else to the other ones than those the cookie has."""
    if theme not in THEMES:
        theme = "light" if request.cookies.get(THEME) == "dark" else "dark"
    response = go(local(next))
    set_cookie(request, response, THEME, theme, _YEAR)
    return response
