"""Other releases of the clients, each in an environment of its own that is made once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

#: the oldest release that is promised to work, the newest of its line, and the newest of all
HUB_RELEASES = ("1.19.0", "1.33.0", "2.4.0")


def python_with(*requirements: str) -> Path:
    """The interpreter of an environment that has `requirements` (such as `huggingface_hub==1.19.0`).

    Made at the first call, under the user's cache folder; the tests of several processes share it.
    """
    key = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corral-tests"
    folder = cache / f"{requirements[0].replace('==', '-')}-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin/pip", "install", "-q", *requirements], check=True, capture_output=True)
            (folder / "complete").touch()
    return folder / "bin/python"


def run_script(python: Path, script: str, environment: dict[str, str], *words: str) -> str:
    """What `script` prints. Raises AssertionError with all it said when it fails."""
    done = subprocess.run(
        [python, "-c", script, *words], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
