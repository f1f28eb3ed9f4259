"""What a recipe of the zoo is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.sources import Source

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recipe:
    """One repository of the zoo, made by `build(sources, folder)` in the `recipe.py` of the folder `name`.

    `title` completes the sentence "This is …". `proof` is a path that the finished repository has. `license` and
    `task` are those of its card.
    """

    name: str
    repo: str
    type: str
    title: str
    proof: str
    license: str
    task: str = ""
    sources: Sequence[Source] = ()
    #: the modules that `build` needs, beside what Corral itself needs
    needs: Sequence[str] = ()
    #: whether a new hub has it from its first start on
    core: bool = False
    sdk: str | None = None

    @property
    def home(self) -> Path:
        return HERE / self.name

    @property
    def megabytes(self) -> int:
        """What is downloaded to make it."""
        return sum(source.megabytes for source in self.sources)

    @property
    def picture(self) -> Path | None:
        """A small picture of what it does, where it has one."""
        return next((self.home / n for n in ("picture.webp", "picture.svg") if (self.home / n).is_file()), None)
