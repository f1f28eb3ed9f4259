from __future__ import annotations

import pytest
from sqlalchemy import select

from building.time import Time
from corral.accounts import orgs, people, rights, tokens
from corral.context import Context
from corral.core.actor import OrgRole, TokenRole
from corral.core.errors import BadRequest, Conflict, NotFound, Unauthorized
from corral.storage import schema as t


def test_a_token_stands_for_its_owner_with_his_roles(ctx: Context) -> None:
    ann = people.create_user(ctx, "Ann")
    labs = orgs.create_org(ctx, "labs", admin_id=ann.id)
    crew = orgs.create_org(ctx, "crew")
    orgs.set_member(ctx.acting_as(rights.OPERATOR), crew, ann, OrgRole.ADMIN)
    secret = tokens.create(ctx, ann.id, "laptop", TokenRole.WRITE)
    assert secret.startswith("hf_")
    assert len(secret) == 37
    actor = tokens.actor_of(ctx, secret)
    assert (actor.account_id, actor.name, actor.token_role, actor.is_admin) == (ann.id, "Ann", TokenRole.WRITE, False)
    assert actor.orgs == {labs.id: OrgRole.ADMIN, crew.id: OrgRole.ADMIN}


def test_the_token_itself_is_stored_nowhere(ctx: Context) -> None:
    secret = tokens.create(ctx, people.create_user(ctx, "ann").id, "laptop", TokenRole.READ)
    with ctx.db.read() as connection:
        row = connection.execute(select(t.tokens)).one()
    assert secret not in str(row)
    assert secret[3:] not in str(row)
    assert row.hint == secret[-4:]


def test_a_revoked_or_unknown_token_opens_nothing_at_once(ctx: Context) -> None:
    ann, bob = people.create_user(ctx, "ann"), people.create_user(ctx, "bob")
    secret = tokens.create(ctx, ann.id, "laptop", TokenRole.WRITE)
    token = tokens.list_tokens(ctx, ann.id)[0]
    with pytest.raises(NotFound):
        tokens.revoke(ctx, bob.id, token.id)
    assert tokens.actor_of(ctx, secret).name == "ann"
    tokens.revoke(ctx, ann.id, token.id)
    for wrong in (secret, "hf_" + "x" * 34, "", "ü"):
        with pytest.raises(Unauthorized, match=r"^Invalid credentials in Authorization header$"):
            tokens.actor_of(ctx, wrong)
    with pytest.raises(NotFound):
        tokens.get(ctx, token.id)


def test_a_token_runs_out(ctx: Context, time: Time) -> None:
    ann = people.create_user(ctx, "ann")
    secret = tokens.create(ctx, ann.id, "job", TokenRole.WRITE, expires_at=time.now + 60_000)
    time.forward(59)
    assert tokens.actor_of(ctx, secret).name == "ann"
    time.forward(1)
    with pytest.raises(Unauthorized):
        tokens.actor_of(ctx, secret)


def test_when_it_was_last_used_is_written_once_an_hour(ctx: Context, time: Time) -> None:
    ann = people.create_user(ctx, "ann")
    secret = tokens.create(ctx, ann.id, "laptop", TokenRole.READ)
    assert tokens.list_tokens(ctx, ann.id)[0].last_used_at is None
    tokens.actor_of(ctx, secret)
    first = time.now
    time.forward(3600)
    tokens.actor_of(ctx, secret)
    assert tokens.list_tokens(ctx, ann.id)[0].last_used_at == first
    time.forward(1)
    tokens.actor_of(ctx, secret)
    assert tokens.list_tokens(ctx, ann.id)[0].last_used_at == time.now


def test_a_given_value_is_kept_and_given_once(ctx: Context) -> None:
    ann, bob = people.create_user(ctx, "ann"), people.create_user(ctx, "bob")
    value = "hf_enterprise_admin_token"
    assert tokens.create(ctx, ann.id, "suite", TokenRole.WRITE, value) == value
    with pytest.raises(Conflict):
        tokens.create(ctx, bob.id, "suite", TokenRole.WRITE, value)
    found = tokens.find(ctx, value)
    assert found is not None
    assert (found.user_id, found.token.name, found.token.role) == (ann.id, "suite", TokenRole.WRITE)


@pytest.mark.parametrize(
    ("name", "value"), [("", None), ("x" * 97, None), ("x", "abc"), ("x", "hf_short"), ("x", "hf_ü" + "x" * 20)]
)
def test_a_name_or_value_that_is_not_acceptable_is_refused(ctx: Context, name: str, value: str | None) -> None:
    ann = people.create_user(ctx, "ann")
    with pytest.raises(BadRequest):
        tokens.create(ctx, ann.id, name, TokenRole.READ, value)
    assert tokens.list_tokens(ctx, ann.id) == []
