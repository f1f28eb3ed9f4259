"""Official repositories: small, real models, data and Spaces, with recipes that make them from what packages ship.

Each recipe is a folder here: `recipe.py` (where it comes from, how it is made), `card.md` (its README.md),
`picture.webp` for the page that offers it, and what else it ships. `zoo.put` brings them to a hub.
"""

from __future__ import annotations

from zoo.all_minilm_l6_v2.recipe import RECIPE as MINILM
from zoo.base import HERE, Recipe
from zoo.efficientnet_lite0.recipe import RECIPE as EFFICIENTNET
from zoo.emoji.recipe import RECIPE as EMOJI
from zoo.emoji_gallery.recipe import RECIPE as GALLERY
from zoo.smollm2_135m_instruct.recipe import RECIPE as SMOLLM
from zoo.sources import Unavailable

__all__ = ["HERE", "RECIPES", "Recipe", "Unavailable"]

#: what is there at once comes first
RECIPES: tuple[Recipe, ...] = (EMOJI, GALLERY, MINILM, EFFICIENTNET, SMOLLM)
