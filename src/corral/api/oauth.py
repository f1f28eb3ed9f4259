"""The OAuth endpoints that clients call: device login (RFC 8628), as `hf auth login` of huggingface_hub 2.4.0 does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import device
from corral.accounts.device import OAuthError
from corral.api.wire import Json, origin
from corral.context import Context

router = APIRouter()

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_NO_STORE = {"Cache-Control": "no-store"}


async def _hub(request: Request) -> Context:
    """The hub as nobody sees it: here an Authorization header holds a client's credentials and not a person's."""
    hub: Context = request.app.state.ctx
    return hub


Hub = Annotated[Context, Depends(_hub)]
Member = Annotated[str, Form(max_length=4096)]


def _refusal(error: OAuthError) -> Response:
    """RFC 6749 section 5.2: here `error` is the code and not the sentence."""
    body = {"error": error.code, "error_description": error.message}
    return Json(body, status_code=error.status, headers=_NO_STORE)


@router.post("/oauth/device")
def begin_device_login(request: Request, ctx: Hub, client_id: Member = "", scope: Member = "") -> Response:
    """A code for the device, and the shorter one that its owner types on the page `/oauth/device`."""
    try:
        code = device.begin(ctx, client_id, scope)
    except OAuthError as error:
        return _refusal(error)
    page = f"{origin(request)}/oauth/device"
    answer: dict[str, Any] = {
        "device_code": code.device_code,
        "user_code": code.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?code={code.user_code}",
        "expires_in": device.LIFETIME,
        "interval": device.INTERVAL,
    }
    return Json(answer, headers=_NO_STORE)


@router.post("/oauth/token")
def token(ctx: Hub, grant_type: Member = "", device_code: Member = "", client_id: Member = "") -> Response:
    """An access token for a device code that was approved; a refusal has the codes that the client waits on."""
    try:
        if grant_type == "refresh_token":
            raise OAuthError("This hub's tokens do not run out: sign in again.", code="invalid_grant")
        if grant_type != _DEVICE_GRANT:
            raise OAuthError(f"The grant type {grant_type!r} is not supported.", code="unsupported_grant_type")
        secret = device.poll(ctx, device_code, client_id)
    except OAuthError as error:
        return _refusal(error)
    return Json({"access_token": secret, "token_type": "bearer", "scope": "write-repos"}, headers=_NO_STORE)
