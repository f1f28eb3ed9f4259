"""Puts repositories of the zoo on a hub by the stock client, as any user would."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.utils.tqdm import disable_progress_bars

from zoo import RECIPES
from zoo.base import HERE, Recipe
from zoo.sources import Unavailable, fetch

#: told what happens: the recipe, and a few words ("downloading 84 MB")
Progress = Callable[[Recipe, str], None]


def put(endpoint: str, token: str, names: Sequence[str], progress: Progress, cache: Path) -> dict[str, str]:
    """Make the repositories of the recipes `names` exist at `endpoint`. Returns what could not be had: name -> why.

    What exists already is left as it is. Downloads are kept in `cache` until their repository stands (those that
    several recipes start from until all of these stand), so a run that is cut off is gone on with.
    """
    disable_progress_bars()
    api = HfApi(endpoint=endpoint, token=token)
    failed: dict[str, str] = {}
    for recipe in (r for r in RECIPES if r.name in names):
        try:
            _provide(api, recipe, progress, cache)
        except Unavailable as error:
            failed[recipe.name] = str(error)
        except Exception as error:
            # one that fails keeps nobody from the others
            failed[recipe.name] = f"{type(error).__name__}: {error}"
        if recipe.name in failed:
            progress(recipe, f"failed: {failed[recipe.name]}")
    return failed


def stands(api: HfApi, recipe: Recipe) -> bool:
    return api.repo_exists(recipe.repo, repo_type=recipe.type) and api.file_exists(
        recipe.repo, recipe.proof, repo_type=recipe.type
    )


def _provide(api: HfApi, recipe: Recipe, progress: Progress, cache: Path) -> None:
    if stands(api, recipe):
        progress(recipe, "is there")
        return
    if missing := [name for name in recipe.needs if importlib.util.find_spec(name) is None]:
        raise Unavailable(f"it is made with {' and '.join(missing)}, which Corral's extra 'zoo' brings")
    sources = []
    for source in recipe.sources:
        if not (cache / source.unpacked).is_dir():
            progress(recipe, f"downloading {source.name} ({source.megabytes} MB)")
        sources.append(fetch(source, cache))
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
    others = [r for r in RECIPES if r is not recipe]
    for source in recipe.sources:
        if not any(source in other.sources and not stands(api, other) for other in others):
            shutil.rmtree(cache / source.unpacked, ignore_errors=True)
    progress(recipe, "done")


def build(recipe: Recipe, sources: Sequence[Path], folder: Path) -> None:
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
