"""Writes docs/reference/command-line.md from the commands themselves: `python -m corral.cli.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

import typer

from corral.cli.main import app

_HEAD = """# The command line

`corral`, also `python -m corral`. Written by `make reference` from the commands themselves; a test compares the two.

Every command takes its settings from the environment (`CORRAL_*`) or `corral.toml`, works whether the hub is running
or not, prints what it made and nothing else, and ends with status 1 and one sentence on stderr when it is refused.
"""


def text() -> str:
    return "\n".join([_HEAD, *_commands(app, "corral")])


def _commands(group: typer.Typer, name: str) -> Iterator[str]:
    for part in group.registered_groups:
        if part.typer_instance is not None:
            yield from _commands(part.typer_instance, f"{name} {part.name}")
    for command in group.registered_commands:
        if command.callback is not None:
            word = command.name or command.callback.__name__.replace("_", "-")
            yield from _command(command.callback, f"{name} {word}")


def _command(callback: Callable[..., Any], name: str) -> Iterator[str]:
    hints = get_type_hints(callback, include_extras=True)
    arguments, options = [], []
    for parameter in inspect.signature(callback).parameters.values():
        kind, about = get_args(hints[parameter.name])
        if isinstance(about, type(typer.Argument())):
            arguments.append(parameter.name.upper())
            options.append((parameter.name.upper(), about.help or ""))
        else:
            options.append((_option(parameter, kind, about), _about(parameter, about)))
    yield f"## `{' '.join([name, *arguments])}`\n"
    yield f"{inspect.getdoc(callback)}\n"
    yield "| | |\n|---|---|"
    for word, meaning in options:
        yield f"| `{word}` | {meaning} |"
    yield ""


def _option(parameter: inspect.Parameter, kind: Any, about: Any) -> str:
    word = next(iter(about.param_decls or ()), f"--{parameter.name.replace('_', '-')}")
    kinds = [k for k in get_args(kind) or (kind,) if k is not type(None)]
    if kinds == [bool]:
        # what is on by default is turned off by its opposite
        return f"--no-{parameter.name}" if parameter.default is True else word
    if issubclass(kinds[0], Enum):
        return f"{word} {'/'.join(choice.value for choice in kinds[0])}"
    return f"{word} {parameter.name.upper()}"


def _about(parameter: inspect.Parameter, about: Any) -> str:
    shown = getattr(parameter.default, "value", parameter.default)
    notes = [f"Without it: `{shown}`."] if isinstance(shown, str) and shown else []
    if about.envvar:
        notes.append(f"Also `{about.envvar}`.")
    return " ".join([about.help, *notes])


if __name__ == "__main__":
    print(text(), end="")
