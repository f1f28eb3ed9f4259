"""The starter content: small, real repositories with recipes that make them from packages that ship their sources.

`provision_starter` puts them on a hub by the stock client, as any user would. Each recipe is a folder here: `recipe.py`
(where it comes from, how it is made), `card.md` (its README.md) and what else it ships.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.utils.tqdm import disable_progress_bars

from zoo.all_minilm_l6_v2.recipe import RECIPE as MINILM
from zoo.base import HERE, Recipe, Unavailable, fetch
from zoo.efficientnet_lite0.recipe import RECIPE as EFFICIENTNET
from zoo.emoji.recipe import RECIPE as EMOJI
from zoo.emoji_gallery.recipe import RECIPE as GALLERY
from zoo.smollm2_135m_instruct.recipe import RECIPE as SMOLLM

#: what is there at once comes first
RECIPES: tuple[Recipe, ...] = (EMOJI, GALLERY, MINILM, EFFICIENTNET, SMOLLM)

#: told what happens: the recipe, and a few words ("downloading 84 MB")
Progress = Callable[[Recipe, str], None]


def provision_starter(endpoint: str, token: str, progress: Progress, cache: Path | None = None) -> dict[str, str]:
    """Make all starter repositories exist at `endpoint`. Returns what could not be had: repository id -> why.

    What exists already is left as it is. Downloads are kept in `cache` until their repository stands, so a run that is
    cut off is gone on with. About 200 MB are fetched in all.
    """
    disable_progress_bars()
    api = HfApi(endpoint=endpoint, token=token)
    cache = cache or Path(tempfile.gettempdir()) / "corral-starter"
    failed: dict[str, str] = {}
    for recipe in RECIPES:
        try:
            _provide(api, recipe, progress, cache)
        except Unavailable as error:
            failed[recipe.repo] = str(error)
            progress(recipe, f"left out: {error}")
        except Exception as error:
            # one that fails keeps nobody from the others
            failed[recipe.repo] = f"{type(error).__name__}: {error}"
            progress(recipe, f"failed: {failed[recipe.repo]}")
    if not failed:
        shutil.rmtree(cache, ignore_errors=True)
    return failed


def _provide(api: HfApi, recipe: Recipe, progress: Progress, cache: Path) -> None:
    if api.repo_exists(recipe.repo, repo_type=recipe.type) and api.file_exists(
        recipe.repo, recipe.proof, repo_type=recipe.type
    ):
        progress(recipe, "is there")
        return
    if recipe.heavy and not _has_torch():
        raise Unavailable("it is made with torch and transformers, which are not installed (corral[ml])")
    sources = []
    for wheel in recipe.wheels:
        progress(recipe, f"downloading {wheel.name} ({wheel.megabytes} MB)")
        sources.append(fetch(wheel, cache))
    progress(recipe, "preparing")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        build(recipe, sources, Path(folder))
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
        progress(recipe, f"uploading {size / 1e6:.0f} MB")
        api.create_repo(recipe.repo, repo_type=recipe.type, space_sdk=recipe.sdk, exist_ok=True)
        api.upload_folder(
            repo_id=recipe.repo,
            repo_type=recipe.type,
            folder_path=folder,
            commit_message=f"Add {recipe.title}",
        )
    for wheel in recipe.wheels:
        shutil.rmtree(cache / f"{wheel.name}-{wheel.version}", ignore_errors=True)
    progress(recipe, "done")


def build(recipe: Recipe, sources: list[Path], folder: Path) -> None:
    """Make the repository's files in `folder`, in a process of its own. Raises Unavailable with its last words."""
    shutil.copyfile(recipe.home / "card.md", folder / "README.md")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CORRAL_", "HF_"))}
    # nothing is to be looked for anywhere else, and waiting threads are not to keep the hub from its processors
    environment |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "zoo.build", recipe.name, str(folder), *map(str, sources)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise Unavailable(f"it could not be made: {words[-1] if words else f'status {done.returncode}'}")


def _has_torch() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers", "safetensors"))
