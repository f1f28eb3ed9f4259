from __future__ import annotations

from collections.abc import Iterator

import pytest

from building.time import Time
from corral.accounts import passwords, people, sessions, signin, throttle
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor
from corral.core.errors import BadRequest, TooManyRequests, Unauthorized

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _no_failures_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(signin, "sign_ins", throttle.Throttle())
    yield


def test_a_person_signs_up_and_in_by_name_or_address(ctx: Context) -> None:
    ann = signin.sign_up(ctx, "Ann", "ann@example.org", PASSWORD)
    for name in ("Ann", "ann", " ANN ", "Ann@Example.org"):
        assert signin.sign_in(ctx, name, PASSWORD, "::1") == ann
    with pytest.raises(BadRequest):
        signin.sign_up(ctx, "bob", " ", PASSWORD)


def test_wrong_name_and_wrong_password_are_refused_alike(ctx: Context) -> None:
    signin.sign_up(ctx, "ann", "ann@example.org", PASSWORD)
    people.create_user(ctx, "robot")
    messages = set()
    for name, password in (("ann", "wrong horse"), ("bob", PASSWORD), ("robot", ""), ("ann", ""), ("", PASSWORD)):
        with pytest.raises(Unauthorized) as refused:
            signin.sign_in(ctx, name, password, "::1")
        messages.add(refused.value.message)
    assert len(messages) == 1


def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    # what is checked for nobody is a real hash, made at the costs of today
    assert not passwords.is_outdated(passwords._NOBODY)
    assert not passwords.verify(None, "wrong horse")


@pytest.mark.parametrize("password", ["short", "", "x" * 1025, "Annabella"])
def test_a_weak_password_is_refused(ctx: Context, password: str) -> None:
    with pytest.raises(BadRequest) as refused:
        signin.sign_up(ctx, "annabella", "ann@example.org", password)
    assert refused.value.code == "WeakPassword"
    assert people.find(ctx, "annabella") is None


def test_a_password_is_changed_by_who_knows_it_and_that_ends_every_session(ctx: Context) -> None:
    ann = signin.sign_up(ctx, "ann", "ann@example.org", PASSWORD)
    cookie = sessions.start(ctx, ann.id)
    as_ann = ctx.acting_as(Actor(ann.id, "ann"))
    with pytest.raises(Unauthorized):
        signin.change_password(as_ann, ann, "wrong horse", "battery staple")
    assert sessions.actor_of(ctx, cookie).name == "ann"
    signin.change_password(as_ann, ann, PASSWORD, "battery staple")
    assert sessions.actor_of(ctx, cookie) == ANONYMOUS
    assert signin.is_password(ctx, ann, "battery staple")
    assert not signin.is_password(ctx, ann, PASSWORD)


def test_a_hash_made_with_other_costs_is_made_again_at_sign_in(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = signin.sign_up(ctx, "ann", "ann@example.org", PASSWORD)
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1))
    assert signin.sign_in(ctx, "ann", PASSWORD, "::1") == ann
    from sqlalchemy import select

    from corral.storage import schema as t

    with ctx.db.read() as connection:
        stored = connection.scalar(select(t.accounts.c.password_hash))
    assert "m=8192,t=1" in stored


def test_guessing_is_slowed_for_the_guesser_and_not_for_the_owner(ctx: Context, time: Time) -> None:
    signin.sign_up(ctx, "ann", "ann@example.org", PASSWORD)
    for _ in range(5):
        with pytest.raises(Unauthorized):
            signin.sign_in(ctx, "ann", "wrong horse", "10.0.0.1")
    with pytest.raises(TooManyRequests) as refused:
        signin.sign_in(ctx, "ann", PASSWORD, "10.0.0.1")
    assert refused.value.status == 429
    assert int(refused.value.headers["Retry-After"]) == 1
    assert signin.sign_in(ctx, "ann", PASSWORD, "10.0.0.2").name == "ann"
    time.forward(1)
    assert signin.sign_in(ctx, "ann", PASSWORD, "10.0.0.1").name == "ann"


def test_each_further_failure_doubles_the_wait_up_to_the_window() -> None:
    guesses, now = throttle.Throttle(), 0
    waits = []
    for _ in range(18):
        while True:
            try:
                guesses.check("ann", "10.0.0.1", now)
                break
            except TooManyRequests as busy:
                waits.append(int(busy.headers["Retry-After"]))
                now += waits[-1] * 1000
        guesses.failed("ann", "10.0.0.1", now)
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert max(waits) <= 900


def test_one_address_cannot_try_many_names() -> None:
    guesses = throttle.Throttle()
    for number in range(30):
        guesses.check(f"user{number}", "10.0.0.1", 0)
        guesses.failed(f"user{number}", "10.0.0.1", 0)
    with pytest.raises(TooManyRequests):
        guesses.check("another", "10.0.0.1", 0)
    guesses.check("another", "10.0.0.2", 0)
