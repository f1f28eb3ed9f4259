"""What every recipe and card of the zoo has to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import zoo
from zoo.base import Recipe

from corral.catalogue import cards
from corral.catalogue.vocabulary import TASKS
from corral.core.ids import RepoId, RepoType
from corral.inference.libraries import KNOWN

EVERY = pytest.mark.parametrize("recipe", zoo.RECIPES, ids=lambda recipe: recipe.name)
#: of software and weights that anybody may use, change and pass on
LICENSES = ("apache-2.0", "mit", "bsd-3-clause")


def test_names_are_told_apart() -> None:
    assert len({r.name for r in zoo.RECIPES}) == len({r.repo.lower() for r in zoo.RECIPES}) == len(zoo.RECIPES)
    folders = {file.parent.name for file in zoo.HERE.glob("*/recipe.py")}
    assert folders == {recipe.name for recipe in zoo.RECIPES}, "every folder with a recipe is in the list"


@EVERY
def test_a_card_names_its_licence_and_source(recipe: Recipe) -> None:
    card = cards.parse((recipe.home / "card.md").read_bytes())
    assert card.error is None and card.warnings == ()
    assert card.string("license") == recipe.license
    assert recipe.license in LICENSES
    assert RepoId.parse(RepoType(recipe.type), recipe.repo).owner == "corral"
    if recipe.type != "model":
        return
    assert card.string("pipeline_tag") == recipe.task and recipe.task in TASKS
    assert card.string("library_name") in KNOWN
    assert "## Where it comes from" in card.text
    for source in recipe.sources:
        stem = source.name.rstrip("-0123456789")
        assert stem in card.text and source.version in card.text, f"the card does not name {source.name}"
    if not recipe.core:
        assert "## How it was checked" in card.text and "## What to mind" in card.text


@EVERY
def test_examples_of_a_card_are_there(recipe: Recipe) -> None:
    code = (recipe.home / "recipe.py").read_text()
    for wanted in re.findall(r"- src: examples/(\S+)", (recipe.home / "card.md").read_text()):
        assert wanted in code and (zoo.HERE / "examples" / wanted).is_file()


@EVERY
def test_a_source_is_pinned_to_its_bytes(recipe: Recipe) -> None:
    for source in recipe.sources:
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert source.megabytes > 0
    assert not recipe.title[0].isupper() and not recipe.title.endswith("."), "it goes on after 'This is …'"


@EVERY
def test_a_picture_is_small(recipe: Recipe) -> None:
    if recipe.picture is not None:
        assert recipe.picture.stat().st_size < 40_000


def test_pictures_are_for_models_that_are_there() -> None:
    strays = [file for file in zoo.HERE.glob("*/picture.*") if not (Path(file).parent / "recipe.py").is_file()]
    assert strays == []
