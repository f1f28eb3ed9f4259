"""Insert rows unless they are there: said alike by SQLite and PostgreSQL, but spelled in two modules of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert those of `rows` whose primary key or unique columns are not taken; leave the others as they are.

    Unlike looking first, this also holds while somebody else inserts the same row. Returns how many were inserted.
    """
    if not rows:
        return 0
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # drivers do not count what many inserts at once did: the rows themselves do
    statement = insert(table).on_conflict_do_nothing().returning(table.primary_key.columns[0])
    return len(connection.execute(statement, list(rows)).all())
