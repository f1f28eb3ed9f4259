from __future__ import annotations

from collections.abc import Callable

import pytest

from building.time import Time
from corral.catalogue import likes
from corral.catalogue.listing import listing_of
from corral.context import Context
from corral.core.actor import Actor, TokenRole
from corral.core.errors import Forbidden, NotFound, Unauthorized
from corral.core.ids import RepoType
from corral.repos.lookup import Repo

Make = Callable[..., Repo]


def count(ctx: Context, repo: Repo) -> int:
    return listing_of(ctx, [repo.id])[repo.id].likes


def test_liking_twice_is_liking_once(ann: Context, bob: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    likes.like(ann, repo)
    likes.like(bob, repo)
    likes.like(bob, repo)
    assert count(ann, repo) == 2
    assert likes.likes(bob, repo)
    likes.unlike(bob, repo)
    likes.unlike(bob, repo)
    assert count(ann, repo) == 1
    assert not likes.likes(bob, repo)


def test_likers_and_likes_come_newest_first_in_pages(ann: Context, bob: Context, make: Make, time: Time) -> None:
    first, second = make("a", "license: mit"), make("b", type=RepoType.DATASET)
    likes.like(bob, first)
    time.forward(1)
    likes.like(bob, second)
    likes.like(ann, second)
    assert [w.name for w in likes.likers(ann, second)] == ["bob", "ann"]
    page = likes.likers(ann, second, limit=1)
    assert [w.name for w in likes.likers(ann, second, before=(page[0].at, page[0].user_id))] == ["ann"]
    assert [str(one.rid) for one in likes.liked(ann, "BOB")] == ["ann/b", "ann/a"]
    newest = likes.liked(ann, "bob", limit=1)[0]
    assert [str(one.rid) for one in likes.liked(ann, "bob", before=(newest.at, newest.repo_id))] == ["ann/a"]


def test_a_private_repository_among_the_likes_is_seen_by_those_who_may_read_it(
    ctx: Context, ann: Context, bob: Context, make: Make
) -> None:
    repo = make("secret", private=True)
    likes.like(ann, repo)
    assert [str(one.rid) for one in likes.liked(ann, "ann")] == ["ann/secret"]
    assert likes.liked(bob, "ann") == []
    assert likes.liked(ctx, "ann") == []


def test_who_may_not_like(ctx: Context, ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    with pytest.raises(Unauthorized):
        likes.like(ctx, repo)
    reader = ctx.acting_as(Actor(ann.actor.account_id, "ann", token_role=TokenRole.READ))
    with pytest.raises(Forbidden):
        likes.like(reader, repo)
    with pytest.raises(NotFound):
        likes.liked(ctx, "nobody")
