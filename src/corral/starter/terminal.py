"""The progress of several additions: lines that change on a terminal, lines that follow each other elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_COLUMNS = (SpinnerColumn(), TextColumn("{task.fields[name]:<34}"), TextColumn("{task.description}"))


class Terminal:
    def __init__(self, repos: Sequence[str]) -> None:
        self._console = Console()
        self._progress = Progress(
            *_COLUMNS, TimeElapsedColumn(), console=self._console, disable=not self._console.is_terminal
        )
        self._tasks = {repo: self._progress.add_task("waiting", name=repo, total=None, start=False) for repo in repos}

    def show(self, repo: str, words: str, *, ended: bool) -> None:
        task = self._tasks[repo]
        self._progress.start_task(task)
        self._progress.update(task, description=words)
        if ended:
            self._progress.update(task, total=1, completed=1)
            self._progress.stop_task(task)
        if not self._console.is_terminal:
            self._console.print(f"  {repo:<34} {words}", soft_wrap=True, highlight=False, markup=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()
