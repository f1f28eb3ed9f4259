"""A script's address changes when anything that it imports does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corral.web import assets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "deep.js").write_text("export const a = 1;\n")
    (tmp_path / "middle.js").write_text('import { a } from "./deep.js";\nexport { a };\n')
    (tmp_path / "a-first.js").write_text('import { a } from "./middle.js";\nconsole.log(a);\n')
    monkeypatch.setattr(assets, "_FOLDER", tmp_path)
    return tmp_path


def _names() -> dict[str, str]:
    assets._load.cache_clear()
    try:
        return {name: assets.url(name) for name in ("a-first.js", "middle.js", "deep.js")}
    finally:
        assets._load.cache_clear()


def test_what_is_imported_is_part_of_the_address(folder: Path) -> None:
    before = _names()
    (folder / "deep.js").write_text("export const a = 2;\n")
    after = _names()
    assert all(before[name] != after[name] for name in before)


def test_every_script_imports_by_hashed_names() -> None:
    names, files = assets._load()
    hashed = set(names.values())
    for name in hashed:
        if name.endswith(".js"):
            imported = re.findall(rb'from "\./([^"]+)"', files[name].data)
            assert {one.decode() for one in imported} <= hashed, name
