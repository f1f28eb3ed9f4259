from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from corral.core.errors import Conflict
from corral.storage.database import Database
from corral.storage.migrate import upgrade
from corral.storage.schema import metadata


def test_the_migrations_lead_to_the_tables_of_the_schema(database_url: str) -> None:
    db = Database(database_url)
    assert upgrade(db)
    with db.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    assert not upgrade(db)
    db.close()


def test_a_newer_corrals_database_is_left_alone(db: Database) -> None:
    with db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="newer"):
        upgrade(db)


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(upgrade, databases)) == [False, False, False, True]
    for db in databases:
        db.close()
