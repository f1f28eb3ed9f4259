from __future__ import annotations

import pytest

from corral.accounts import orgs, people, rights
from corral.context import Context
from corral.core.actor import Actor, OrgRole
from corral.core.errors import BadRequest, Conflict, Forbidden


def test_members_have_roles_that_can_be_changed_and_taken(ctx: Context) -> None:
    ann, bob = people.create_user(ctx, "ann"), people.create_user(ctx, "bob")
    labs = orgs.create_org(ctx, "Labs", fullname="The labs", admin_id=ann.id, default_private=True)
    assert labs.is_org
    assert labs.default_private
    as_ann = ctx.acting_as(Actor(ann.id, "ann", orgs={labs.id: OrgRole.ADMIN}))
    orgs.set_member(as_ann, labs, bob, OrgRole.READ)
    orgs.set_member(as_ann, labs, bob, OrgRole.WRITE)
    assert [(m.account.name, m.role) for m in orgs.members(ctx, labs)] == [("ann", "admin"), ("bob", "write")]
    assert [(m.account.name, m.role) for m in orgs.orgs_of(ctx, bob.id)] == [("Labs", "write")]
    orgs.remove_member(as_ann, labs, bob)
    assert orgs.orgs_of(ctx, bob.id) == []


def test_only_administrators_let_people_in_and_everybody_may_leave(ctx: Context) -> None:
    ann, bob = people.create_user(ctx, "ann"), people.create_user(ctx, "bob")
    labs = orgs.create_org(ctx, "labs", admin_id=ann.id)
    orgs.set_member(ctx.acting_as(rights.OPERATOR), labs, bob, OrgRole.WRITE)
    as_bob = ctx.acting_as(Actor(bob.id, "bob", orgs={labs.id: OrgRole.WRITE}))
    with pytest.raises(Forbidden):
        orgs.set_member(as_bob, labs, bob, OrgRole.ADMIN)
    with pytest.raises(Forbidden):
        orgs.remove_member(as_bob, labs, ann)
    orgs.remove_member(as_bob, labs, bob)
    assert [m.account.name for m in orgs.members(ctx, labs)] == ["ann"]


def test_the_last_administrator_neither_leaves_nor_steps_down(ctx: Context) -> None:
    ann, bob = people.create_user(ctx, "ann"), people.create_user(ctx, "bob")
    labs = orgs.create_org(ctx, "labs", admin_id=ann.id)
    operator = ctx.acting_as(rights.OPERATOR)
    orgs.set_member(operator, labs, bob, OrgRole.WRITE)
    with pytest.raises(Conflict, match="administrator"):
        orgs.remove_member(operator, labs, ann)
    with pytest.raises(Conflict, match="administrator"):
        orgs.set_member(operator, labs, ann, OrgRole.READ)
    assert {m.role for m in orgs.members(ctx, labs)} == {OrgRole.ADMIN, OrgRole.WRITE}


def test_an_organization_is_no_member_and_shares_the_names_of_users(ctx: Context) -> None:
    ann = people.create_user(ctx, "ann")
    labs = orgs.create_org(ctx, "labs", admin_id=ann.id)
    operator = ctx.acting_as(rights.OPERATOR)
    with pytest.raises(BadRequest):
        orgs.set_member(operator, labs, labs, OrgRole.READ)
    with pytest.raises(BadRequest):
        orgs.set_member(operator, ann, ann, OrgRole.READ)
    with pytest.raises(Conflict):
        people.create_user(ctx, "LABS")
    with pytest.raises(Conflict):
        orgs.create_org(ctx, "Ann")
