"""Run by Alembic for each command, on the connection that `storage.migrate` opened."""

from __future__ import annotations

from alembic import context

from corral.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    compare_type=True,
)
context.run_migrations()
