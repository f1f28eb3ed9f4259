from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from building.repos import write
from building.threads import in_threads
from building.time import Time
from corral.accounts import orgs, people
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor, OrgRole, TokenRole
from corral.core.errors import BadRequest, Conflict, Forbidden, NotFound, RepoNotFound, Unauthorized
from corral.core.ids import GIT_TYPES, RepoId, RepoType
from corral.repos import fsck, git, lifecycle, lookup, read, refs
from corral.repos.lookup import Repo, RepoMoved
from corral.storage import schema as t


def model(text: str) -> RepoId:
    return RepoId.parse(RepoType.MODEL, text)


def space(text: str) -> RepoId:
    return RepoId.parse(RepoType.SPACE, text)


def person(ctx: Context, name: str) -> Context:
    return ctx.acting_as(Actor(people.create_user(ctx, name).id, name))


def leads_to(ctx: Context, text: str) -> str:
    """The name that the model `text` has now."""
    try:
        return lookup.find(ctx, model(text)).full_name
    except RepoMoved as moved:
        return str(moved.new)


def events(ctx: Context, repo: Repo) -> list[str]:
    with ctx.db.read() as c:
        rows = c.execute(select(t.events.c.kind, t.events.c.payload).order_by(t.events.c.id)).all()
    return [row.kind for row in rows if row.payload["repo_id"] == repo.id]


def files(ctx: Context, repo: Repo) -> dict[str, str]:
    head = read.commit_of(ctx, repo, "main")
    return {e.path: read.read_file(ctx, repo, head, e.path).decode() for e in read.entries(ctx, repo, head)}


def test_a_new_repository_has_a_first_commit(ann: Context) -> None:
    made = lifecycle.create(ann, model("ANN/My-Model"))
    assert (made.full_name, made.private, made.gated, made.disabled) == ("ann/My-Model", False, None, False)
    assert (made.owner_id, made.creator_id) == (ann.actor.account_id, ann.actor.account_id)
    assert (made.created_at, made.updated_at) == (ann.clock(), ann.clock())
    (first,) = read.history(ann, made, read.commit_of(ann, made, "main"))
    assert (first.title, first.author.name, first.parents) == ("initial commit", "ann", ())
    assert list(files(ann, made)) == [".gitattributes"]
    assert events(ann, made) == ["repo.created", "repo.refs"]
    assert fsck.check(ann, deep=True) == []


def test_what_is_made_is_told_as_it_is_stored(ann: Context) -> None:
    for type in RepoType:
        made = lifecycle.create(ann, RepoId(type, "ann", "x"), sdk="static" if type is RepoType.SPACE else None)
        assert made == lookup.find(ann, made.rid)
        with ann.db.read() as c:
            assert made.used_storage == sum(c.scalars(select(t.packs.c.size).where(t.packs.c.repo_id == made.id)))
        assert (made.used_storage > 0) == (type in GIT_TYPES)


@pytest.mark.parametrize(
    ("type", "options", "expected"),
    [
        (RepoType.MODEL, {"license": "mit"}, {"README.md": "license: mit"}),
        (RepoType.DATASET, {}, {".gitattributes": "*.parquet filter=lfs"}),
        (RepoType.SPACE, {"sdk": "static"}, {"index.html": "<title>A Name</title>", "README.md": "sdk: static"}),
        (RepoType.SPACE, {"sdk": "gradio", "license": "mit"}, {"README.md": "app_file: app.py"}),
    ],
)
def test_what_it_holds_goes_by_its_type(
    ann: Context, type: RepoType, options: dict[str, Any], expected: dict[str, str]
) -> None:
    made = lifecycle.create(ann, RepoId(type, "ann", "a_name"), **options)
    found = files(ann, made)
    for path, words in expected.items():
        assert words in found[path]
    assert ("license: mit" in found.get("README.md", "")) == ("license" in options)
    assert made.sdk == options.get("sdk")


def test_a_bucket_has_no_git(ann: Context) -> None:
    made = lifecycle.create(ann, RepoId(RepoType.BUCKET, "ann", "bucket"))
    assert refs.all(ann, made.id) == {}
    assert events(ann, made) == ["repo.created"]
    assert list(ann.blobs.keys("packs/")) == []


@pytest.mark.usefixtures("repo")
def test_a_name_is_taken_whatever_its_case_but_by_its_type_alone(ann: Context) -> None:
    with pytest.raises(Conflict, match="You already created this model repo: ann/MODEL") as error:
        lifecycle.create(ann, model("Ann/MODEL"))
    assert error.value.code == "RepoExists"
    for type in (RepoType.DATASET, RepoType.SPACE, RepoType.BUCKET):
        lifecycle.create(ann, RepoId(type, "ann", "model"))


def test_of_many_who_create_one_name_one_does(ann: Context) -> None:
    done = in_threads(5, lambda _: lifecycle.create(ann, model("ann/x")))
    assert sorted(type(one).__name__ for one in done) == ["Conflict"] * 4 + ["Repo"]
    assert fsck.check(ann, deep=True) == []


def test_what_cannot_be_created_leaves_nothing(ann: Context) -> None:
    for text in ("ann/a--b", "ann/a b", "ann/x.git", "ann/é", "ann/"):
        with pytest.raises(BadRequest, match="repository name"):
            lifecycle.create(ann, model(text))
    for text in ("nobody/x", "x", "", "ann/x/y"):
        with pytest.raises(NotFound, match="no user or organization") as error:
            lifecycle.create(ann, model(text))
        assert error.value.code == "NamespaceNotFound"
    with ann.db.read() as c:
        assert c.scalars(select(t.repos.c.id)).all() == []
    assert list(ann.blobs.keys("packs/")) == []


def test_who_may_create(ann: Context, ben: Context) -> None:
    org = orgs.create_org(ann, "org")
    with pytest.raises(Unauthorized):
        lifecycle.create(ann.acting_as(ANONYMOUS), model("ann/x"))
    with pytest.raises(Forbidden, match="namespace 'ann'"):
        lifecycle.create(ben, model("ANN/x"))
    with pytest.raises(Forbidden, match="only read"):
        lifecycle.create(ann.acting_as(replace(ann.actor, token_role=TokenRole.READ)), model("ann/x"))
    with pytest.raises(Forbidden):
        lifecycle.create(ben.acting_as(replace(ben.actor, orgs={org.id: OrgRole.READ})), model("org/x"))
    made = lifecycle.create(ben.acting_as(replace(ben.actor, orgs={org.id: OrgRole.CONTRIBUTOR})), model("org/x"))
    assert (made.owner_id, made.creator_id) == (org.id, ben.actor.account_id)


def test_an_owner_may_keep_everything_private_unless_told_otherwise(ann: Context) -> None:
    org = orgs.create_org(ann, "org", default_private=True)
    boss = ann.acting_as(replace(ann.actor, orgs={org.id: OrgRole.ADMIN}))
    assert lifecycle.create(boss, model("org/a")).private
    assert not lifecycle.create(boss, model("org/b"), private=False).private
    assert not lifecycle.create(boss, model("ann/c")).private


def test_no_two_spaces_have_one_subdomain(ann: Context) -> None:
    one, two = person(ann, "a"), person(ann, "a-b")
    first = lifecycle.create(one, space("a/b-c"))
    second = lifecycle.create(two, space("a-b/c"))
    third = lifecycle.create(one, space("a/b.c"))
    assert first.subdomain == "a-b-c"
    assert second.subdomain == f"a-b-c-{second.object_id}"
    assert third.subdomain == f"a-b-c-{third.object_id}"
    assert lifecycle.create(one, model("a/b-c")).subdomain is None
    # whoever has it keeps it, and what is given up is free
    assert lifecycle.rename(one, first, space("a/B_C")).subdomain == "a-b-c"
    lifecycle.remove(one, first)
    assert lifecycle.rename(two, second, space("a-b/C")).subdomain == "a-b-c"


def test_a_subdomain_is_never_empty_nor_too_long(ann: Context) -> None:
    dash, long = person(ann, "_"), person(ann, "b" * 90)
    assert lifecycle.create(dash, space("_/_")).subdomain
    made = [lifecycle.create(long, space(f"{'b' * 90}/{number}")).subdomain or "" for number in range(3)]
    assert len(set(made)) == 3
    assert max(map(len, made)) == 63


def test_old_names_lead_to_the_newest(ann: Context, repo: Repo) -> None:
    second = lifecycle.rename(ann, repo, model("ann/second"))
    third = lifecycle.rename(ann, second, model("ann/third"))
    assert third.id == repo.id
    assert [leads_to(ann, name) for name in ("ann/model", "ANN/Second", "ann/third")] == ["ann/third"] * 3
    back = lifecycle.rename(ann, third, model("ann/model"))
    assert back == lookup.find(ann, model("ann/model"))
    assert [leads_to(ann, name) for name in ("ann/model", "ann/second", "ann/third")] == ["ann/model"] * 3
    assert events(ann, repo)[2:] == ["repo.changed"] * 3


def test_only_the_case_of_a_name_changes(ann: Context, repo: Repo) -> None:
    assert lifecycle.rename(ann, repo, model("Ann/MODEL")).full_name == "ann/MODEL"
    assert lookup.find(ann, model("ann/model")).full_name == "ann/MODEL"
    with ann.db.read() as c:
        assert c.execute(select(t.repo_redirects)).all() == []


def test_a_name_that_only_redirects_is_free(ann: Context, repo: Repo, other: Repo) -> None:
    second = lifecycle.rename(ann, repo, model("ann/second"))
    lifecycle.rename(ann, second, model("ann/third"))
    new = lifecycle.create(ann, model("ann/MODEL"))
    assert lookup.find(ann, model("ann/model")).id == new.id
    lifecycle.rename(ann, other, model("ann/second"))
    assert lookup.find(ann, model("ann/second")).id == other.id
    assert [leads_to(ann, name) for name in ("ann/model", "ann/other")] == ["ann/MODEL", "ann/second"]
    # and does not come back when it is free once more
    lifecycle.remove(ann, other)
    lifecycle.remove(ann, new)
    for name in ("ann/model", "ann/second", "ann/other"):
        with pytest.raises(RepoNotFound):
            lookup.find(ann, model(name))
    assert leads_to(ann, "ann/third") == "ann/third"


def test_a_name_that_is_taken_stays_so(ann: Context, repo: Repo, other: Repo) -> None:
    moved = lifecycle.rename(ann, repo, model("ann/second"))
    with pytest.raises(Conflict, match="ann/OTHER already exists"):
        lifecycle.rename(ann, moved, model("ann/OTHER"))
    # and nothing was changed on the way
    assert [leads_to(ann, name) for name in ("ann/model", "ann/second")] == ["ann/second"] * 2
    assert lookup.find(ann, other.rid).id == other.id


def test_a_repository_moves_with_its_rights_to_another_owner(ann: Context, ben: Context, repo: Repo) -> None:
    with pytest.raises(Forbidden, match="namespace 'ben'"):
        lifecycle.rename(ann, repo, model("ben/model"))
    with pytest.raises(Forbidden, match="settings of ann/model"):
        lifecycle.rename(ben, repo, model("ben/model"))
    with pytest.raises(BadRequest):
        lifecycle.rename(ann, repo, model("ann/a--b"))
    org = orgs.create_org(ann, "Org")
    both = ann.acting_as(replace(ann.actor, orgs={org.id: OrgRole.CONTRIBUTOR}))
    moved = lifecycle.rename(both, repo, model("org/model"))
    assert (moved.full_name, moved.owner_id, moved.creator_id) == ("Org/model", org.id, ann.actor.account_id)
    assert leads_to(ben, "ann/model") == "Org/model"
    with pytest.raises(Forbidden):
        lifecycle.remove(ann, moved)


def test_a_type_does_not_change(ann: Context, repo: Repo) -> None:
    assert lifecycle.rename(ann, repo, space("ann/x")).rid == model("ann/x")


def test_settings_change_one_by_one(ann: Context, ben: Context, repo: Repo) -> None:
    changed = lifecycle.configure(ann, repo, private=True, gated="auto")
    assert (changed.private, changed.gated) == (True, "auto")
    changed = lifecycle.configure(ann, changed, private=False)
    assert (changed.private, changed.gated) == (False, "auto")
    changed = lifecycle.configure(ann, changed, gated=False, sdk="gradio")
    assert (changed.gated, changed.sdk) == (None, "gradio")
    assert lifecycle.configure(ann, changed) is changed
    assert events(ann, repo)[2:] == ["repo.changed"] * 3
    with pytest.raises(Forbidden):
        lifecycle.configure(ben, changed, private=True)
    assert lookup.find(ann, repo.rid) == changed


def test_what_is_deleted_is_gone_with_all_its_names(ann: Context, ben: Context, repo: Repo) -> None:
    moved = lifecycle.rename(ann, repo, model("ann/new"))
    with pytest.raises(Forbidden):
        lifecycle.remove(ben, moved)
    cache = git.bare(ann, repo.id)
    lifecycle.remove(ann, moved)
    for name in ("ann/model", "ann/new"):
        with pytest.raises(RepoNotFound):
            lookup.find(ann, model(name))
    assert not cache.exists()
    with ann.db.read() as c:
        for table in (t.refs, t.packs, t.repo_redirects):
            assert c.execute(select(table).where(table.c.repo_id == repo.id)).all() == []
    assert events(ann, repo)[-1] == "repo.deleted"
    assert fsck.check(ann, deep=True) == []


def test_what_was_deleted_meanwhile_is_not_found(ann: Context, repo: Repo) -> None:
    lifecycle.remove(ann, repo)
    before = events(ann, repo)
    for name in ("ann/new", "ann/MODEL"):
        with pytest.raises(RepoNotFound):
            lifecycle.rename(ann, repo, model(name))
    with pytest.raises(RepoNotFound):
        lifecycle.configure(ann, repo, private=True, gated="auto")
    assert events(ann, repo) == before
    with ann.db.read() as c:
        assert c.execute(select(t.repo_redirects)).all() == []


def test_a_name_that_is_used_again_starts_anew(ann: Context, repo: Repo) -> None:
    old = write(ann, repo, {"secret": "text"})
    assert "secret" in files(ann, repo)
    lifecycle.remove(ann, repo)
    again = lifecycle.create(ann, repo.rid)
    assert (again.id, again.object_id) != (repo.id, repo.object_id)
    assert list(files(ann, again)) == [".gitattributes"]
    with pytest.raises(NotFound):
        read.commit_of(ann, again, old)


def test_an_owners_repositories_newest_first(ann: Context, ben: Context, repo: Repo, other: Repo, time: Time) -> None:
    time.forward(1)
    hidden = lifecycle.create(ann, model("ann/hidden"), private=True)
    time.forward(1)
    write(ann, repo, {"a": "text"})
    assert [one.id for one in lifecycle.of_owner(ann, repo.owner_id)] == [repo.id, hidden.id, other.id]
    assert [one.id for one in lifecycle.of_owner(ben, repo.owner_id)] == [repo.id, other.id]
    assert lifecycle.of_owner(ann, 10**6) == []
