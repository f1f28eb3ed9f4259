"""A zoo that is brought as the real one is, but small: two empty models, of which `small` is the core.

It waits while there is a file `wait` beside it, brings nothing with a file `refuse`, and fails at the end with `fail`.
"""

from __future__ import annotations

from pathlib import Path

_ZOO = """
from types import SimpleNamespace

RECIPES = [
    SimpleNamespace(
        name=name, repo=f"corral/{name}", type="model", title="a model", proof="README.md", license="mit", task="",
        sources=[], core=name == "small", picture=None,
    )
    for name in ("small", "large")
]
"""
_PUT = """
import time
from pathlib import Path
from huggingface_hub import HfApi
from zoo import RECIPES

def put(endpoint, token, names, progress, cache):
    (name,) = names
    (recipe,) = [r for r in RECIPES if r.name == name]
    beside = Path(__file__).parent.parent
    if (beside / "refuse").exists():
        progress(recipe, "failed: not today")
        return {name: "not today"}
    api = HfApi(endpoint=endpoint, token=token)
    api.create_repo(recipe.repo, exist_ok=True)
    progress(recipe, "begun by " + api.whoami()["name"])
    while (beside / "wait").exists():
        time.sleep(0.05)
    api.upload_file(repo_id=recipe.repo, path_in_repo="README.md", path_or_fileobj=b"# Small")
    if (beside / "fail").exists():
        progress(recipe, "failed: not today")
        return {name: "not today"}
    progress(recipe, "done")
    return {}
"""


def fake_zoo(folder: Path) -> Path:
    """A folder from which `corral` takes this zoo, when it is started there."""
    (folder / "zoo").mkdir(parents=True)
    (folder / "zoo" / "__init__.py").write_text(_ZOO)
    (folder / "zoo" / "put.py").write_text(_PUT)
    return folder
