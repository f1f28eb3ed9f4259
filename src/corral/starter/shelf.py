"""What the zoo offers, and what of it is on this hub.

`zoo` is no part of this package, but beside it in a checkout; without it there is nothing on offer.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corral.context import Context
from corral.core.errors import NotFound
from corral.core.ids import RepoId, RepoType
from corral.repos import lookup, read
from corral.repos.lookup import RepoMoved

#: the organization that the repositories belong to
OWNER = "corral"


@dataclass(frozen=True, slots=True)
class Offer:
    """A repository that can be had. `title` completes "This is …".

    `packages` (name, megabytes) are downloaded to make it; `proof` is a file that it has once it is complete.
    """

    name: str
    rid: RepoId
    title: str
    task: str
    license: str
    packages: tuple[tuple[str, int], ...]
    proof: str
    core: bool
    picture: Path | None

    @property
    def megabytes(self) -> int:
        return megabytes([self])


@cache
def offers() -> tuple[Offer, ...]:
    """All of them, in the order in which they are shown; none where the zoo is not there."""
    if importlib.util.find_spec("zoo") is None:
        return ()
    recipes = importlib.import_module("zoo").RECIPES
    return tuple(
        Offer(
            name=recipe.name,
            rid=RepoId.parse(RepoType(recipe.type), recipe.repo),
            title=recipe.title,
            task=recipe.task,
            license=recipe.license,
            packages=tuple((source.name, source.megabytes) for source in recipe.sources),
            proof=recipe.proof,
            core=recipe.core,
            picture=recipe.picture,
        )
        for recipe in recipes
    )


def megabytes(several: Iterable[Offer]) -> int:
    """What is downloaded for all of them: packages that they share only once."""
    return sum(dict(package for offer in several for package in offer.packages).values())


def named(names: Iterable[str]) -> list[Offer]:
    """The offers that people call so: by the recipe's name, the repository's id, or the end of that.

    Raises NotFound with what there is.
    """
    known = {key.lower(): offer for offer in offers() for key in (offer.rid.name, str(offer.rid), offer.name)}
    found: dict[str, Offer] = {}
    for name in names:
        if (offer := known.get(name.lower())) is None:
            there = ", ".join(o.rid.name for o in offers()) or "nothing"
            raise NotFound(f"The zoo has no {name!r}. It has: {there}.")
        found[offer.name] = offer
    return list(found.values())


def is_here(ctx: Context, offer: Offer) -> bool:
    """Whether this hub has it, complete, as far as the actor may see. A new name counts too."""
    try:
        repo = lookup.find(ctx, offer.rid)
        read.entry(ctx, repo, read.commit_of(ctx, repo, "main"), offer.proof)
    except RepoMoved:
        return True
    except NotFound:
        return False
    return True
