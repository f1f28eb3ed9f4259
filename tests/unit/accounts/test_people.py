from __future__ import annotations

import pytest

from corral.accounts import people, rights
from corral.context import Context
from corral.core.actor import Actor
from corral.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized


def test_an_account_is_found_without_regard_to_case_and_keeps_its_own(ctx: Context) -> None:
    made = people.create_user(ctx, "Ann", "correct horse", email="Ann@Example.org", fullname=" Ann A. ")
    found = people.find(ctx, "aNN")
    assert found == made
    assert (made.name, made.fullname, made.email, made.kind) == ("Ann", "Ann A.", "Ann@Example.org", "user")
    assert len(made.object_id) == 24
    assert people.by_ids(ctx, [made.id, made.id, 10**6]) == {made.id: made}
    assert people.find(ctx, "bob") is None


@pytest.mark.parametrize("name", ["ANN", "ann"])
def test_a_name_is_taken_in_every_case(ctx: Context, name: str) -> None:
    people.create_user(ctx, "Ann")
    with pytest.raises(Conflict, match="taken"):
        people.create_user(ctx, name)


def test_an_address_is_taken_in_every_case(ctx: Context) -> None:
    people.create_user(ctx, "ann", email="ann@example.org")
    with pytest.raises(Conflict):
        people.create_user(ctx, "bob", email="ANN@example.org")
    assert people.find(ctx, "bob") is None
    # nobody's address is nobody else's
    people.create_user(ctx, "carl")
    people.create_user(ctx, "dora")


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a b", "-a", "a-", ".a", "a--b", "a..b", "x.git", "ä", "a\n", "a" * 97, "datasets", "API", "admin"],
)
def test_a_name_that_is_not_allowed_is_refused(ctx: Context, name: str) -> None:
    with pytest.raises(BadRequest):
        people.create_user(ctx, name)
    with pytest.raises(NotFound):
        people.find_user(ctx, name)


@pytest.mark.parametrize("name", ["admin", "__DUMMY_HUB_USER__"])
def test_an_administrator_may_give_out_names_that_sign_up_may_not(ctx: Context, name: str) -> None:
    assert people.create_user(ctx, name, email="a@example.org", trusted=True).email_verified
    with pytest.raises(BadRequest):
        people.create_user(ctx, "datasets", trusted=True)


def test_an_address_typed_at_sign_up_is_not_verified_nor_is_a_changed_one(ctx: Context) -> None:
    ann = people.create_user(ctx, "ann", email="a@example.org")
    assert not ann.email_verified
    bob = people.create_user(ctx, "bob", email="b@example.org", trusted=True)
    as_bob = ctx.acting_as(Actor(bob.id, "bob"))
    assert people.update_profile(as_bob, bob, email="b@example.org", bio="x").email_verified
    assert not people.update_profile(as_bob, bob, email="c@example.org").email_verified


def test_a_profile_is_changed_by_its_owner_and_by_the_operator_only(ctx: Context) -> None:
    ann, bob = people.create_user(ctx, "ann"), people.create_user(ctx, "bob")
    as_ann = ctx.acting_as(Actor(ann.id, "ann"))
    assert people.update_profile(as_ann, ann, bio="I like trees", website="https://ann.example").bio == "I like trees"
    # what is not given stays, what is empty is emptied
    assert people.update_profile(ctx.acting_as(rights.OPERATOR), ann, website="").website == ""
    assert people.get(ctx, ann.id).bio == "I like trees"
    with pytest.raises(Forbidden):
        people.update_profile(ctx.acting_as(Actor(bob.id, "bob")), ann, bio="no")
    with pytest.raises(Unauthorized):
        people.update_profile(ctx, ann, bio="no")


@pytest.mark.parametrize("website", ["javascript:alert(1)", "ftp://x", "https://a b", "https://a\nb"])
def test_a_website_that_a_page_could_not_safely_link_to_is_refused(ctx: Context, website: str) -> None:
    ann = people.create_user(ctx, "ann")
    with pytest.raises(BadRequest):
        people.update_profile(ctx.acting_as(Actor(ann.id, "ann")), ann, website=website)
