from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building.time import Time
from building.xet import Part, content, file_block, file_hash, noise, shard, xorb
from corral.context import Context
from corral.core.errors import EntryNotFound, Forbidden
from corral.core.ids import RepoId, RepoType
from corral.repos import buckets, fsck, gc, lifecycle
from corral.repos.buckets import Add, Delete, File, Folder
from corral.repos.lookup import Repo
from corral.repos.xet import files, hashing
from corral.repos.xet.register import register
from corral.repos.xet.shard import parse
from corral.repos.xet.xorbs import XorbUpload

X = xorb([noise(9_000, 1), noise(8_000, 2)])
WHOLE: list[Part] = [(X, 0, 2)]
HALF: list[Part] = [(X, 1, 2)]


@pytest.fixture
def bucket(ann: Context) -> Repo:
    return lifecycle.create(ann, RepoId(RepoType.BUCKET, "ann", "bucket"))


def upload(ctx: Context, repo: Repo, parts: list[Part]) -> str:
    """A Xet upload as clients make it for buckets, without a sha256. Returns the file's hash."""
    for x in {x.hash: x for x, _, _ in parts}.values():
        with XorbUpload(ctx, repo.id, x.hash) as sink:
            sink.write(x.body)
            sink.finish()
    register(ctx, repo.id, parse(shard([file_block(parts, sha256=None)])))
    return hashing.to_hex(file_hash(parts))


def paths(ctx: Context, bucket: Repo, prefix: str = "") -> list[str]:
    return [file.path for file in buckets.page(ctx, bucket, prefix, "", 100)]


def test_a_file_is_there_until_it_is_deleted(ann: Context, bucket: Repo) -> None:
    name = upload(ann, bucket, WHOLE)
    assert buckets.apply(ann, bucket, [Add("a/b.bin", name, 5, "image/png"), Add("c", name)]) == []
    file, sha256 = buckets.file(ann, bucket, "a/b.bin")
    assert file == File("a/b.bin", name, 17_000, 5, ann.clock(), "image/png")
    assert files.find(ann, name).sha256 == sha256
    assert buckets.totals(ann, [bucket])[bucket.id] == buckets.Totals(34_000, 2)
    assert buckets.files(ann, bucket, ["c", "x", "a/b.bin"])[0].mtime == ann.clock()

    assert buckets.apply(ann, bucket, [Delete("a/b.bin"), Delete("x")]) == []
    with pytest.raises(EntryNotFound):
        buckets.file(ann, bucket, "a/b.bin")
    assert paths(ann, bucket) == ["c"]


def test_the_last_operation_on_a_path_counts(ann: Context, bucket: Repo) -> None:
    whole, half = upload(ann, bucket, WHOLE), upload(ann, bucket, HALF)
    assert buckets.apply(ann, bucket, [Add("a", whole), Delete("a"), Add("a", half), Add("b", half), Delete("b")]) == []
    assert [(f.path, f.size) for f in buckets.page(ann, bucket, "", "", 9)] == [("a", 8_000)]


def test_what_fails_leaves_the_rest_done(ann: Context, bucket: Repo) -> None:
    name = upload(ann, bucket, WHOLE)
    unknown = RepoId(RepoType.MODEL, "ann", "unknown")
    failed = buckets.apply(
        ann,
        bucket,
        [Add("../up", name), Add("a", "f" * 64), Add("b", name), Add("c", name, source=unknown), Add(".git/x", name)],
    )
    assert [failure.path for failure in failed] == ["../up", "a", "c"]
    assert paths(ann, bucket) == [".git/x", "b"]


def test_only_those_who_may_write_change_it(ann: Context, ben: Context, bucket: Repo) -> None:
    with pytest.raises(Forbidden):
        buckets.apply(ben, bucket, [Delete("a")])


def test_a_copy_needs_the_right_to_its_source(ann: Context, ben: Context, repo: Repo, bucket: Repo) -> None:
    name = upload(ann, repo, WHOLE)
    mine = lifecycle.create(ben, RepoId(RepoType.BUCKET, "ben", "bucket"))
    # knowing its hash is not enough: neither ben's bucket nor ann's has it
    assert len(buckets.apply(ben, mine, [Add("a", name), Add("b", name, source=bucket.rid)])) == 2
    assert buckets.apply(ben, mine, [Add("c", name, source=repo.rid)]) == []

    moved = lifecycle.rename(ann, repo, replace(repo.rid, name="renamed"))
    assert buckets.apply(ben, mine, [Add("d", name, source=repo.rid)]) == []
    lifecycle.configure(ann, moved, private=True)
    (failure,) = buckets.apply(ben, mine, [Add("e", name, source=moved.rid)])
    assert "Repository not found" in failure.error
    assert paths(ben, mine) == ["c", "d"]


def test_garbage_is_what_no_bucket_names(ann: Context, bucket: Repo, time: Time) -> None:
    kept, dropped = upload(ann, bucket, WHOLE), upload(ann, bucket, HALF)
    buckets.apply(ann, bucket, [Add("a", kept), Add("b", dropped)])
    buckets.apply(ann, bucket, [Delete("b")])
    for _ in range(3):
        time.forward(gc.GRACE * 2)
        gc.collect(ann)
    assert buckets._held(ann, bucket.id, [kept, dropped]).keys() == {kept}
    with files.open_file(ann, kept) as file:
        assert file.read() == content(WHOLE)
    assert fsck.check(ann, deep=True) == []

    lifecycle.remove(ann, bucket)
    for _ in range(3):
        time.forward(gc.GRACE * 2)
        gc.collect(ann)
    assert list(ann.blobs.keys("xorbs/")) == []


def test_the_same_bytes_cut_otherwise_stay_too(ann: Context, bucket: Repo, time: Time) -> None:
    data = noise(9_000, 1) + noise(8_000, 2)
    one, other = upload(ann, bucket, WHOLE), upload(ann, bucket, [(xorb([data]), 0, 1)])
    buckets.apply(ann, bucket, [Add("a", one), Add("b", other)])
    for _ in range(3):
        time.forward(gc.GRACE * 2)
        gc.collect(ann)
    for name in (one, other):
        with files.open_file(ann, name) as file:
            assert file.read() == data


def test_buckets_are_found_under_their_owner(ann: Context, ben: Context, bucket: Repo, repo: Repo) -> None:
    hidden = lifecycle.create(ann, RepoId(RepoType.BUCKET, "ann", "Hidden"), private=True)
    assert buckets.of_owner(ann, "ANN") == [bucket, hidden]
    assert buckets.of_owner(ann, "ann", "DEN") == [hidden]
    assert buckets.of_owner(ann, "ann", after="ann/bucket") == [hidden]
    assert buckets.of_owner(ben, "ann") == [bucket]
    assert buckets.of_owner(ben, "ben") == []


# letters around '/', and what databases may order otherwise than by code points
PATHS = st.lists(st.text("aB./0é\U0010ffff\ud7ff\ue000", min_size=1, max_size=6), max_size=12, unique=True)


def model_level(found: Iterable[str], prefix: str) -> list[str]:
    marks = set()
    for path in found:
        slash = path.find("/", len(prefix) + 1)
        marks.add(path if slash < 0 else path[: slash + 1])
    return sorted(marks)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=PATHS, prefix=st.text("aB./é\U0010ffff\ud7ff", max_size=3), size=st.integers(1, 3))
def test_lists_in_pages(ann: Context, bucket: Repo, drawn: list[str], prefix: str, size: int) -> None:
    """Against the same in Python: every entry once, in order of code points, whatever the size of a page."""
    name = upload(ann, bucket, HALF)
    buckets.apply(ann, bucket, [Delete(path) for path in paths(ann, bucket)])
    failed = {failure.path for failure in buckets.apply(ann, bucket, [Add(path, name) for path in drawn])}
    found = sorted(path for path in drawn if path not in failed and path.startswith(prefix))

    def all_pages(read: str) -> list[File | Folder]:
        entries: list[File | Folder] = []
        while some := getattr(buckets, read)(ann, bucket, prefix, buckets.mark(entries[-1]) if entries else "", size):
            entries += some
        return entries

    assert [entry.path for entry in all_pages("page")] == found
    level = all_pages("level")
    assert [buckets.mark(entry) for entry in level] == model_level(found, prefix)
    known = {file.path: file for file in buckets.files(ann, bucket, found)}
    assert all(entry == known[entry.path] for entry in level if isinstance(entry, File))
