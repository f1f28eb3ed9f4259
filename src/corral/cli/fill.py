"""Fills a hub with the starter content: `HF_TOKEN=… python -m corral.cli.fill CACHE`, with HF_ENDPOINT saying where.

Run by `corral.cli.starter`, in a process of its own so that the hub's stays small, and with the lowest priority, so
that the hub answers as if it were not there. Exits with 0 when all is there.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_COLUMNS = (SpinnerColumn(), TextColumn("{task.fields[name]:<32}"), TextColumn("{task.description}"))


def main() -> int:
    os.nice(19)
    # ends with the hub, and cleans up as at Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # no part of the package: it is beside it in a checkout
    zoo = importlib.import_module("zoo")
    endpoint, token, cache = os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"], Path(sys.argv[1])
    console = Console()
    with Progress(*_COLUMNS, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        tasks = {
            recipe.repo: progress.add_task("waiting", name=recipe.repo, total=None, start=False)
            for recipe in zoo.RECIPES
        }

        def tell(recipe: Any, words: str) -> None:
            task = tasks[recipe.repo]
            progress.start_task(task)
            progress.update(task, description=words)
            if words == "done" or words.startswith(("is there", "left out", "failed")):
                progress.update(task, total=1, completed=1)
                progress.stop_task(task)
            if not console.is_terminal:
                print(f"  {recipe.repo:<32} {words}", flush=True)

        failed = zoo.provision_starter(endpoint, token, tell, cache)
    for name, why in failed.items():
        print(f"{name} is not there: {why}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
