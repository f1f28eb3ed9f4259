"""Brings a database to the newest form of the tables.

`upgrade` runs at every start and is safe from several processes at once. A new migration is written by
`make migration m="what changes"` from the difference between `schema.py` and the migrations before; read it through
before it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from corral.core.errors import Conflict
from corral.storage.database import Database

if TYPE_CHECKING:
    # loaded only when there is something to do: most starts find the database as it should be
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
#: any number that no other program takes as its lock in the same PostgreSQL database
_ADVISORY_LOCK = 0x636F7272616C


def upgrade(db: Database) -> bool:
    """Apply the migrations that the database lacks, all or none. Returns whether there were any.

    Raises Conflict when the database was made by a newer Corral.
    """
    newest = _numbers()[-1]
    with db.read() as connection:
        present = _present(connection)
    if present == newest:
        return False
    if present is not None and present > newest:
        raise Conflict(
            f"A newer Corral made this database (its tables are number {present}, this one knows {newest}): "
            "run that version, or a backup of before."
        )

    from alembic import command

    with db.write() as connection:  # on SQLite this holds the only write lock
        if not db.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if _present(connection) == newest:
            return False
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def generate(message: str) -> None:
    """Write a migration for what `schema.py` has and the migrations so far have not."""
    from alembic import command

    config = _config()
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/empty.db")
        if _numbers():
            upgrade(db)
        with db.write() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True, rev_id=f"{len(_numbers()) + 1:04d}")
        db.close()


def _numbers() -> list[str]:
    """The migrations in order: each is named by its number and what it does."""
    return sorted(file.name[:4] for file in (_FOLDER / "versions").glob("[0-9]*.py"))


def _present(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    number: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return number


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


if __name__ == "__main__":
    generate(sys.argv[1])
