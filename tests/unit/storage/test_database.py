from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.context import Context
from corral.core.events import RepoCreated
from corral.storage import schema as t
from corral.storage.database import Database

HERE = t.instance.c.key == "count"


def put(c: Connection, key: str, value: str = "0") -> None:
    c.execute(insert(t.instance).values(key=key, value=value))


def keys(db: Database) -> list[str]:
    with db.read() as c:
        return sorted(c.scalars(select(t.instance.c.key)))


def test_a_transaction_commits_when_its_block_ends(db: Database) -> None:
    with db.write() as c:
        put(c, "a")
        put(c, "b")
    assert keys(db) == ["a", "b"]


def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as c:
        put(c, "a")
        raise ZeroDivisionError
    with pytest.raises(IntegrityError), db.write() as c:
        put(c, "b")
        put(c, "b")
    assert keys(db) == []
    # the connection is fit for the next one
    with db.write() as c:
        put(c, "c")
    assert keys(db) == ["c"]


def test_a_savepoint_that_fails_leaves_the_rest(db: Database) -> None:
    with db.write() as c:
        put(c, "a")
        with pytest.raises(IntegrityError), c.begin_nested():
            put(c, "b")
            put(c, "a")
        put(c, "c")
    assert keys(db) == ["a", "c"]


def test_a_read_sees_one_state(db: Database) -> None:
    with db.read() as c:
        before = c.scalar(select(func.count()).select_from(t.instance))
        with db.write() as other:
            put(other, "a")
        assert c.scalar(select(func.count()).select_from(t.instance)) == before == 0
    assert keys(db) == ["a"]


def test_a_read_changes_nothing(db: Database) -> None:
    with db.read() as c:
        try:
            put(c, "a")
        except Exception as error:
            # PostgreSQL says no at once
            assert "read-only" in str(error)
    assert keys(db) == []


def test_a_write_after_reads_may_write(db: Database) -> None:
    # connections come from one pool: what a reader set must not stay with one
    for number in range(5):
        assert len(keys(db)) == number
        with db.write() as c:
            put(c, f"{number}")


def test_writers_in_many_threads_lose_nothing(db: Database) -> None:
    with db.write() as c:
        put(c, "count")
    barrier = threading.Barrier(6)

    def count(_: int) -> None:
        barrier.wait()
        for _ in range(10):
            with db.write() as c:
                value = c.scalar(select(t.instance.c.value).where(HERE).with_for_update())
                c.execute(update(t.instance).where(HERE).values(value=str(int(value or 0) + 1)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(6)))
    with db.read() as c:
        assert c.scalar(select(t.instance.c.value).where(HERE)) == "60"


def test_readers_do_not_wait_for_a_writer(db: Database) -> None:
    with db.write() as c:
        put(c, "a")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(keys, db).result(timeout=10) == []
    assert keys(db) == ["a"]


def test_foreign_keys_hold(db: Database) -> None:
    with pytest.raises(IntegrityError), db.write() as c:
        c.execute(insert(t.refs).values(repo_id=12345, name="refs/heads/main", oid="0" * 40))


def test_json_comes_back_as_it_was(db: Database) -> None:
    payload = {"a": [1, None, True, 1.5], "ü\u2028": {"": "🐎"}}
    with db.write() as c:
        c.execute(insert(t.events).values(kind="x", payload=payload, created_at=2**42, attempts=0))
    with db.read() as c:
        row = c.execute(select(t.events.c.payload, t.events.c.created_at)).one()
    assert tuple(row) == (payload, 2**42)


def test_events_go_with_their_change_and_are_announced_after_it(ctx: Context) -> None:
    seen: list[list[int]] = []

    def announce(numbers: Sequence[int]) -> None:
        with ctx.db.read() as c:
            seen.append(list(c.scalars(select(t.events.c.id).order_by(t.events.c.id))))
        assert seen[-1] == list(numbers)

    hub = replace(ctx, on_events=announce)
    with hub.change() as change:
        change.record(RepoCreated(1))
        change.record(RepoCreated(2))
        assert seen == []
    assert len(seen[0]) == 2
    with pytest.raises(ZeroDivisionError), hub.change() as change:
        change.record(RepoCreated(3))
        raise ZeroDivisionError
    with hub.change():
        pass
    assert len(seen) == 1
