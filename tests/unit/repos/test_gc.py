from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import insert, select

from building.repos import upload
from building.time import Time
from corral.context import Context
from corral.core.errors import Busy
from corral.repos import blobs, commits, fsck, garbage, gc, git, lfs, lifecycle, lookup, read, refs
from corral.repos.commits import AddFile, AddLargeFile, Header
from corral.repos.git import HEAD_REF
from corral.repos.lfs import Ticket
from corral.repos.lookup import Repo
from corral.storage import schema as t

DAY = 24 * 3600


def change(ctx: Context, repo: Repo, path: str, content: bytes, branch: str = "main") -> str:
    return commits.commit(ctx, repo, branch, Header("change"), [AddFile(path, content)]).oid


def add_large(ctx: Context, repo: Repo, path: str, oid: str) -> str:
    return commits.commit(ctx, repo, "main", Header("large"), [AddLargeFile(path, oid)]).oid


def used(ctx: Context, repo: Repo) -> int:
    found = lookup.get(ctx, repo.id)
    assert found is not None
    return found.used_storage


def packs(ctx: Context, repo: Repo) -> set[str]:
    with ctx.db.read() as c:
        return set(c.scalars(select(t.packs.c.name).where(t.packs.c.repo_id == repo.id)))


def keys(ctx: Context, prefix: str) -> list[str]:
    return list(ctx.blobs.keys(prefix))


def test_what_refs_reach_stays(ann: Context, repo: Repo, time: Time) -> None:
    oid = upload(ann, repo, b"weights" * 99)
    head = add_large(ann, repo, "w.bin", oid)
    change(ann, repo, "w.bin", b"no longer large")
    before = used(ann, repo)
    time.forward(100 * DAY)
    gc.collect(ann)
    time.forward(100 * DAY)
    gc.collect(ann)
    assert read.read_file(ann, repo, head, "w.bin") == b"weights" * 99
    assert keys(ann, "blobs/") == [blobs.blob_key(oid)]
    assert 0 < used(ann, repo) <= before
    assert fsck.check(ann, deep=True) == []


def test_a_large_file_that_no_commit_came_to_name_goes_after_its_time(ann: Context, repo: Repo, time: Time) -> None:
    before = used(ann, repo)
    oid = upload(ann, repo, b"never committed")
    time.forward(gc.GRACE - DAY)
    assert gc.collect(ann).grants == 0
    time.forward(2 * DAY)
    report = gc.collect(ann)
    assert (report.grants, report.large_files) == (1, 1)
    assert blobs.held(ann, repo.id, [oid]) == {}
    assert used(ann, repo) == before
    # the bytes wait for another such time
    assert keys(ann, "blobs/") == [blobs.blob_key(oid)]
    time.forward(gc.GRACE + DAY)
    report = gc.collect(ann)
    assert report.bytes >= len(b"never committed")
    assert keys(ann, "blobs/") == []
    assert fsck.check(ann) == []


def test_asking_for_a_file_again_starts_its_time_again(ann: Context, repo: Repo, time: Time) -> None:
    data = b"late to the party"
    oid = upload(ann, repo, data)
    time.forward(gc.GRACE - DAY)
    (plan,) = lfs.plan(ann, repo, "upload", [{"oid": oid, "size": len(data)}])
    assert plan.ticket is None
    time.forward(2 * DAY)
    gc.collect(ann)
    add_large(ann, repo, "w.bin", oid)
    assert fsck.check(ann) == []


def test_what_one_repository_drops_another_one_keeps(ann: Context, repo: Repo, other: Repo, time: Time) -> None:
    data = b"shared" * 50
    oid = upload(ann, repo, data)
    upload(ann, other, data)
    head = add_large(ann, other, "w.bin", oid)
    for _ in range(3):
        time.forward(gc.GRACE + DAY)
        gc.collect(ann)
    assert blobs.held(ann, repo.id, [oid]) == {}
    assert read.read_file(ann, other, head, "w.bin") == data


def test_a_deleted_repository_frees_its_bytes(ann: Context, repo: Repo, time: Time) -> None:
    add_large(ann, repo, "w.bin", upload(ann, repo, b"weights"))
    lifecycle.remove(ann, repo)
    for _ in range(2):
        time.forward(gc.GRACE + DAY)
        gc.collect(ann)
    assert keys(ann, "") == []


def test_many_commits_end_as_few_packs(ann: Context, repo: Repo, time: Time) -> None:
    for number in range(12):
        head = change(ann, repo, f"{number}.txt", str(number).encode())
    lost = change(ann, repo, "lost.txt", b"on a branch that is deleted")
    commits.squash(ann, repo, "main", "squashed")
    before = packs(ann, repo)
    assert len(before) == 15
    assert gc.tidy(ann, repo.id, most=5) == 15
    (joined,) = packs(ann, repo)
    assert used(ann, repo) == ann.blobs.size(git.pack_key(repo.id, joined, "pack"))
    # also what no ref reaches any more is still there
    assert read.read_file(ann, repo, head, "11.txt") == b"11"
    assert read.read_file(ann, repo, lost, "lost.txt") == b"on a branch that is deleted"
    assert fsck.check(ann, deep=True) == []
    # the old packs may still be in use somewhere: they go later
    assert len(keys(ann, f"packs/{repo.id}/")) == 32
    time.forward(gc.GRACE + DAY)
    gc.collect(ann)
    assert len(keys(ann, f"packs/{repo.id}/")) == 2
    cached = git.bare(ann, repo.id) / "objects" / "pack"
    assert {f.name for f in cached.iterdir()} == {f"pack-{joined}.pack", f"pack-{joined}.idx"}
    assert fsck.check(ann, deep=True) == []
    change(ann, repo, "after.txt", b"still works")


def test_few_packs_are_left_alone(ann: Context, repo: Repo) -> None:
    change(ann, repo, "a", b"a")
    assert gc.tidy(ann, repo.id) == 0
    assert len(packs(ann, repo)) == 2


def test_large_packs_are_not_copied_for_small_ones() -> None:
    assert gc._to_join([("a", 1), ("b", 1), ("c", 2), ("d", 100)]) == ["a", "b", "c"]
    assert gc._to_join([("a", 1), ("b", 5)]) == ["a", "b"]
    assert gc._to_join([("a", 1)]) == ["a"]


def test_whoever_needs_marked_bytes_rescues_them(ann: Context, repo: Repo, other: Repo, time: Time) -> None:
    data = b"twice uploaded"
    oid = upload(ann, repo, data)
    time.forward(gc.GRACE + DAY)
    gc.collect(ann)
    # no row names the bytes now, and their mark runs out
    time.forward(gc.GRACE + DAY)
    upload(ann, other, data)
    add_large(ann, other, "w.bin", oid)
    gc.collect(ann)
    assert fsck.check(ann, deep=True) == []
    with ann.db.read() as c:
        assert blobs.blob_key(oid) not in set(c.scalars(select(t.garbage.c.key)))


def test_whoever_comes_too_late_is_told(ann: Context) -> None:
    with ann.db.write() as c:
        c.execute(insert(t.garbage).values(key="blobs/x", since=0))
    with pytest.raises(Busy), ann.db.write() as c:
        garbage.rescue(ann, c, ["blobs/x"])


def test_a_commit_does_not_name_what_is_swept_meanwhile(
    ann: Context, repo: Repo, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = upload(ann, repo, b"swept")
    main = refs.all(ann, repo.id)[HEAD_REF]
    time.forward(gc.GRACE + DAY)
    build = commits._build

    def slowly(*args: Any) -> str:
        gc.collect(ann)
        return build(*args)

    # the sweep comes after the commit has looked whether the file is here
    monkeypatch.setattr(commits, "_build", slowly)
    with pytest.raises(Busy, match="upload it again"):
        add_large(ann, repo, "w.bin", oid)
    assert refs.all(ann, repo.id)[HEAD_REF] == main
    assert fsck.check(ann) == []


def test_leftovers_of_crashes_go(ann: Context, repo: Repo, time: Time) -> None:
    scratch = ann.settings.data / "tmp" / "push-dead"
    scratch.mkdir()
    whole = lfs.in_parts(ann, Ticket(repo.id, "0" * 64, 7, ann.clock() + 1000))
    lfs.receive_part(ann, whole, 1, [b"1234567"])
    gc.collect(ann)
    assert scratch.exists()
    assert len(keys(ann, "parts/")) == 1
    time.forward(60)
    gc.collect(ann, grace_s=0)
    assert not scratch.exists()
    assert keys(ann, "parts/") == []


def test_beside_writers(ann: Context, repo: Repo) -> None:
    stop = threading.Event()
    failures: list[Exception] = []

    def tidy() -> None:
        while not stop.is_set():
            try:
                gc.tidy(ann, repo.id, most=1)
                gc.collect(ann)
            except Exception as error:
                failures.append(error)

    def write(name: str) -> None:
        try:
            for number in range(8):
                change(ann, repo, f"{name}-{number}.txt", f"{name} {number}".encode())
                add_large(ann, repo, f"{name}-{number}.bin", upload(ann, repo, f"large {name} {number}".encode()))
        except Exception as error:
            failures.append(error)

    sweeper = threading.Thread(target=tidy)
    writers = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    for thread in (sweeper, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    sweeper.join()
    assert failures == []
    head = refs.all(ann, repo.id)[HEAD_REF]
    assert len(read.entries(ann, repo, head)) == 33
    assert fsck.check(ann, deep=True) == []
