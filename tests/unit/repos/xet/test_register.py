from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select

from building.xet import Part, Xorb, content, file_block, file_hash, noise, proof, shard, xorb
from corral.context import Context
from corral.core.errors import BadRequest, NotFound
from corral.repos import blobs
from corral.repos.lookup import Repo
from corral.repos.xet import files, hashing
from corral.repos.xet.register import register
from corral.repos.xet.shard import InvalidShard, parse
from corral.repos.xet.xorb import InvalidXorb
from corral.repos.xet.xorbs import XorbUpload, key
from corral.storage import schema as t

TEXT = b"the quick brown fox " * 3000
X = xorb([noise(50_000, 1), TEXT, noise(60_000, 2), TEXT[:-1]], (0, 1, 0, 2))
Y = xorb([noise(9_000, 3), noise(8_000, 4)])
PARTS: list[Part] = [(X, 1, 3), (Y, 0, 2), (X, 0, 1), (X, 3, 4)]


def upload(ctx: Context, repo: Repo, x: Xorb, body: bytes | None = None) -> bool:
    with XorbUpload(ctx, repo.id, x.hash) as sink:
        sink.write(x.body if body is None else body)
        return sink.finish()


def rows(ctx: Context) -> dict[str, int]:
    tables = (t.xorbs, t.repo_xorbs, t.xet_files, t.xet_file_xorbs, t.blobs, t.repo_blobs)
    with ctx.db.read() as c:
        return {table.name: len(c.execute(select(table)).all()) for table in tables}


def test_a_file_comes_out_as_it_went_in(ctx: Context, repo: Repo) -> None:
    assert upload(ctx, repo, X) is True
    assert upload(ctx, repo, X) is False
    upload(ctx, repo, Y)
    (sha256,) = register(ctx, repo.id, parse(shard([file_block(PARTS)], [X, Y])))
    data = content(PARTS)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.held(ctx, repo.id, [sha256]) == {sha256: len(data)}
    name = hashing.to_hex(file_hash(PARTS))
    assert blobs.xet_hashes(ctx, [sha256]) == {sha256: name}
    with files.open_file(ctx, name) as file:
        assert file.read() == data
    for start, length in ((0, 1), (1, 70_000), (110_000, 20_000), (len(data) - 1, 5), (len(data), 5), (0, None)):
        with files.open_file(ctx, name, start, length) as file:
            assert file.read() == data[start : None if length is None else start + length]


def test_an_open_file_seeks(ctx: Context, repo: Repo) -> None:
    upload(ctx, repo, X), upload(ctx, repo, Y)
    register(ctx, repo.id, parse(shard([file_block(PARTS)])))
    data = content(PARTS)
    with files.open_file(ctx, hashing.to_hex(file_hash(PARTS)), 10) as file:
        file.seek(-30, 2)
        assert file.read(20) == data[-30:-10]
        file.seek(90_000)
        assert file.read(7) == data[90_010:90_017]
        assert file.tell() == 90_007


def test_sha256_is_computed_when_the_client_skipped_it(ctx: Context, repo: Repo) -> None:
    upload(ctx, repo, Y)
    (sha256,) = register(ctx, repo.id, parse(shard([file_block([(Y, 0, 2)], sha256=None)])))
    assert sha256 == hashlib.sha256(noise(9_000, 3) + noise(8_000, 4)).hexdigest()


def test_the_empty_file(ctx: Context, repo: Repo) -> None:
    (sha256,) = register(ctx, repo.id, parse(shard([file_block([])])))
    assert sha256 == hashlib.sha256().hexdigest()
    with files.open_file(ctx, "0" * 64) as file:
        assert file.read() == b""


def test_registering_twice_and_elsewhere_stores_nothing_twice(ctx: Context, repo: Repo, hidden: Repo) -> None:
    upload(ctx, repo, X), upload(ctx, repo, Y)
    data = shard([file_block(PARTS), file_block(PARTS)], [X, Y])
    (sha256, again) = register(ctx, repo.id, parse(data))
    assert sha256 == again
    before = rows(ctx)
    assert register(ctx, repo.id, parse(data)) == [sha256, sha256]
    assert rows(ctx) == before
    # whoever has the bytes may name the xorbs without uploading them
    register(ctx, hidden.id, parse(data))
    assert rows(ctx) == before | {"repo_blobs": 2, "repo_xorbs": 4}


def test_a_file_that_came_whole_gets_its_xet_hash(ctx: Context, repo: Repo) -> None:
    data = content([(Y, 0, 2)])
    sha256 = hashlib.sha256(data).hexdigest()
    with ctx.blobs.writer() as sink:
        sink.write(data)
        sink.commit(blobs.blob_key(sha256))
    with ctx.change() as change:
        blobs.register(ctx, change, repo.id, sha256, len(data), whole=True)
    upload(ctx, repo, Y)
    register(ctx, repo.id, parse(shard([file_block([(Y, 0, 2)])])))
    with ctx.db.read() as c:
        row = c.execute(select(t.blobs).where(t.blobs.c.sha256 == sha256)).one()
    assert (row.whole, row.xet_hash) == (True, hashing.to_hex(file_hash([(Y, 0, 2)])))


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (file_block(PARTS, sha256="ab" * 32), "sha256"),
        (file_block(PARTS, raw=noise(32)), "hash that its chunks make"),
        (file_block([(Y, 0, 2)], raw=bytes(32)), "hash that its chunks make"),
        (file_block([(Y, 0, 1)], proofs=[proof(Y, 1, 2)]), "proof"),
        (file_block([(Y, 0, 1)], proofs=[bytes(32)]), "proof"),
        (file_block([(Y, 0, 1)], sizes=[9_001]), "size"),
        (file_block([(Y, 0, 3)], raw=noise(32), proofs=[noise(32)]), "chunks that its xorb does not have"),
        (file_block([(Y, 1, 1)], raw=noise(32), proofs=[noise(32)]), "chunks that its xorb does not have"),
        (file_block([(Y, 1, 0)], raw=noise(32), proofs=[noise(32)]), "chunks that its xorb does not have"),
        (file_block([(xorb([b"nobody's"]), 0, 1)]), "not uploaded"),
    ],
)
def test_a_wrong_file_is_refused_and_takes_the_right_one_with_it(
    ctx: Context, repo: Repo, block: bytes, says: str
) -> None:
    upload(ctx, repo, X), upload(ctx, repo, Y)
    before = rows(ctx)
    with pytest.raises(InvalidShard, match=says):
        register(ctx, repo.id, parse(shard([file_block([(X, 0, 1)]), block], [X, Y])))
    assert rows(ctx) == before


def test_a_xorb_that_only_the_list_names_must_be_there_too(ctx: Context, repo: Repo) -> None:
    upload(ctx, repo, Y)
    with pytest.raises(InvalidShard, match="not uploaded"):
        register(ctx, repo.id, parse(shard([file_block([(Y, 0, 2)])], [X, Y])))


@pytest.mark.parametrize("body", [X.body[:-1], X.body[:1000], Y.body, X.body + b"\0", b""])
def test_a_wrong_xorb_leaves_nothing_behind(ctx: Context, repo: Repo, body: bytes) -> None:
    with pytest.raises(InvalidXorb):
        upload(ctx, repo, X, body)
    assert rows(ctx)["xorbs"] == 0
    assert ctx.blobs.size(key(X.hash)) is None
    folder = ctx.settings.data / "store" / "incoming"
    assert not folder.exists() or not list(folder.iterdir())


def test_bytes_of_a_known_xorb_are_checked_as_well(ctx: Context, repo: Repo, hidden: Repo) -> None:
    upload(ctx, repo, X)
    with pytest.raises(InvalidXorb):
        upload(ctx, hidden, X, Y.body)
    assert rows(ctx)["repo_xorbs"] == 1


def test_a_name_that_is_no_hash_reaches_no_store(ctx: Context, repo: Repo) -> None:
    with pytest.raises(BadRequest):
        XorbUpload(ctx, repo.id, "../../etc/passwd")


def test_who_does_not_hold_a_file_does_not_find_it(ctx: Context, repo: Repo, hidden: Repo) -> None:
    upload(ctx, hidden, Y)
    register(ctx, hidden.id, parse(shard([file_block([(Y, 0, 2)])])))
    name = hashing.to_hex(file_hash([(Y, 0, 2)]))
    assert files.held_by(ctx, hidden.id, name).size == 17_000
    with pytest.raises(NotFound):
        files.held_by(ctx, repo.id, name)


def test_what_the_disk_damaged_is_told_not_sent(ctx: Context, repo: Repo) -> None:
    upload(ctx, repo, X), upload(ctx, repo, Y)
    register(ctx, repo.id, parse(shard([file_block(PARTS)])))
    for left in (None, X.body[:100_000], b"\xff" * len(X.body)):
        ctx.blobs.delete(key(X.hash))
        if left is not None:
            with ctx.blobs.writer() as sink:
                sink.write(left)
                sink.commit(key(X.hash))
        with files.open_file(ctx, hashing.to_hex(file_hash(PARTS))) as file, pytest.raises(files.DamagedFile):
            file.read()


@pytest.mark.parametrize(("limit", "most"), [("MAX_FILE", 50_000), ("MAX_TOTAL", 100_000), ("MAX_CHUNKS", 5)])
def test_naming_the_same_chunks_again_and_again_is_bounded(
    ctx: Context, repo: Repo, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    upload(ctx, repo, Y)
    monkeypatch.setattr(f"corral.repos.xet.register.{limit}", most)
    fine = parse(shard([file_block([(Y, 0, 2)] * 2)]))
    register(ctx, repo.id, fine)
    with pytest.raises(InvalidShard, match="more than"):
        register(ctx, repo.id, parse(shard([file_block([(Y, 0, 2)] * 3), file_block([(Y, 1, 2)] * 7)])))
