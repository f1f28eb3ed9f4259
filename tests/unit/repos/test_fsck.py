from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from corral.context import Context
from corral.repos import blobs, commits, fsck, git, lfs
from corral.repos.commits import AddFile, AddLargeFile, Header
from corral.repos.git import HEAD_REF
from corral.repos.lfs import Ticket
from corral.repos.lookup import Repo
from corral.storage import schema as t
from corral.storage.blobs import connect

DATA = b"weights" * 500
OID = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def ctx(ctx: Context, tmp_path: Path) -> Context:
    """With bytes that a test can damage."""
    return replace(ctx, blobs=connect(f"file://{tmp_path}/store"))


@pytest.fixture
def full(ann: Context, repo: Repo) -> Repo:
    """The repository with a file of each kind."""
    lfs.receive(ann, Ticket(repo.id, OID, len(DATA), ann.clock()), [DATA])
    commits.commit(ann, repo, "main", Header("files"), [AddFile("a.txt", b"a" * 999), AddLargeFile("w.bin", OID)])
    return repo


def store_file(ctx: Context, key: str) -> Path:
    path = ctx.blobs.path(key)
    assert path is not None
    path.chmod(0o644)
    return path


def faults(ctx: Context, deep: bool = False) -> str:
    return "\n".join(str(fault) for fault in fsck.check(ctx, deep))


def pack_keys(ctx: Context, repo: Repo) -> list[str]:
    return sorted(key for key in ctx.blobs.keys(f"packs/{repo.id}/") if key.endswith(".pack"))


@pytest.mark.usefixtures("full")
def test_a_whole_hub_has_no_faults(ann: Context) -> None:
    assert fsck.check(ann, deep=True) == []
    assert list((ann.settings.data / "tmp").iterdir()) == []


def test_missing_bytes_of_a_large_file(ann: Context, full: Repo) -> None:
    ann.blobs.delete(blobs.blob_key(OID))
    assert faults(ann) == f"large file {OID}: its bytes are missing"


def test_damaged_bytes_of_a_large_file(ann: Context, full: Repo) -> None:
    file = store_file(ann, blobs.blob_key(OID))
    file.write_bytes(b"X" + DATA[1:])
    assert faults(ann) == ""
    assert "its bytes have the SHA-256" in faults(ann, deep=True)
    file.write_bytes(DATA[1:])
    assert "instead of 3500" in faults(ann)


def test_a_large_file_that_the_repository_does_not_hold(ann: Context, full: Repo) -> None:
    with ann.db.write() as c:
        c.execute(delete(t.repo_blobs))
    assert faults(ann) == f"model ann/model: w.bin needs the large file {OID}, which it does not hold"


def test_a_large_file_without_bytes(ann: Context, full: Repo) -> None:
    with ann.db.write() as c:
        c.execute(update(t.blobs).values(whole=False))
    assert "no bytes are known for it" in faults(ann)
    with ann.db.write() as c:
        c.execute(update(t.blobs).values(xet_hash="0" * 64))
    assert "its Xet file" in faults(ann)


@pytest.mark.parametrize("suffix", ["pack", "idx"])
def test_a_missing_pack(ann: Context, full: Repo, suffix: str) -> None:
    for key in pack_keys(ann, full):
        ann.blobs.delete(key.removesuffix("pack") + suffix)
    found = faults(ann)
    assert "is not in the store" in found
    assert "its history is not whole" in found


def test_a_damaged_pack(ann: Context, full: Repo) -> None:
    file = store_file(ann, pack_keys(ann, full)[-1])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    assert "is damaged" in faults(ann, deep=True)


def test_a_ref_to_nowhere(ann: Context, full: Repo) -> None:
    with ann.db.write() as c:
        c.execute(update(t.refs).where(t.refs.c.name == HEAD_REF).values(oid="1" * 40))
    assert "its history is not whole" in faults(ann)
    with ann.db.write() as c:
        c.execute(delete(t.refs))
    assert "it has no main branch" in faults(ann)


def test_the_cache_is_not_what_is_checked(ann: Context, full: Repo) -> None:
    git.bare(ann, full.id)
    for key in pack_keys(ann, full):
        ann.blobs.delete(key)
    assert "is not in the store" in faults(ann)
