"""Writes docs/reference/command-line.md from the commands, and docs/reference/tasks.md from the tables of inference.

`python -m corral.cli.reference FOLDER`
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from corral.cli.main import app
from corral.inference.libraries import LIBRARIES
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import Task

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


_TASKS = """# What models do here

Each task takes the body of Hugging Face's Inference API at `POST /inference/OWNER/NAME`: JSON with `inputs` and
`parameters`, or the bytes of a picture or a sound as they are. Written by `make reference` from the tables of
`corral.inference`; a test compares the two.

The task of a repository is worked out from its card (`pipeline_tag`), its configuration and its files; its page says
from what, and its owner can set it. The answer comes when the model is loaded if the request has the header
`x-wait-for-model: true`; else a model that is being loaded answers 503 with `estimated_time`. With the header
`x-corral-events: true` the answer is a stream of events: `place` in the queue, `progress`, `token`, then `result` or
`error`.

| task | what goes in | parameters | what comes out | models of |
|---|---|---|---|---|
"""
_INPUTS = {"line": "a text", "area": "a text", "lines": "several texts", "labels": "labels", "rows": "a table"}


def tasks() -> str:
    return _TASKS + "".join(map(_task, sorted(TASKS.values(), key=lambda task: task.name)))


def _task(task: Task) -> str:
    goes_in = ", ".join(
        f"`{i.at}`: {_INPUTS.get(i.kind, i.kind)}{' (optional)' if i.optional else ''}" for i in task.form
    )
    knobs = ", ".join(f"`{knob.name}`" for knob in task.knobs)
    libraries = ", ".join(name for name, library in LIBRARIES.items() if task.name in library.engines)
    return f"| `{task.name}` | {goes_in} | {knobs} | {task.output} | {libraries} |\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "command-line.md").write_text(text())
    (folder / "tasks.md").write_text(tasks())
