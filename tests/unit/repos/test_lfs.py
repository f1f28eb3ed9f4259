from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor, TokenRole
from corral.core.errors import Forbidden, HubError, NotFound, Unauthorized, Unprocessable
from corral.repos import blobs, lfs, lifecycle, lookup
from corral.repos.lfs import Ticket
from corral.repos.lookup import Repo

DATA = b"weights" * 1000
OID = hashlib.sha256(DATA).hexdigest()
KEY = blobs.blob_key(OID)


def ticket(ctx: Context, repo: Repo, size: int = len(DATA), oid: str = OID) -> Ticket:
    return Ticket(repo.id, oid, size, ctx.clock() + 1000)


def storage(ctx: Context, repo: Repo) -> int:
    found = lookup.get(ctx, repo.id)
    assert found is not None
    return found.used_storage


def test_an_object_is_stored_and_held_by_its_repository_alone(ann: Context, repo: Repo, other: Repo) -> None:
    before = storage(ann, repo)
    lfs.receive(ann, ticket(ann, repo), [DATA[:10], DATA[10:]])
    assert blobs.held(ann, repo.id, [OID]) == {OID: len(DATA)}
    assert blobs.held(ann, other.id, [OID]) == {}
    with blobs.open_bytes(ann, OID, 7, 7) as file:
        assert file.read() == b"weights"
    assert storage(ann, repo) == before + len(DATA)


def test_the_same_object_counts_once(ann: Context, repo: Repo, other: Repo) -> None:
    before = storage(ann, repo)
    for _ in range(2):
        lfs.receive(ann, ticket(ann, repo), [DATA])
    lfs.receive(ann, ticket(ann, other), [DATA])
    assert storage(ann, repo) == before + len(DATA)
    assert list(ann.blobs.keys("blobs/")) == [KEY]


@pytest.mark.parametrize(
    ("chunks", "code"),
    [
        ([DATA[:-1]], "SizeMismatch"),
        ([DATA, b"x"], "SizeMismatch"),
        ([], "SizeMismatch"),
        ([b"X" + DATA[1:]], "HashMismatch"),
    ],
)
def test_bytes_that_were_not_promised_are_refused(ann: Context, repo: Repo, chunks: list[bytes], code: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        lfs.receive(ann, ticket(ann, repo), chunks)
    assert (refusal.value.status, refusal.value.code) == (422, code)
    assert blobs.held(ann, repo.id, [OID]) == {}
    assert list(ann.blobs.keys("blobs/")) == []


def test_a_body_that_breaks_off_leaves_nothing(ann: Context, repo: Repo) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA[:100]
        raise HubError("gone")

    with pytest.raises(HubError, match="gone"):
        lfs.receive(ann, ticket(ann, repo), broken())
    assert list(ann.blobs.keys("blobs/")) == []
    assert blobs.held(ann, repo.id, [OID]) == {}


def test_an_empty_object(ann: Context, repo: Repo) -> None:
    empty = hashlib.sha256().hexdigest()
    lfs.receive(ann, ticket(ann, repo, 0, empty), [])
    assert blobs.held(ann, repo.id, [empty]) == {empty: 0}


def test_upload_to_a_repository_that_was_deleted_meanwhile(ann: Context, repo: Repo) -> None:
    promised = ticket(ann, repo)
    lifecycle.remove(ann, repo)
    with pytest.raises(NotFound):
        lfs.receive(ann, promised, [DATA])


def test_a_plan_asks_for_what_is_missing_here(ann: Context, repo: Repo, other: Repo) -> None:
    wanted = [{"oid": OID, "size": len(DATA)}]
    (plan,) = lfs.plan(ann, repo, "upload", wanted)
    assert plan.ticket is not None
    assert (plan.ticket.repo_id, plan.ticket.sha256, plan.ticket.size) == (repo.id, OID, len(DATA))
    lfs.receive(ann, plan.ticket, [DATA])
    (plan,) = lfs.plan(ann, repo, "upload", wanted)
    assert (plan.ticket, plan.error) == (None, None)
    (plan,) = lfs.plan(ann, repo, "download", wanted)
    assert plan.ticket is not None
    # naming a hash is no proof of having the bytes
    (plan,) = lfs.plan(ann, other, "upload", wanted)
    assert plan.ticket is not None
    (plan,) = lfs.plan(ann, other, "download", wanted)
    assert plan.error is not None
    assert plan.error[0] == 404


@pytest.mark.parametrize(
    "item",
    [
        {"oid": OID[:-1], "size": 1},
        {"oid": OID.upper(), "size": 1},
        {"oid": "../../etc/passwd", "size": 1},
        {"oid": OID, "size": -1},
        {"oid": OID, "size": "7"},
        {"oid": OID, "size": True},
        {"oid": OID, "size": 2**70},
        {"oid": OID},
        {"oid": 7, "size": 1},
        {"size": 1},
        "not an object",
        None,
    ],
)
def test_malformed_objects_are_refused_one_by_one(ann: Context, repo: Repo, item: object) -> None:
    bad, good = lfs.plan(ann, repo, "upload", [item, {"oid": OID, "size": len(DATA)}])
    assert bad.error is not None
    assert bad.error[0] == 422
    assert good.ticket is not None


def test_another_size_than_the_known_one_is_refused(ann: Context, repo: Repo) -> None:
    lfs.receive(ann, ticket(ann, repo), [DATA])
    for operation in ("upload", "download"):
        (plan,) = lfs.plan(ann, repo, operation, [{"oid": OID, "size": 1}])
        assert plan.error is not None
        assert plan.error[0] == 422


def test_a_ticket_is_good_for_what_it_says_alone(ann: Context, repo: Repo, other: Repo) -> None:
    good = ticket(ann, repo)
    signature = good.sign(ann, "lfs-upload")
    good.check(ann, "lfs-upload", signature)
    forged = [
        replace(good, repo_id=other.id),
        replace(good, sha256="0" * 64),
        replace(good, size=1),
        replace(good, expires=good.expires + 1),
        replace(good, upload="x"),
        replace(good, part_size=2),
    ]
    for bad in forged:
        with pytest.raises(Forbidden, match="not valid"):
            bad.check(ann, "lfs-upload", signature)
    with pytest.raises(Forbidden, match="not valid"):
        good.check(ann, "lfs-download", signature)
    with pytest.raises(Forbidden, match="not valid"):
        good.check(ann, "lfs-upload", "é")
    with pytest.raises(Forbidden, match="expired"):
        replace(good, expires=0).check(ann, "lfs-upload", replace(good, expires=0).sign(ann, "lfs-upload"))


@pytest.fixture
def parts(ann: Context, repo: Repo) -> Ticket:
    """An upload in three parts."""
    small = replace(ann, settings=replace(ann.settings, lfs_part_size=3000))
    return lfs.in_parts(small, ticket(ann, repo))


def test_an_object_in_parts(ann: Context, repo: Repo, parts: Ticket) -> None:
    assert parts.parts == 3
    etags = {lfs.receive_part(ann, parts, n, [DATA[(n - 1) * 3000 : n * 3000]]) for n in (2, 1, 3)}
    assert len(etags) == 3
    lfs.complete(ann, parts)
    assert blobs.held(ann, repo.id, [OID]) == {OID: len(DATA)}
    assert list(ann.blobs.keys("parts/")) == []
    # a client that did not hear the answer asks again
    lfs.complete(ann, parts)


def test_parts_that_are_missing_or_wrong(ann: Context, parts: Ticket) -> None:
    for number, data in ((0, DATA[:3000]), (4, DATA[:3000]), (1, DATA[:2999]), (3, DATA[:3000])):
        with pytest.raises(Unprocessable):
            lfs.receive_part(ann, parts, number, [data])
    lfs.receive_part(ann, parts, 1, [DATA[:3000]])
    with pytest.raises(Unprocessable, match="Part 2"):
        lfs.complete(ann, parts)
    lfs.receive_part(ann, parts, 2, [DATA[:3000]])
    lfs.receive_part(ann, parts, 3, [DATA[6000:]])
    with pytest.raises(Unprocessable, match="SHA-256"):
        lfs.complete(ann, parts)
    assert list(ann.blobs.keys("blobs/")) == []


def test_parts_grow_with_the_object(ann: Context, repo: Repo) -> None:
    huge = lfs.in_parts(ann, ticket(ann, repo, 10**15))
    assert huge.parts <= lfs.MAX_PARTS
    assert huge.part_size * huge.parts >= huge.size


def test_who_may_upload(ann: Context, repo: Repo) -> None:
    lfs.require_upload(ann, repo)
    # somebody who may propose a change brings its files
    lfs.require_upload(ann.acting_as(Actor(10**6, "ben", token_role=TokenRole.WRITE)), repo)
    with pytest.raises(Unauthorized):
        lfs.require_upload(ann.acting_as(ANONYMOUS), repo)
    with pytest.raises(Forbidden, match="only read"):
        lfs.require_upload(ann.acting_as(replace(ann.actor, token_role=TokenRole.READ)), repo)


def test_verify(ann: Context, repo: Repo) -> None:
    with pytest.raises(NotFound):
        lfs.verify(ann, repo, OID, len(DATA))
    lfs.receive(ann, ticket(ann, repo), [DATA])
    lfs.verify(ann, repo, OID, len(DATA))
    for oid, size in ((OID, 1), ("x", 1), (None, None)):
        with pytest.raises(Unprocessable):
            lfs.verify(ann, repo, oid, size)
