"""The table of `accounts.rights`, cell by cell."""

from __future__ import annotations

import pytest

from corral.accounts import rights
from corral.core.actor import ANONYMOUS, Actor, OrgRole, TokenRole
from corral.core.errors import Forbidden, Unauthorized

ME, OTHER, ORG = 1, 2, 3
READ, CREATE, WRITE_OWN, WRITE, ADMIN = "see", "create", "write own", "write", "admin"


def _may(actor: Actor, owner: int) -> set[str]:
    return {
        what
        for what, allowed in (
            (READ, rights.may_read_private(actor, owner)),
            (CREATE, rights.may_create(actor, owner)),
            (WRITE_OWN, rights.may_write(actor, owner, creator_id=ME)),
            (WRITE, rights.may_write(actor, owner, creator_id=OTHER)),
            (ADMIN, rights.may_admin(actor, owner)),
        )
        if allowed
    }


EVERYTHING = {READ, CREATE, WRITE_OWN, WRITE, ADMIN}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (OrgRole.READ, {READ}),
        (OrgRole.CONTRIBUTOR, {READ, CREATE, WRITE_OWN}),
        (OrgRole.WRITE, {READ, CREATE, WRITE_OWN, WRITE}),
        (OrgRole.ADMIN, EVERYTHING),
        (None, set()),
    ],
)
def test_roles_in_an_organization(role: OrgRole | None, expected: set[str]) -> None:
    orgs = {} if role is None else {ORG: role}
    assert _may(Actor(ME, "me", orgs=orgs), ORG) == expected
    for token_role in (TokenRole.WRITE, TokenRole.ADMIN):
        assert _may(Actor(ME, "me", orgs=orgs, token_role=token_role), ORG) == expected
    assert _may(Actor(ME, "me", orgs=orgs, token_role=TokenRole.READ), ORG) == expected & {READ}


def test_everybody_has_all_rights_under_his_own_name_and_none_under_anothers() -> None:
    assert _may(Actor(ME, "me"), ME) == EVERYTHING
    assert _may(Actor(ME, "me"), OTHER) == set()
    assert _may(ANONYMOUS, ME) == set()


def test_an_administrator_of_the_hub_may_do_everything_but_not_with_a_read_token() -> None:
    assert _may(Actor(ME, "me", is_admin=True), OTHER) == EVERYTHING
    assert _may(rights.OPERATOR, OTHER) == EVERYTHING
    assert _may(Actor(ME, "me", is_admin=True, token_role=TokenRole.READ), OTHER) == {READ}


def test_who_left_an_organization_does_not_keep_what_he_made_there() -> None:
    assert not rights.may_write(Actor(ME, "me"), ORG, creator_id=ME)
    assert not rights.may_write(Actor(ME, "me", orgs={ORG: OrgRole.READ}), ORG, creator_id=ME)


def test_a_refusal_says_why() -> None:
    with pytest.raises(Unauthorized):
        rights.require_admin(ANONYMOUS, ME)
    with pytest.raises(Forbidden, match="only read"):
        rights.require_admin(Actor(ME, "me", token_role=TokenRole.READ), ME)
    with pytest.raises(Forbidden, match="administrator"):
        rights.require_admin(Actor(ME, "me"), OTHER)
    rights.require_admin(Actor(ME, "me"), ME)
    with pytest.raises(Unauthorized):
        rights.require_signed_in(ANONYMOUS)
