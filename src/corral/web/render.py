"""From a template and its values to an answer, with the headers that keep a page from doing anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corral import __version__
from corral.accounts import sessions
from corral.context import Context
from corral.core.actor import ANONYMOUS
from corral.web import assets, format
from corral.web.address import here, repo_url
from corral.web.deps import VISITOR, csrf_key

#: the cookie that holds the chosen colours
THEME = "theme"
THEMES = ("light", "dark")
_NOTE = "note"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "frame-src {frames}"
)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(format, name)
        for name in ("count", "size", "parameters", "ago", "brief", "day", "moment", "machine")
    }
    environment.globals |= {"static": assets.url, "repo_url": repo_url, "version": __version__}
    return environment


_templates = _environment()


def with_query(request: Request, **changes: object) -> str:
    """The request's own address with members of its query changed; None or '' takes one out."""
    query = [(k, v) for k, v in request.query_params.multi_items() if k not in changes]
    query += [(k, str(v)) for k, v in changes.items() if v not in (None, "")]
    return request.url.path + (f"?{urlencode(query)}" if query else "")


def page(request: Request, ctx: Context | None, template: str, *, status: int = 200, **values: Any) -> Response:
    """Render `template` for the visitor of `request`; `values` are what the template shows.

    `frames`, where given, is the origin of what the page may show in a frame.
    """
    frames = str(values.pop("frames", "'none'"))
    hub: Context = request.app.state.ctx
    actor = ctx.actor if ctx else getattr(request.state, "actor", ANONYMOUS)
    theme = request.cookies.get(THEME)
    html = _templates.get_template(template).render(
        me=actor.name,
        csrf=sessions.csrf_token(hub, csrf_key(request)),
        theme=theme if theme in THEMES else "",
        here=here(request),
        origin=origin(request),
        note=_read_note(request),
        **values,
    )
    response = Response(html, status_code=status, media_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY.format(frames=frames)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    # a page may hold what only this visitor may see
    response.headers["Cache-Control"] = "private, no-cache"
    visitor = getattr(request.state, "visitor", None)
    if visitor is not None:
        set_cookie(request, response, VISITOR, visitor, 86400)
    if _NOTE in request.cookies:
        response.delete_cookie(_NOTE)
    return response


def origin(request: Request) -> str:
    """`scheme://host` that the visitor's browser shows."""
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """A cookie that scripts cannot read and other sites' pages cannot have sent with a form."""
    response.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def go(target: str, note: str = "") -> Response:
    """Lead the browser on after a form; `note` is the key of a sentence that the next page shows once."""
    response = RedirectResponse(target, status_code=303)
    if note:
        response.set_cookie(_NOTE, note, max_age=60, httponly=True, samesite="lax")
    return response


_NOTES = {
    "saved": "Saved.",
    "committed": "Your change was committed.",
    "created": "Your repository is ready.",
    "renamed": "The repository was renamed. Its old address leads here.",
    "deleted": "The repository was deleted.",
    "revoked": "The token was revoked. Programs that use it can no longer sign in.",
    "password": "Your password was changed. Sign in with the new one.",
    "welcome": "Welcome to Corral.",
    "member": "The members were changed.",
    "uploaded": "Your files were committed.",
}


def _read_note(request: Request) -> str:
    """Only sentences of our own: a cookie that somebody planted cannot put words on the page."""
    return _NOTES.get(request.cookies.get(_NOTE, ""), "")
