"""Whatever a push is made of, either it is acknowledged and whole, or nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building.git import MAIN, WorkingCopy, push_body
from corral.accounts import people
from corral.context import Context
from corral.core.actor import Actor
from corral.core.errors import HubError
from corral.core.ids import RepoId, RepoType
from corral.core.settings import Settings
from corral.repos import fsck, git, lifecycle, push, refs
from corral.repos.lookup import Repo
from corral.repos.smart import Packets, packet
from corral.storage.blobs import connect
from corral.storage.database import Database
from corral.storage.migrate import upgrade


@dataclass
class Case:
    ctx: Context
    repo: Repo
    body: bytes


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A hub, a repository of it, and a push that would be fine."""
    folder = tmp_path_factory.mktemp("push")
    db = Database(f"sqlite:///{folder}/corral.db")
    upgrade(db)
    (folder / "tmp").mkdir()
    ctx = Context(Settings(data=folder), db, connect("memory:"), b"secret")
    ctx = ctx.acting_as(Actor(people.create_user(ctx, "ann").id, "ann"))
    repo = lifecycle.create(ctx, RepoId(RepoType.MODEL, "ann", "model"))
    copy = WorkingCopy(Path(folder) / "copy", git.bare(ctx, repo.id))
    old = copy.oid()
    new = copy.commit("change", **{"a.txt": "some text " * 30, "b/c.bin": bytes(range(256))})
    yield Case(ctx, repo, push_body([(old, new, MAIN)], copy.pack(new, old), "report-status atomic"))
    db.close()


damages = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "drop"]), st.integers(0, 10**6), st.binary(max_size=9)),
    min_size=1,
    max_size=4,
)


def damaged(body: bytes, damage: list[tuple[str, int, bytes]]) -> bytes:
    for kind, where, more in damage:
        at = where % (len(body) + 1)
        match kind:
            case "flip":
                body = body[:at] + bytes(b ^ 0x5A for b in body[at : at + 1]) + body[at + 1 :]
            case "cut":
                body = body[:at]
            case "insert":
                body = body[:at] + more + body[at:]
            case "drop":
                body = body[:at] + body[at + len(more) :]
    return body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages, st.integers(1, 400))
def test_a_damaged_push_changes_nothing(case: Case, damage: list[tuple[str, int, bytes]], step: int) -> None:
    body = damaged(case.body, damage)
    before = refs.all(case.ctx, case.repo.id)
    try:
        answer = push.receive(case.ctx, case.repo, (body[at : at + step] for at in range(0, len(body), step)))
    except HubError:
        answer = b""
    after = refs.all(case.ctx, case.repo.id)
    # a damaged name can still be a good one, and a damaged ability is one that nobody knows
    assert (after != before) == (b"ok refs/" in answer)
    assert fsck.check(case.ctx, deep=True) == []
    assert not list((case.ctx.settings.data / "tmp").iterdir())


@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(1, 50), st.binary(max_size=300))
def test_packets_are_read_alike_however_they_are_cut(lines: list[bytes], step: int, rest: bytes) -> None:
    body = b"".join(packet(line) for line in lines) + b"0000" + rest
    packets = Packets(body[at : at + step] for at in range(0, len(body), step))
    assert packets.until_flush(20) == lines
    assert b"".join(packets.rest()) == rest
