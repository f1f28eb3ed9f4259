from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from building.time import Time
from corral.accounts import people
from corral.context import Context
from corral.core.actor import Actor
from corral.core.events import EVENTS, Event, RepoCreated
from corral.core.ids import RepoId, RepoType
from corral.repos import commits, lifecycle
from corral.repos.commits import AddFile, Header
from corral.server import wiring
from corral.server.wiring import Outbox
from corral.storage import schema as t
from corral.storage.database import Database


class Heard:
    """A reaction that remembers what it was given, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures = 0

    def __call__(self, ctx: Context, event: Event) -> None:
        self.events.append(event)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the reaction fails")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    made = Heard()
    monkeypatch.setitem(wiring.REACTIONS, RepoCreated, (made,))
    return made


@pytest.fixture
def outbox(ctx: Context) -> Outbox:
    return Outbox(ctx)


@pytest.fixture
def hub(ctx: Context, outbox: Outbox) -> Context:
    return replace(ctx, on_events=outbox.deliver)


def record(ctx: Context, *numbers: int) -> list[int]:
    with ctx.change() as change:
        for number in numbers:
            change.record(RepoCreated(number))
    return change.recorded


def attempts(ctx: Context) -> list[int]:
    with ctx.db.read() as c:
        return list(c.scalars(select(t.events.c.attempts).order_by(t.events.c.id)))


def test_an_event_is_delivered_when_its_change_is_done(hub: Context, heard: Heard) -> None:
    with hub.change() as change:
        change.record(RepoCreated(1))
        change.record(RepoCreated(2))
        assert heard.events == []
    assert heard.events == [RepoCreated(1), RepoCreated(2)]
    assert attempts(hub) == []


def test_each_caller_has_its_own_events_delivered(hub: Context, heard: Heard) -> None:
    barrier = threading.Barrier(6)

    def change(number: int) -> bool:
        barrier.wait()
        record(hub, number)
        return RepoCreated(number) in heard.events

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(change, range(6)))
    assert sorted(event.repo_id for event in heard.events) == list(range(6))


def test_of_several_deliverers_one_delivers(ctx: Context, outbox: Outbox, heard: Heard) -> None:
    numbers = record(ctx, *range(10))
    barrier = threading.Barrier(5)

    def deliver(_: int) -> None:
        barrier.wait()
        outbox.deliver(numbers)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(deliver, range(5)))
    assert sorted(event.repo_id for event in heard.events) == list(range(10))
    assert attempts(ctx) == []


def test_a_failure_is_tried_again_later_and_fails_no_change(
    hub: Context, outbox: Outbox, heard: Heard, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    heard.failures = 2
    with caplog.at_level(logging.ERROR):
        record(hub, 1)
    assert "A reaction to repo.created failed" in caplog.text
    outbox.deliver_left()
    assert len(heard.events) == 1
    time.forward(16)
    outbox.deliver_left()
    assert len(heard.events) == 2
    # longer and longer
    time.forward(16)
    outbox.deliver_left()
    assert len(heard.events) == 2
    time.forward(60)
    outbox.deliver_left()
    assert len(heard.events) == 3
    assert attempts(hub) == []


def test_a_hopeless_event_is_left_alone_at_last(ctx: Context, outbox: Outbox, heard: Heard, time: Time) -> None:
    heard.failures = 100
    record(ctx, 1)
    for _ in range(30):
        time.forward(3 * 86_400)
        outbox.deliver_left()
    assert len(heard.events) == 8
    assert attempts(ctx) == [8]


def test_what_a_crash_left_undelivered_is_delivered(ctx: Context, outbox: Outbox, heard: Heard, time: Time) -> None:
    # committed, and the process died before it delivered
    record(ctx, 1)
    outbox.deliver_left()
    assert heard.events == []
    time.forward(16)
    outbox.deliver_left()
    assert heard.events == [RepoCreated(1)]


def test_an_event_that_this_version_does_not_know_holds_up_no_other(
    ctx: Context, outbox: Outbox, heard: Heard, time: Time
) -> None:
    with ctx.db.write() as c:
        c.execute(insert(t.events).values(kind="of the future", payload={}, created_at=time(), attempts=0))
    record(ctx, 1)
    time.forward(16)
    outbox.deliver_left()
    assert heard.events == [RepoCreated(1)]
    assert attempts(ctx) == [1]


def test_a_commit_stands_when_the_outbox_breaks(ctx: Context, tmp_path: Path) -> None:
    ann = ctx.acting_as(Actor(people.create_user(ctx, "ann").id, "ann"))
    # a database without tables
    broken = Outbox(replace(ctx, db=Database(f"sqlite:///{tmp_path}/empty.db")))
    made = lifecycle.create(replace(ann, on_events=broken.deliver), RepoId(RepoType.MODEL, "ann", "model"))
    assert made.full_name == "ann/model"


def test_whoever_pushes_a_card_finds_it_in_the_catalogue(hub: Context) -> None:
    ann = hub.acting_as(Actor(people.create_user(hub, "ann").id, "ann"))
    repo = lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))
    card = b"---\nlicense: mit\n---\nA model."
    oid = commits.commit(ann, repo, "main", Header("card"), [AddFile("README.md", card)]).oid
    with ann.db.read() as c:
        row = c.execute(select(t.listings.c.sha, t.listings.c.license).where(t.listings.c.repo_id == repo.id)).one()
    assert tuple(row) == (oid, "mit")


def test_every_kind_of_event_has_its_reactions() -> None:
    assert set(wiring.REACTIONS) == set(EVENTS.values())


def test_models_are_read_again_once_when_other_engines_run_them(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = ctx.acting_as(Actor(people.create_user(ctx, "ann").id, "ann"))
    repo = lifecycle.create(ann, RepoId(RepoType.MODEL, "ann", "model"))
    lifecycle.create(ann, RepoId(RepoType.DATASET, "ann", "data"))
    with ctx.db.write() as c:
        c.execute(t.events.delete())
    wiring.notice_new_engines(ctx)
    wiring.notice_new_engines(ctx)
    query = select(t.events.c.kind, t.events.c.payload)
    with ctx.db.read() as c:
        assert [(kind, payload["repo_id"]) for kind, payload in c.execute(query)] == [("repo.reread", repo.id)]
    monkeypatch.setattr(wiring, "LIBRARIES", dict(list(wiring.LIBRARIES.items())[1:]))
    wiring.notice_new_engines(ctx)
    with ctx.db.read() as c:
        assert len(c.execute(query).all()) == 2
