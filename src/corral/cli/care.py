"""Commands that keep a hub healthy: `migrate`, `fsck`, `gc` and `doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from corral.cli.hub import Data, opened, settings


def add_to(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(fsck)
    app.command()(gc)
    app.command()(doctor)


def migrate(data: Data = None) -> None:
    """Bring the database to the newest form. `corral serve` does this by itself."""
    from corral.storage.database import Database
    from corral.storage.migrate import upgrade

    db = Database(settings(data=data).database_url)
    print("The database was brought up to date." if upgrade(db) else "The database is up to date.")
    db.close()


def fsck(
    deep: Annotated[bool, typer.Option("--deep", help="Read every byte and compare its hash, too.")] = False,
    data: Data = None,
) -> None:
    """Check that everything is whole. Names each fault, and ends with status 1 if there is one."""
    from corral.repos.fsck import check

    with opened(data) as ctx:
        faults = check(ctx, deep)
    for fault in faults:
        print(fault)
    if faults:
        raise typer.Exit(1)
    print("Everything is whole.")


def gc(
    grace: Annotated[
        float | None,
        typer.Option(min=0, help="Days that what nothing needs is kept (28). With 0 the hub must not be running."),
    ] = None,
    data: Data = None,
) -> None:
    """Remove what nothing needs any more, and join the small packs of busy repositories. May run beside the hub."""
    from corral.repos.gc import GRACE, collect

    with opened(data) as ctx:
        report = collect(ctx, GRACE if grace is None else grace * 24 * 3600)
    for name, value in asdict(report).items():
        print(f"{name.replace('_', ' ')}\t{value}")


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
