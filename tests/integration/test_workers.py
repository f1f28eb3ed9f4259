"""Several web processes of one hub: what one acknowledged, every other one knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from building import postgres
from building.hub import Hub

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def wide_hub(request: pytest.FixtureRequest, run_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A hub with three web processes."""
    if request.param == "sqlite":
        yield run_hub(workers=3)
        return
    with postgres.database(request.getfixturevalue("postgres_server")) as url:
        hub = run_hub(database_url=url, workers=3)
        yield hub
        hub.ctx.db.close()
        hub.kill()


def test_commits_through_one_process_are_seen_through_all(wide_hub: Hub) -> None:
    person = wide_hub.person()
    repos = [person.api.create_repo(f"{person.name}/repo-{n}").repo_id for n in range(4)]

    def write(repo: str) -> dict[str, str]:
        """Commits one after the other, each read back at once on three new connections."""
        wrote = {}
        for number in range(6):
            line = f'{{"key":"header","value":{{"summary":"{number}","description":""}}}}\n'
            line += f'{{"key":"file","value":{{"path":"n.txt","content":"{number}","encoding":"utf-8"}}}}\n'
            made = httpx.post(
                f"{wide_hub.url}/api/models/{repo}/commit/main", content=line, headers=person.headers, timeout=60
            )
            assert made.status_code == 200, made.text
            wrote[made.json()["commitOid"]] = str(number)
            for _ in range(3):
                read = httpx.get(f"{wide_hub.url}/{repo}/resolve/main/n.txt", timeout=60)
                assert (read.status_code, read.text) == (200, str(number))
        return wrote

    with ThreadPoolExecutor(4) as pool:
        written = dict(zip(repos, pool.map(write, repos), strict=True))
    for repo, commits in written.items():
        for oid, text in commits.items():
            assert httpx.get(f"{wide_hub.url}/{repo}/resolve/{oid}/n.txt", timeout=60).text == text
    assert wide_hub.corral("fsck").returncode == 0
    began = time.monotonic()
    wide_hub.stop()
    assert time.monotonic() - began < 15
    assert "Traceback" not in wide_hub.log
