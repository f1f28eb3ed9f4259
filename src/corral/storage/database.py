"""Rows: one engine for SQLite (embedded) or PostgreSQL, and the two ways to use it, `read` and `write`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

Row = Any


class Database:
    """Connections to one database. Use `read()` for queries and `write()` for a transaction that commits on exit.

    On SQLite a write transaction takes the write lock when it begins (BEGIN IMMEDIATE), so that it never fails
    half-way because another writer came in between; every commit is synced to disk (synchronous=FULL).
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed
        self.is_sqlite = parsed.drivername.startswith("sqlite")
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        # A PostgreSQL server takes 100 connections unless told otherwise, from all web processes together. No thread
        # holds two at a time, so those that find none wait their turn and cannot lock each other out.
        options: dict[str, Any] = {"pool_size": 8, "max_overflow": 56 if self.is_sqlite else 16}
        options |= {"json_serializer": _to_json, "json_deserializer": orjson.loads}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 30, "check_same_thread": False}
        self.engine: Engine = create_engine(parsed, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(corral_write=True)
        # one state for all queries of a read, as SQLite has it anyway
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine.execution_options(**snapshot)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database and changes nothing."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        with self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def _to_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # transactions are begun by _begin_sqlite, not by the driver
    connection.isolation_level = None
    cursor = connection.cursor()
    _write_ahead(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "cache_size=-65536"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch a new database to its write-ahead log; SQLite does not wait for another process that does so too."""
    until = time.monotonic() + 30
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("corral_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
