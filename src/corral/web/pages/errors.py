"""Refusals as pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corral.core.errors import HubError, RepoNotFound
from corral.web.address import here
from corral.web.deps import SignInFirst
from corral.web.render import page

_TITLES = {
    400: "That request was not understood",
    401: "Sign in to go on",
    403: "You may not do this",
    404: "Nothing grazes here",
    409: "That is taken already",
    412: "Somebody was faster",
    413: "That is too large",
    422: "That cannot be accepted",
    429: "One moment, please",
    500: "Something broke",
    501: "Not on this hub",
    503: "Busy right now",
}


def error_page(request: Request, error: HubError) -> Response:
    """The page for a refusal; a page that asks for a session answers with the way to the sign-in form."""
    if isinstance(error, SignInFirst):
        return RedirectResponse(error.headers["Location"], status_code=303)
    message = error.message
    if isinstance(error, RepoNotFound):
        message = "There is no such repository, or it is private and you may not see it."
    response = page(
        request,
        None,
        "error.html",
        status=error.status,
        title=_TITLES.get(error.status, "That did not work"),
        message=message,
        code=error.status,
        sign_in=error.status in (401, 404) and not request.cookies.get("token"),
        back=here(request) if request.method == "GET" else "/",
    )
    if "Retry-After" in error.headers:
        response.headers["Retry-After"] = error.headers["Retry-After"]
    return response
