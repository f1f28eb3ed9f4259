from __future__ import annotations

import pytest

from corral.core.actor import ANONYMOUS, Actor, OrgRole, TokenRole


def test_a_role_is_above_those_that_may_less() -> None:
    assert sorted(OrgRole, key=lambda role: role.rank) == ["read", "contributor", "write", "admin"]


@pytest.mark.parametrize(
    ("actor", "anonymous", "may_write"),
    [
        (ANONYMOUS, True, False),
        (Actor(1, "ann"), False, True),
        (Actor(1, "ann", token_role=TokenRole.WRITE), False, True),
        (Actor(1, "ann", token_role=TokenRole.ADMIN), False, True),
        (Actor(1, "ann", token_role=TokenRole.READ), False, False),
        (Actor(1, "ann", is_admin=True, token_role=TokenRole.READ), False, False),
        # the command line: nobody who could be the author of something
        (Actor(name="operator", is_admin=True), True, False),
    ],
)
def test_who_may_write_at_all(actor: Actor, anonymous: bool, may_write: bool) -> None:
    assert (actor.is_anonymous, actor.may_write) == (anonymous, may_write)


def test_nobody_shares_the_roles_of_another() -> None:
    Actor(1, "ann").orgs[7] = OrgRole.ADMIN
    assert Actor(2, "ben").orgs == {}
    assert ANONYMOUS.orgs == {}
