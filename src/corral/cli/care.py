"""Commands that keep a hub healthy: `migrate` and `doctor`."""

from __future__ import annotations

import typer

from corral.cli.hub import Data, settings


def add_to(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(doctor)


def migrate(data: Data = None) -> None:
    """Bring the database to the newest form. `corral serve` does this by itself."""
    from corral.storage.database import Database
    from corral.storage.migrate import upgrade

    db = Database(settings(data=data).database_url)
    print("The database was brought up to date." if upgrade(db) else "The database is up to date.")
    db.close()


def doctor(data: Data = None) -> None:
    """Check what the hub needs on this machine, and say what to do about what is missing."""
    from corral.cli.doctor import examine

    faults = 0
    for finding in examine(settings(data=data)):
        mark = {True: "ok     ", False: "FAULT  ", None: "note   "}[finding.fine]
        print(f"{mark}{finding.text}")
        faults += finding.fine is False
    if faults:
        raise typer.Exit(1)
