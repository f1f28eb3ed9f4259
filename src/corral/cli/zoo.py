"""`corral zoo`: the repositories that Corral offers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from corral.cli.hub import Data, opened

if TYPE_CHECKING:
    from corral.context import Context
    from corral.starter.shelf import Offer

app = typer.Typer(help="Official models, data and Spaces.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(metavar="NAMES", help="As `corral zoo list` prints them.")]


@app.command("list")
def list_offers(data: Data = None) -> None:
    """Print what can be had: name, task, megabytes to download, licence, and whether it is here."""
    from corral.starter import shelf

    with opened(data) as ctx:
        for offer in shelf.offers():
            kind = offer.task or offer.rid.type.value
            state = "here" if shelf.is_here(ctx, offer) else "-"
            print(f"{offer.rid.name}\t{kind}\t{offer.megabytes} MB\t{offer.license}\t{state}")


@app.command()
def add(
    names: Names = None,
    everything: Annotated[bool, typer.Option(help="Add all that is not here.")] = False,
    data: Data = None,
) -> None:
    """Make these repositories exist, from the packages that ship them. Cut off, the next try goes on from there."""
    with opened(data) as ctx:
        offers = _chosen(names, everything)
        with _helped(ctx) as (endpoint, token):
            complete = _add(ctx, offers, endpoint, token)
    if not complete:
        raise typer.Exit(1)


@app.command()
def check(
    names: Names = None,
    everything: Annotated[bool, typer.Option(help="Check all models of the zoo.")] = False,
    data: Data = None,
) -> None:
    """Add these models if need be, have this hub run the first example of each, and print what they answer."""
    import importlib

    ask = importlib.import_module("zoo.ask")
    failed = False
    with opened(data) as ctx:
        models = [o for o in _chosen(names, everything) if o.task]
        with _helped(ctx) as (endpoint, token):
            failed = not _add(ctx, models, endpoint, token)
            for offer in models:
                answer = ask.first_example(endpoint, token, str(offer.rid))
                failed = failed or bool(answer.problem)
                print(f"{offer.rid}\t{answer.task}\t{answer.seconds:.1f} s\t{answer.summary}", flush=True)
    if failed:
        raise typer.Exit(1)


def _chosen(names: list[str] | None, everything: bool) -> list[Offer]:
    from corral.core.errors import BadRequest
    from corral.starter import shelf

    if not names and not everything:
        raise BadRequest("Say which ones (corral zoo list), or --everything.")
    return list(shelf.offers()) if everything else shelf.named(names or [])


@contextmanager
def _helped(ctx: Context) -> Iterator[tuple[str, str]]:
    """An address of this hub, and a token for it."""
    from corral.cli.beside import answering
    from corral.core.errors import Forbidden
    from corral.starter import access

    admin = access.any_admin(ctx)
    if admin is None:
        raise Forbidden("Nobody administers this hub: corral user create NAME --admin")
    with access.granted(ctx, admin) as token, answering(ctx.settings) as endpoint:
        yield endpoint, token


def _add(ctx: Context, offers: list[Offer], endpoint: str, token: str) -> bool:
    from corral.cli.starter import Helper
    from corral.starter import shelf

    helper = Helper(ctx)
    try:
        return helper.run(endpoint, token, [o.name for o in offers]) and all(shelf.is_here(ctx, o) for o in offers)
    except KeyboardInterrupt:
        helper.stop()
        print("The next try goes on from here.", file=sys.stderr)
        raise
