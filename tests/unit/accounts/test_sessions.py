from __future__ import annotations

import pytest
from sqlalchemy import select

from building.time import Time
from corral.accounts import orgs, people, sessions
from corral.context import Context
from corral.core.actor import ANONYMOUS, OrgRole
from corral.core.errors import Forbidden
from corral.storage import schema as t


def test_a_session_stands_for_its_user_until_it_is_ended(ctx: Context) -> None:
    ann = people.create_user(ctx, "ann", is_admin=True)
    labs = orgs.create_org(ctx, "labs", admin_id=ann.id)
    cookie, other = sessions.start(ctx, ann.id), sessions.start(ctx, ann.id)
    actor = sessions.actor_of(ctx, cookie)
    assert (actor.account_id, actor.is_admin, actor.token_role) == (ann.id, True, None)
    assert actor.orgs == {labs.id: OrgRole.ADMIN}
    sessions.end(ctx, cookie)
    assert sessions.actor_of(ctx, cookie) == ANONYMOUS
    assert sessions.actor_of(ctx, other).name == "ann"
    sessions.end_all(ctx, ann.id)
    assert sessions.actor_of(ctx, other) == ANONYMOUS


def test_a_session_runs_out(ctx: Context, time: Time) -> None:
    cookie = sessions.start(ctx, people.create_user(ctx, "ann").id)
    time.forward(sessions.LIFETIME - 1)
    assert sessions.actor_of(ctx, cookie).name == "ann"
    time.forward(1)
    assert sessions.actor_of(ctx, cookie) == ANONYMOUS


def test_a_cookie_that_was_tampered_with_is_nobodys(ctx: Context) -> None:
    cookie = sessions.start(ctx, people.create_user(ctx, "ann").id)
    session_id, _, signature = cookie.rpartition(".")
    for forged in (
        "",
        "x",
        session_id,
        f"{session_id}.",
        f"x{cookie}",
        cookie[:-1],
        f"{session_id}.{signature[::-1]}",
        "ü.ü",
    ):
        assert sessions.actor_of(ctx, forged) == ANONYMOUS
        sessions.end(ctx, forged)
    assert sessions.actor_of(ctx, cookie).name == "ann"


def test_neither_cookie_nor_session_id_is_stored(ctx: Context) -> None:
    cookie = sessions.start(ctx, people.create_user(ctx, "ann").id)
    with ctx.db.read() as connection:
        row = connection.execute(select(t.sessions)).one()
    assert cookie.rpartition(".")[0] not in str(row)


def test_a_form_is_accepted_from_the_browser_it_was_shown_to(ctx: Context) -> None:
    ann = people.create_user(ctx, "ann")
    one, two = sessions.start(ctx, ann.id), sessions.start(ctx, ann.id)
    sessions.check_csrf(ctx, one, sessions.csrf_token(ctx, one))
    for key, token in ((two, sessions.csrf_token(ctx, one)), (one, ""), ("", sessions.csrf_token(ctx, "")), (one, one)):
        with pytest.raises(Forbidden):
            sessions.check_csrf(ctx, key, token)
