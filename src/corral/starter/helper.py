"""Adds repositories of the zoo to the hub at HF_ENDPOINT: `python -m corral.starter.helper CACHE NAME…`, with HF_TOKEN.

A process of its own, so that the hub's stays small, with the lowest priority, so that the hub answers as if it were not
there; one at a time for one hub. Exits with 0 when all is there.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from corral.starter.status import Report

_ENDS = {"done": "done", "is there": "done"}


def main() -> int:
    os.nice(19)
    # ends with the hub, and cleans up as at Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cache, names = Path(sys.argv[1]), sys.argv[2:]
    with ExitStack() as stack:
        reports = _reports(stack, cache / "status", names)
        for report in reports.values():
            report.say("waiting for its turn")
        turn = stack.enter_context((cache / "turn").open("w"))
        fcntl.flock(turn, fcntl.LOCK_EX)
        for report in reports.values():
            report.say("waiting")
        status = _add(cache, reports)
        return status if len(reports) == len(names) else 1


def _reports(stack: ExitStack, folder: Path, names: list[str]) -> dict[str, Report]:
    """Those that no other program adds already."""
    found: dict[str, Report] = {}
    for name in names:
        try:
            found[name] = Report(folder, name)
        except BlockingIOError:
            print(f"{name} is being added already.", file=sys.stderr)
        else:
            stack.callback(found[name].close)
    return found


def _add(cache: Path, reports: dict[str, Report]) -> int:
    # no part of the package: it is beside it in a checkout
    put = importlib.import_module("zoo.put")
    recipes = {recipe.name: recipe for recipe in importlib.import_module("zoo").RECIPES}
    from corral.starter.terminal import Terminal

    with Terminal([recipes[name].repo for name in reports]) as terminal:

        def tell(recipe: Any, words: str) -> None:
            failed = words.startswith("failed")
            reports[recipe.name].say(
                words.removeprefix("failed: "), "failed" if failed else _ENDS.get(words, "working")
            )
            terminal.show(recipe.repo, words, ended=failed or words in _ENDS)

        failures: dict[str, str] = put.put(
            os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"], list(reports), tell, cache
        )
    for name, why in failures.items():
        print(f"{recipes[name].repo} is not there: {why}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
