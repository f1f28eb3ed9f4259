from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from sqlalchemy import select

from corral.accounts import orgs
from corral.accounts.people import Account
from corral.accounts.rights import OPERATOR
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor, OrgRole, TokenRole
from corral.core.errors import Forbidden, GatedRepo, RepoNotFound, Unauthorized
from corral.core.ids import RepoId, RepoType
from corral.repos import lifecycle, lookup
from corral.repos.lookup import Repo, RepoMoved, Right
from corral.storage import schema as t


def model(text: str) -> RepoId:
    return RepoId.parse(RepoType.MODEL, text)


@pytest.fixture
def hidden(ann: Context) -> Repo:
    """A private model of ann's."""
    return lifecycle.create(ann, model("ann/hidden"), private=True)


@pytest.fixture
def org(ctx: Context) -> Account:
    return orgs.create_org(ctx, "org")


Member = Callable[[OrgRole], Context]


@pytest.fixture
def member(ben: Context, org: Account) -> Member:
    """`member(role)` -> the hub as ben sees it who has this role in the organization."""
    return lambda role: ben.acting_as(replace(ben.actor, orgs={org.id: role}))


def rights_of(ctx: Context, repo: Repo) -> set[Right]:
    return {right for right in Right if lookup.may(ctx, repo, right)}


def test_a_repository_is_found_whatever_the_case(ann: Context) -> None:
    made = lifecycle.create(ann, model("ann/My-Model.v1"))
    for text in ("ann/My-Model.v1", "ANN/my-model.V1"):
        found = lookup.find(ann, model(text))
        assert (found.id, found.full_name) == (made.id, "ann/My-Model.v1")


def test_each_type_has_names_of_its_own(ann: Context, repo: Repo) -> None:
    data = lifecycle.create(ann, replace(repo.rid, type=RepoType.DATASET))
    assert lookup.find(ann, data.rid).id == data.id
    assert lookup.find(ann, repo.rid).id == repo.id
    with pytest.raises(RepoNotFound):
        lookup.find(ann, replace(repo.rid, type=RepoType.SPACE))


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize(
    "text",
    ["model", "/model", "ann/", "", "ann/mode", "ann/model2", "ann//model", "ann/model/x", "x/ann/model", "ann/model ",
     "ann/model\n", "ann/mod_l", "ann/%", "ann/model.git", "ben/model", "ann\\model", "ann/modél", "a" * 5000],
)  # fmt: skip
def test_other_ids_are_not_found(ann: Context, text: str) -> None:
    with pytest.raises(RepoNotFound):
        lookup.find(ann, model(text))


@pytest.mark.parametrize("right", Right)
def test_what_is_private_answers_like_what_is_absent(ann: Context, ben: Context, hidden: Repo, right: Right) -> None:
    for stranger in (ben, ann.acting_as(ANONYMOUS), ben.acting_as(replace(ben.actor, token_role=TokenRole.READ))):
        with pytest.raises(RepoNotFound) as shown:
            lookup.find(stranger, hidden.rid, right)
        with pytest.raises(RepoNotFound) as absent:
            lookup.find(stranger, model("ann/absent"), right)
        assert vars(shown.value) == vars(absent.value)
    for reader in (ann, ann.acting_as(OPERATOR)):
        assert lookup.find(reader, hidden.rid, right).id == hidden.id


@pytest.mark.parametrize(
    ("role", "own", "anothers"),
    [
        (OrgRole.READ, {Right.READ, Right.DOWNLOAD}, {Right.READ, Right.DOWNLOAD}),
        (OrgRole.CONTRIBUTOR, set(Right), {Right.READ, Right.DOWNLOAD}),
        (OrgRole.WRITE, set(Right), set(Right)),
        (OrgRole.ADMIN, set(Right), set(Right)),
    ],
)
def test_a_role_gives_rights_to_what_an_organization_keeps_private(
    ann: Context, org: Account, member: Member, role: OrgRole, own: set[Right], anothers: set[Right]
) -> None:
    boss = ann.acting_as(replace(ann.actor, orgs={org.id: OrgRole.ADMIN}))
    theirs = lifecycle.create(boss, model("org/theirs"), private=True)
    mine = lifecycle.create(member(OrgRole.CONTRIBUTOR), model("org/mine"), private=True)
    ben = member(role)
    assert rights_of(ben, mine) == own
    assert rights_of(ben, theirs) == anothers
    with_read_token = ben.acting_as(replace(ben.actor, token_role=TokenRole.READ))
    assert rights_of(with_read_token, mine) == {Right.READ, Right.DOWNLOAD}


def test_a_gated_repository_is_seen_by_all_and_downloaded_by_those_let_in(
    ann: Context, ben: Context, repo: Repo
) -> None:
    gated = lifecycle.configure(ann, repo, gated="manual")
    nobody = ann.acting_as(ANONYMOUS)
    for stranger, status, words in ((nobody, 401, "Please log in"), (ben, 403, "not in the authorized list")):
        assert lookup.find(stranger, repo.rid) == gated
        with pytest.raises(GatedRepo, match=words) as error:
            lookup.find(stranger, repo.rid, Right.DOWNLOAD)
        assert (error.value.status, error.value.code) == (status, "GatedRepo")
    assert lookup.find(ann, repo.rid, Right.DOWNLOAD) == gated


@pytest.mark.parametrize(("right", "words"), [(Right.WRITE, "files of"), (Right.ADMIN, "settings of")])
def test_a_refusal_says_what_is_missing(ann: Context, ben: Context, repo: Repo, right: Right, words: str) -> None:
    with pytest.raises(Unauthorized, match="Sign in"):
        lookup.find(ann.acting_as(ANONYMOUS), repo.rid, right)
    with pytest.raises(Forbidden, match=words):
        lookup.find(ben, repo.rid, right)
    with pytest.raises(Forbidden, match="only read"):
        lookup.find(ann.acting_as(replace(ann.actor, token_role=TokenRole.READ)), repo.rid, right)
    assert lookup.find(ann, repo.rid, right).id == repo.id


@pytest.mark.parametrize("right", Right)
def test_an_old_name_leads_to_the_new_one(ann: Context, ben: Context, repo: Repo, right: Right) -> None:
    lifecycle.rename(ann, repo, model("ann/New"))
    for reader in (ann, ben, ann.acting_as(ANONYMOUS)):
        with pytest.raises(RepoMoved) as moved:
            lookup.find(reader, model("ANN/Model"), right)
        assert (moved.value.old, moved.value.new) == (model("ANN/Model"), model("ann/New"))
        assert (moved.value.status, moved.value.message) == (307, "ANN/Model is now ann/New.")
    with pytest.raises(RepoNotFound):
        lookup.find(ann, replace(repo.rid, type=RepoType.DATASET), right)


def test_the_old_name_of_something_private_tells_nothing(ann: Context, ben: Context, hidden: Repo) -> None:
    lifecycle.rename(ann, hidden, model("ann/secret-name"))
    for stranger in (ben, ann.acting_as(ANONYMOUS)):
        with pytest.raises(RepoNotFound):
            lookup.find(stranger, hidden.rid)
    with pytest.raises(RepoMoved):
        lookup.find(ann, hidden.rid)


def test_queries_show_what_may_be_read(
    ann: Context, ben: Context, org: Account, member: Member, repo: Repo, hidden: Repo
) -> None:
    lifecycle.configure(ann, repo, gated="auto")
    lifecycle.create(ben, model("ben/hidden"), private=True)
    boss = ann.acting_as(replace(ann.actor, orgs={org.id: OrgRole.ADMIN}))
    for number, private in product((1, 2), (True, False)):
        lifecycle.create(boss, model(f"org/{number}-{private}"), private=private)
    actors = [ANONYMOUS, ann.actor, boss.actor, ben.actor, OPERATOR, Actor(10**6, "eve")]
    actors += [member(role).actor for role in OrgRole]
    actors += [replace(actor, token_role=TokenRole.READ) for actor in actors]
    with ann.db.read() as c:
        every = lookup.by_ids(ann, c.scalars(select(t.repos.c.id)))
    assert len(every) == 7
    seen = set()
    for actor in actors:
        ctx = ann.acting_as(actor)
        with ctx.db.read() as c:
            found = set(c.scalars(select(t.repos.c.id).where(lookup.visible(ctx))))
        assert found == {i for i, one in every.items() if lookup.may(ctx, one, Right.READ)}
        seen.add(len(found))
    assert seen == {3, 4, 6, 7}


def test_repositories_by_number(ctx: Context, repo: Repo, hidden: Repo) -> None:
    one, two = lookup.get(ctx, repo.id), lookup.get(ctx, hidden.id)
    assert one is not None
    assert two is not None
    assert (one.rid, two.rid, two.private) == (repo.rid, hidden.rid, True)
    assert lookup.get(ctx, 10**6) is None
    assert lookup.by_ids(ctx, [repo.id, 10**6, hidden.id, repo.id]) == {repo.id: one, hidden.id: two}
    assert lookup.by_ids(ctx, []) == {}
