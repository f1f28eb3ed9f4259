"""What every blob store must do. A new one goes into the fixture `store`."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from corral.storage.blobs import BlobStore, connect
from corral.storage.blobs.local import LocalStore

KEY = "blobs/ab/cd/abcdef"


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return connect(f"file://{tmp_path}/store" if request.param == "file" else "memory:")


def put(store: BlobStore, key: str, data: bytes) -> None:
    with store.writer() as writer:
        writer.write(data)
        writer.commit(key)


def get(store: BlobStore, key: str, start: int = 0, length: int | None = None) -> bytes:
    with store.open(key, start, length) as file:
        return file.read()


def test_what_was_committed_is_there(store: BlobStore) -> None:
    with store.writer() as writer:
        assert [writer.write(b"one "), writer.write(bytearray(b"two ")), writer.write(memoryview(b"three"))] == [
            4,
            4,
            5,
        ]
        writer.commit(KEY)
    assert get(store, KEY) == b"one two three"
    assert store.size(KEY) == 13
    assert list(store.keys()) == [KEY]
    path = store.path(KEY)
    assert path is None or path.read_bytes() == b"one two three"


def test_a_blob_may_be_empty(store: BlobStore) -> None:
    put(store, KEY, b"")
    assert (get(store, KEY), store.size(KEY), list(store.keys())) == (b"", 0, [KEY])


def test_nothing_is_seen_before_the_commit(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"half")
        assert store.size(KEY) is None
        assert list(store.keys()) == []


def test_left_uncommitted_or_discarded_it_vanishes(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"left")
    with pytest.raises(ZeroDivisionError), store.writer() as writer:
        writer.write(b"broken")
        raise ZeroDivisionError
    writer = store.writer()
    writer.write(b"discarded")
    writer.discard()
    writer.discard()
    assert list(store.keys()) == []
    # not even as rubbish to be swept
    assert store.sweep_incoming(float("inf")) == 0


def test_writers_do_not_meet(store: BlobStore) -> None:
    first, second = store.writer(), store.writer()
    first.write(b"1")
    second.write(b"2")
    first.commit("a/1")
    second.commit("a/2")
    assert (get(store, "a/1"), get(store, "a/2")) == (b"1", b"2")


def test_what_is_absent(store: BlobStore) -> None:
    assert store.size(KEY) is None
    with pytest.raises(KeyError):
        store.open(KEY)
    store.delete(KEY)
    path = store.path(KEY)
    assert path is None or not path.exists()


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, b"0123456789"), (3, None, b"3456789"), (3, 4, b"3456"), (0, 0, b""), (8, 10, b"89"), (10, 1, b""),
     (99, None, b"")],
)  # fmt: skip
def test_ranges(store: BlobStore, start: int, length: int | None, expected: bytes) -> None:
    put(store, KEY, b"0123456789")
    assert get(store, KEY, start, length) == expected
    with store.open(KEY, start, length) as file:
        # in small pieces too, to the end
        assert b"".join(iter(lambda: file.read(3), b"")) == expected
    with store.open(KEY, start, length) as file:
        buffer = io.BytesIO()
        buffer.write(file.read(1))
        buffer.write(file.read())
        assert buffer.getvalue() == expected


def test_the_same_key_again_is_harmless(store: BlobStore) -> None:
    put(store, KEY, b"content")
    with store.open(KEY) as file:
        put(store, KEY, b"content")
        assert file.read() == b"content"
    assert (get(store, KEY), list(store.keys())) == (b"content", [KEY])


def test_the_same_key_from_many_threads(store: BlobStore) -> None:
    threads = [threading.Thread(target=put, args=(store, f"a/{n % 2}/x", b"%d" % (n % 2))) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.keys()) == ["a/0/x", "a/1/x"]
    assert (get(store, "a/0/x"), get(store, "a/1/x")) == (b"0", b"1")


def test_delete(store: BlobStore) -> None:
    put(store, KEY, b"x")
    put(store, f"{KEY}0", b"y")
    with store.open(KEY) as file:
        store.delete(KEY)
        # who reads it already reads on
        assert file.read() == b"x"
    assert store.size(KEY) is None
    assert list(store.keys()) == [f"{KEY}0"]


def test_adopted_files_are_moved(store: BlobStore, tmp_path: Path) -> None:
    for _ in range(2):
        source = tmp_path / "source"
        source.write_bytes(b"pack")
        store.adopt(source, KEY)
        assert not source.exists()
        assert get(store, KEY) == b"pack"


def test_adopting_from_another_file_system(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system to write to")
    source = other / f"corral-test-{os.getpid()}"
    source.write_bytes(b"pack")
    store = LocalStore(tmp_path)
    store.adopt(source, KEY)
    assert not source.exists()
    assert get(store, KEY) == b"pack"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("", 5), ("packs/", 3), ("packs/1", 3), ("packs/1/", 2), ("packs/1/a.p", 1), ("packs/2/", 0), ("nope/", 0),
     ("b", 1), ("packs/1/a.pack", 1)],
)  # fmt: skip
def test_keys_by_prefix(store: BlobStore, prefix: str, expected: int) -> None:
    keys = {"packs/1/a.pack", "packs/1/a.idx", "packs/11/a.pack", "blobs/x", "xorbs/x"}
    for key in keys:
        put(store, key, b"x")
    found = list(store.keys(prefix))
    assert len(found) == expected
    assert set(found) == {key for key in keys if key.startswith(prefix)}


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b", "incoming/x"])
def test_bad_keys(store: BlobStore, key: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    for attempt in (
        lambda: put(store, key, b"x"),
        lambda: store.adopt(source, key),
        lambda: store.open(key),
        lambda: store.size(key),
        lambda: store.delete(key),
    ):
        with pytest.raises(ValueError, match="not a blob key"):
            attempt()
    assert list(store.keys()) == []
    assert store.sweep_incoming(float("inf")) == 0


def test_only_known_kinds_of_store() -> None:
    with pytest.raises(ValueError, match=r"s3://bucket.*use file://"):
        connect("s3://bucket")


def test_what_a_crash_left_is_invisible_and_swept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    crashed, live = store.writer(), store.writer()
    for writer in (crashed, live):
        writer.write(b"half")
    os.utime(crashed.path, (1000, 1000))
    # the next process
    store = LocalStore(tmp_path)
    assert list(store.keys()) == []
    assert store.sweep_incoming(older_than=2000) == 1
    live.commit(KEY)
    assert get(store, KEY) == b"half"


def test_a_large_window(store: BlobStore) -> None:
    data = os.urandom(3 << 20)
    put(store, KEY, data)
    assert get(store, KEY, 12345, 2 << 20) == data[12345 : 12345 + (2 << 20)]
