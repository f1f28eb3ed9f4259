"""Brings a database to the newest form of the tables.

`upgrade` runs at every start and is safe from several processes at once. A new migration is written by
`make migration m="what changes"` from the difference between `schema.py` and the migrations before; read it through
before it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from corral.storage.database import Database

_FOLDER = Path(__file__).parent / "migrations"
#: any number that no other program takes as its lock in the same PostgreSQL database
_ADVISORY_LOCK = 0x636F7272616C


def upgrade(db: Database) -> bool:
    """Apply the migrations that the database lacks, all or none. Returns whether there were any.

    Raises alembic.util.CommandError when the database was made by a newer Corral.
    """
    config = _config()
    newest = set(ScriptDirectory.from_config(config).get_heads())
    with db.read() as connection:
        if _present(connection) == newest:
            return False
    with db.write() as connection:  # on SQLite this holds the only write lock
        if not db.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if _present(connection) == newest:
            return False
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def generate(message: str) -> None:
    """Write a migration for what `schema.py` has and the migrations so far have not."""
    config = _config()
    number = f"{len(list((_FOLDER / 'versions').glob('*.py'))) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/empty.db")
        upgrade(db)
        with db.write() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True, rev_id=number)
        db.close()


def _present(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


if __name__ == "__main__":
    generate(sys.argv[1])
