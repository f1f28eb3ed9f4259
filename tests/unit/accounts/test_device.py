from __future__ import annotations

import pytest

from building.time import Time
from corral.accounts import device, people, tokens
from corral.accounts.device import CLI_CLIENT, OAuthError
from corral.context import Context
from corral.core.actor import Actor, TokenRole
from corral.core.errors import Forbidden, NotFound, Unauthorized


@pytest.fixture
def as_ann(ctx: Context) -> Context:
    return ctx.acting_as(Actor(people.create_user(ctx, "ann").id, "ann"))


def _refusal(ctx: Context, device_code: str, client: str = CLI_CLIENT) -> str:
    with pytest.raises(OAuthError) as refused:
        device.poll(ctx, device_code, client)
    return refused.value.code


def test_an_approved_device_gets_an_ordinary_token_once(ctx: Context, as_ann: Context, time: Time) -> None:
    code = device.begin(ctx, CLI_CLIENT)
    assert _refusal(ctx, code.device_code) == "authorization_pending"
    typed = code.user_code.lower().replace("-", " ")
    assert device.find(as_ann, typed).user_code == code.user_code
    device.decide(as_ann, typed, approve=True)
    secret = device.poll(ctx, code.device_code, CLI_CLIENT)
    actor = tokens.actor_of(ctx, secret)
    assert (actor.name, actor.token_role) == ("ann", TokenRole.WRITE)
    assert [token.hint for token in tokens.list_tokens(ctx, actor.account_id)] == [secret[-4:]]
    assert _refusal(ctx, code.device_code) == "invalid_grant"
    with pytest.raises(NotFound):
        device.find(as_ann, code.user_code)


def test_a_refused_device_hears_so(ctx: Context, as_ann: Context) -> None:
    code = device.begin(ctx, CLI_CLIENT)
    device.decide(as_ann, code.user_code, approve=False)
    assert _refusal(ctx, code.device_code) == "access_denied"
    with pytest.raises(NotFound):
        device.decide(as_ann, code.user_code, approve=True)
    assert _refusal(ctx, code.device_code) == "access_denied"


def test_a_device_that_asks_too_often_is_slowed(ctx: Context, time: Time) -> None:
    code = device.begin(ctx, CLI_CLIENT)
    assert _refusal(ctx, code.device_code) == "authorization_pending"
    time.forward(1)
    assert _refusal(ctx, code.device_code) == "slow_down"
    time.forward(device.INTERVAL)
    assert _refusal(ctx, code.device_code) == "authorization_pending"


def test_a_code_runs_out_even_when_approved(ctx: Context, as_ann: Context, time: Time) -> None:
    waiting, approved = device.begin(ctx, CLI_CLIENT), device.begin(ctx, CLI_CLIENT)
    device.decide(as_ann, approved.user_code, approve=True)
    time.forward(device.LIFETIME)
    assert _refusal(ctx, waiting.device_code) == "expired_token"
    assert _refusal(ctx, approved.device_code) == "expired_token"
    with pytest.raises(NotFound):
        device.decide(as_ann, waiting.user_code, approve=True)


def test_a_code_is_good_for_its_client_only_and_unknown_ones_for_nothing(ctx: Context, as_ann: Context) -> None:
    code = device.begin(ctx, CLI_CLIENT)
    device.decide(as_ann, code.user_code, approve=True)
    assert _refusal(ctx, code.device_code, "another") == "invalid_grant"
    assert _refusal(ctx, "unknown") == "invalid_grant"
    with pytest.raises(OAuthError):
        device.begin(ctx, "")


def test_only_a_signed_in_person_approves(ctx: Context, as_ann: Context) -> None:
    code = device.begin(ctx, CLI_CLIENT)
    with pytest.raises(Unauthorized):
        device.decide(ctx, code.user_code, approve=True)
    by_token = ctx.acting_as(Actor(as_ann.actor.account_id, "ann", token_role=TokenRole.WRITE, token_id=1))
    with pytest.raises(Forbidden):
        device.decide(by_token, code.user_code, approve=True)
    assert _refusal(ctx, code.device_code) == "authorization_pending"
