"""`corral`: runs the hub and administers it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from corral import __version__
from corral.cli import care, orgs, tokens, users, zoo
from corral.cli.hub import Data
from corral.core.errors import HubError


class _Commands(TyperGroup):
    """Turns refusals into one sentence on stderr and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HubError as error:
            print(f"corral: {error.message}", file=sys.stderr)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    name="corral",
    help="A self-hosted hub for machine learning that speaks Hugging Face's protocols.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(users.app, name="user")
app.add_typer(orgs.app, name="org")
app.add_typer(tokens.app, name="token")
app.add_typer(zoo.app, name="zoo")
care.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    del version


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1; 0.0.0.0 for all).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (7070).")] = None,
    data: Data = None,
    workers: Annotated[int | None, typer.Option(help="Web processes (1).")] = None,
    starter: Annotated[
        bool,
        typer.Option(envvar="CORRAL_STARTER", help="Whether a new hub is filled with models, a data set and a Space."),
    ] = True,
) -> None:
    """Run the hub. The first start makes an administrator and fills the hub with starter content."""
    from corral.cli.hub import settings
    from corral.cli.start import run

    run(settings(data=data, host=host, port=port, workers=workers), starter=starter)


@app.command()
def provision(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML; see docs/reference/provision.md.")],
    data: Data = None,
) -> None:
    """Make the listed users, organizations, OAuth apps and repositories exist. Running it twice changes nothing."""
    from dataclasses import replace

    from corral.cli.hub import opened
    from corral.cli.provision import apply, read
    from corral.server.wiring import Outbox

    wanted = read(file)
    with opened(data) as ctx:
        ctx = replace(ctx, on_events=Outbox(ctx).deliver)
        changes = 0
        for line in apply(ctx, wanted, file.parent):
            print(line)
            changes += 1
        print(f"{changes} changes." if changes else "Nothing to change.", file=sys.stderr)
