"""`corral token`."""

from __future__ import annotations

from typing import Annotated

import typer

from corral.cli.hub import Data, opened
from corral.core.actor import TokenRole

app = typer.Typer(help="Access tokens.", no_args_is_help=True)
User = Annotated[str, typer.Argument(help="The user whose token it is.")]


@app.command()
def create(
    user: User,
    role: Annotated[TokenRole, typer.Option(help="What it may do.")] = TokenRole.READ,
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    data: Data = None,
) -> None:
    """Make a token and print it, and nothing else. It cannot be seen again."""
    from corral.accounts import people, tokens

    with opened(data) as ctx:
        print(tokens.create(ctx, people.find_user(ctx, user).id, name, role))


@app.command("list")
def list_tokens(user: User, data: Data = None) -> None:
    """Print a user's tokens: number, name, role, last characters, and when it was last used."""
    from corral.accounts import people, tokens
    from corral.core.clock import iso

    with opened(data) as ctx:
        for token in tokens.list_tokens(ctx, people.find_user(ctx, user).id):
            used = iso(token.last_used_at) if token.last_used_at else "never used"
            print(f"{token.id}\t{token.name}\t{token.role}\t…{token.hint}\t{used}")


@app.command()
def revoke(
    user: User, number: Annotated[int, typer.Argument(help="As `corral token list` prints it.")], data: Data = None
) -> None:
    """Make a token worthless, at once."""
    from corral.accounts import people, tokens

    with opened(data) as ctx:
        tokens.revoke(ctx, people.find_user(ctx, user).id, number)
