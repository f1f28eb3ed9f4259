"""The hub as the command line sees it: opened for the operator, who may do everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from corral.context import Context
    from corral.core.settings import Settings

#: the option that every command has
Data = Annotated[Path | None, typer.Option(help="Folder that holds all the hub's data (CORRAL_DATA, or ./data).")]


def settings(**overrides: object) -> Settings:
    """Settings from the environment and `corral.toml`, with the command's own options over them."""
    from corral.core.errors import BadRequest
    from corral.core.settings import load

    try:
        return load(overrides)
    except ValueError as error:
        raise BadRequest(str(error)) from None


@contextmanager
def opened(data: Path | None) -> Iterator[Context]:
    """The hub's context, acting as the operator."""
    from corral.accounts.rights import OPERATOR
    from corral.server.hub import open_hub

    ctx = open_hub(settings(data=data)).acting_as(OPERATOR)
    try:
        yield ctx
    finally:
        ctx.db.close()


def ask_password(prompt: str) -> str:
    """A new password, asked for twice at a terminal; read as one line from a pipe."""
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    answer: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return answer
