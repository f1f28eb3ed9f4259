"""Official repositories: small, real models, data and Spaces, with recipes that make them from what packages ship.

Each recipe is a folder here: `recipe.py` (where it comes from, how it is made), `card.md` (its README.md),
`picture.webp` for the page that offers it, and what else it ships. `zoo.put` brings them to a hub.
"""

from __future__ import annotations

from zoo.all_minilm_l6_v2.recipe import RECIPE as MINILM
from zoo.base import HERE, Recipe
from zoo.centernet.recipe import RECIPE as CENTERNET
from zoo.chat.recipe import RECIPE as CHAT
from zoo.diabetes.recipe import RECIPE as DIABETES
from zoo.efficientnet_lite0.recipe import RECIPE as EFFICIENTNET
from zoo.emoji.recipe import RECIPE as EMOJI
from zoo.emoji_gallery.recipe import RECIPE as GALLERY
from zoo.en_core_web_sm.recipe import RECIPE as SPACY
from zoo.hed.recipe import RECIPE as HED
from zoo.iris.recipe import RECIPE as IRIS
from zoo.kokoro.recipe import RECIPE as KOKORO
from zoo.language_id.recipe import RECIPE as LANGUAGES
from zoo.movenet_thunder.recipe import RECIPE as MOVENET
from zoo.nanodet.recipe import RECIPE as NANODET
from zoo.piper_joe.recipe import RECIPE as PIPER
from zoo.realesr_animevideov3.recipe import RECIPE as ANIMEVIDEO
from zoo.realesrgan_x4plus.recipe import RECIPE as UPSCALER
from zoo.realesrgan_x4plus_anime.recipe import RECIPE as ANIME
from zoo.selfie_segmentation.recipe import RECIPE as SELFIE
from zoo.smollm2_135m_instruct.recipe import RECIPE as SMOLLM
from zoo.sources import Unavailable
from zoo.whisper_base.recipe import RECIPE as WHISPER

__all__ = ["HERE", "RECIPES", "Recipe", "Unavailable"]

#: the core, of which what is there at once comes first; then pictures, sounds, texts, tables
RECIPES: tuple[Recipe, ...] = (
    *(EMOJI, GALLERY, CHAT, MINILM, EFFICIENTNET, SMOLLM),
    *(NANODET, CENTERNET, MOVENET, SELFIE, HED, UPSCALER, ANIME, ANIMEVIDEO),
    *(WHISPER, KOKORO, PIPER),
    *(SPACY, LANGUAGES),
    *(IRIS, DIABETES),
)
