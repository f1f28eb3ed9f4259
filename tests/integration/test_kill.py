"""The hub is killed at random moments while clients write to it: what it acknowledged is there afterwards, whole."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, snapshot_download
from huggingface_hub.utils import disable_progress_bars

from building import postgres
from building.git import WorkingCopy
from building.hub import Hub, Person

#: acknowledged operations of each kind, 200 in all
COMMITS, PUSHES, LFS, XET = 90, 50, 40, 20
KILLS = 10
SECONDS = 500


@dataclass
class Repository:
    """What clients did to one repository. Every operation writes a path of its own, so none hides another."""

    id: str
    intended: dict[str, str] = field(default_factory=dict)  # path -> sha256
    acknowledged: dict[str, str] = field(default_factory=dict)  # path -> commit

    def intend(self, path: str, content: bytes) -> str:
        self.intended[path] = hashlib.sha256(content).hexdigest()
        return path


class Clients:
    """Threads that each write until they have been told so many times that it was done."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self.errors: list[str] = []
        self.wanted = 0

    def add(self, count: int, write: Callable[[int], None]) -> None:
        self.wanted += count

        def run() -> None:
            done = number = 0
            while done < count and not self._stop.is_set():
                number += 1
                try:
                    write(number)
                    done += 1
                except Exception as error:
                    # killed, or not up again yet; the next one is a new operation
                    self.errors.append(f"{type(error).__name__}: {error}")
                    time.sleep(0.1)

        self._threads.append(threading.Thread(target=run, daemon=True))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)


def committing(
    person: Person, repo: Repository, name: str, content: Callable[[], bytes], as_file: bool
) -> Callable[[int], None]:
    """A client of the commit API; a file object goes by git-lfs, the bytes themselves by Xet where they are many."""

    def write(number: int) -> None:
        data = content()
        path = repo.intend(f"{name}-{number}.bin" if len(data) > 10_000 else f"{name}-{number}.txt", data)
        add = CommitOperationAdd(path, io.BytesIO(data) if as_file else data)
        done = person.api.create_commit(repo.id, [add], commit_message=f"{name} {number}")
        repo.acknowledged[path] = done.oid

    return write


def pushing(copy: WorkingCopy, repo: Repository, name: str) -> Callable[[int], None]:
    def write(number: int) -> None:
        content = random.randbytes(3000)
        path = repo.intend(f"{name}-{number}.txt", content)
        oid = copy.commit(f"{name} {number}", **{path: content})
        copy.git("push", "-q", "origin", "HEAD:main")
        # this push brought all that earlier ones may have failed to bring
        repo.acknowledged[path] = oid

    return write


@pytest.mark.slow
def test_what_was_acknowledged_survives(tmp_path: Path) -> None:
    survive(Hub(tmp_path / "data"), tmp_path, share=1)


@pytest.mark.slow
def test_so_it_does_with_several_processes_and_postgresql(postgres_server: str, tmp_path: Path) -> None:
    with postgres.database(postgres_server) as url:
        survive(Hub(tmp_path / "data", database_url=url, workers=2), tmp_path, share=4)


def survive(hub: Hub, tmp_path: Path, share: int) -> None:
    """Write to the hub and kill it; `share`: that part of all operations and kills."""
    disable_progress_bars()
    seed = int(os.environ.get("CORRAL_TEST_SEED", time.time_ns() % 10**6))
    dice = random.Random(seed)
    hub.start()
    try:
        ann = hub.person("ann")
        repos = {name: Repository(f"ann/{name}") for name in ("commits", "pushes", "lfs", "xet")}
        for repo in repos.values():
            ann.api.create_repo(repo.id)
        copy = WorkingCopy(tmp_path / "copy", ann.git_url(repos["pushes"].id))
        clients = Clients()
        small = lambda: random.randbytes(2000)  # noqa: E731
        large = lambda: random.randbytes(1_500_000)  # noqa: E731
        for name in ("one", "two", "three"):
            # one repository: they also race each other
            clients.add(COMMITS // 3 // share, committing(ann, repos["commits"], name, small, as_file=False))
        clients.add(PUSHES // share, pushing(copy, repos["pushes"], "push"))
        for name in ("four", "five"):
            clients.add(LFS // 2 // share, committing(ann, repos["lfs"], name, large, as_file=True))
            clients.add(XET // 2 // share, committing(ann, repos["xet"], name, large, as_file=False))
        kills = 0
        began = time.monotonic()
        with clients.running():
            while clients.busy:
                time.sleep(dice.uniform(0.05, 2.0))
                if kills < KILLS // share:
                    hub.kill()
                    hub.start()
                    kills += 1
                assert time.monotonic() - began < SECONDS, f"seed {seed}: too slow\n{clients.errors[-20:]}"
        print(f"seed {seed}: {kills} kills, {len(clients.errors)} operations cut off, {time.monotonic() - began:.0f} s")
        assert kills == KILLS // share
        assert sum(len(repo.acknowledged) for repo in repos.values()) == clients.wanted
        # once more, so that nothing is left in memory
        hub.kill()
        hub.start()
        for name, repo in repos.items():
            check(ann, repo, tmp_path / f"check-{name}")
        assert_whole(hub)
        # and what the crashes left is all that is swept, once nobody writes any more
        hub.kill()
        swept = hub.corral("gc", "--grace", "0")
        assert swept.returncode == 0, swept.stdout + swept.stderr
        assert_whole(hub)
        assert list((hub.folder / "store" / "incoming").iterdir()) == []
        assert list((hub.folder / "tmp").iterdir()) == []
    finally:
        hub.kill()
        hub.ctx.db.close()


def assert_whole(hub: Hub) -> None:
    checked = hub.corral("fsck", "--deep")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def check(person: Person, repo: Repository, folder: Path) -> None:
    """All that was acknowledged is in the history and in the files; what is there is as somebody meant it."""
    copy = WorkingCopy(folder / "clone", person.git_url(repo.id))
    history = set(copy.git("log", "--format=%H").decode().split())
    lost = {path: oid for path, oid in repo.acknowledged.items() if oid not in history}
    assert not lost, f"{repo.id}: acknowledged commits are gone: {lost}"
    subprocess.run(["git", "fsck", "--strict"], cwd=copy.folder, check=True, capture_output=True)
    snapshot = Path(
        snapshot_download(repo.id, endpoint=person.url, token=person.token, cache_dir=folder / "cache", max_workers=2)
    )
    found = {
        file.relative_to(snapshot).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in snapshot.rglob("*")
        if file.is_file() and file.name != ".gitattributes"
    }
    assert repo.acknowledged.keys() <= found.keys()
    half = {path for path, sha256 in found.items() if repo.intended.get(path) != sha256}
    assert not half, f"{repo.id}: not as they were sent: {half}"
