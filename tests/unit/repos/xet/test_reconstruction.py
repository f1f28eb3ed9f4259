from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from building.xet import Part, content, file_block, file_hash, noise, shard, xorb
from corral.context import Context
from corral.core.actor import Actor
from corral.core.errors import Forbidden, NotFound, Unauthorized
from corral.repos.lookup import Repo
from corral.repos.xet import access, dedup, hashing
from corral.repos.xet.reconstruction import BeyondEnd, Piece, plan
from corral.repos.xet.register import register
from corral.repos.xet.shard import parse
from corral.repos.xet.xorbs import XorbUpload
from corral.storage import schema as t

X = xorb([noise(1000, n) for n in range(10)])
Y = xorb([noise(500, n) for n in range(20, 24)])
#: 4,000 + 1,000 + 2,000 bytes of data, whose last chunk is one of the first as well
PARTS: list[Part] = [(X, 2, 6), (Y, 1, 3), (X, 5, 7)]
NAME = hashing.to_hex(file_hash(PARTS))


@pytest.fixture
def stored(ctx: Context, repo: Repo) -> Repo:
    for x in (X, Y):
        with XorbUpload(ctx, repo.id, x.hash) as sink:
            sink.write(x.body)
            sink.finish()
    register(ctx, repo.id, parse(shard([file_block(PARTS)], [X, Y])))
    return repo


def fetch(ctx: Context, repo: Repo, start: int, end: int | None) -> bytes:
    """What a client makes of a plan, taking no byte that the plan does not name."""
    found = plan(ctx, repo.id, NAME, start, end)
    bodies, chunks = {X.hash: X, Y.hash: Y}, {}
    for name, pieces in found.pieces.items():
        for piece in pieces:
            at = piece.start
            for number in range(piece.first, piece.end):
                data = bodies[name].chunks[number]
                assert bodies[name].body[at + 8 : at + 8 + len(data)] == data
                chunks[name, number] = data
                at += 8 + len(data)
            assert at == piece.stop
    steps = [b"".join(chunks[s.xorb, n] for n in range(s.first, s.end)) for s in found.steps]
    assert [len(data) for data in steps] == [s.size for s in found.steps]
    return b"".join(steps)[found.skip :]


def test_every_range_has_its_bytes(ctx: Context, stored: Repo) -> None:
    whole = content(PARTS)
    for start in (0, 1, 999, 1000, 3999, 4000, 4700, 5000, 6999):
        for length in (1, 2, 1000, 3500, 7000, 10**9, None):
            end = None if length is None else start + length
            data = fetch(ctx, stored, start, end)
            assert data.startswith(whole[start:end])
            assert len(data) - len(whole[start:end]) < 1000, "no chunk beyond the last one that is needed"


def test_the_whole_file_names_each_byte_once(ctx: Context, stored: Repo) -> None:
    found = plan(ctx, stored.id, NAME)
    assert found.pieces == {X.hash: [Piece(2, 7, 2 * 1008, 7 * 1008)], Y.hash: [Piece(1, 3, 508, 3 * 508)]}


@pytest.mark.parametrize("start", [7000, 7001, 2**63])
def test_past_the_end_is_416(ctx: Context, stored: Repo, start: int) -> None:
    with pytest.raises(BeyondEnd) as caught:
        plan(ctx, stored.id, NAME, start, start + 10)
    assert caught.value.status == 416


def test_of_a_repository_that_does_not_hold_it_there_is_none(ctx: Context, stored: Repo, hidden: Repo) -> None:
    with pytest.raises(NotFound):
        plan(ctx, hidden.id, NAME)


def test_deduplication_tells_only_of_what_the_asker_may_read(ctx: Context, stored: Repo, hidden: Repo) -> None:
    first = hashing.to_hex(X.nodes[2][0])
    ben = hidden.owner_id
    told = dedup.answer(ctx, hidden.id, ben, first)
    assert told is not None, "the repository is public"
    # the chunk's own xorb first, then the other one of its file
    assert parse(told).xorbs == [(X.raw, 10), (Y.raw, 4)]
    assert dedup.answer(ctx, hidden.id, ben, hashing.to_hex(X.nodes[3][0])) is None, "not the first chunk of a file"
    with ctx.db.write() as c:
        c.execute(t.repos.update().where(t.repos.c.id == stored.id).values(private=True))
    assert dedup.answer(ctx, hidden.id, ben, first) is None
    assert dedup.answer(ctx, hidden.id, None, first) is None
    assert dedup.answer(ctx, stored.id, ben, first) is not None, "who uploads to the repository itself"
    assert dedup.answer(ctx, hidden.id, stored.owner_id, first) is not None, "its owner"


def test_tokens(ctx: Context) -> None:
    ann = ctx.acting_as(Actor(7))
    token, expires = access.issue(ann, 3, write=True)
    assert access.check(ctx, token) == access.Grant(3, 7, True, expires)
    assert access.check(ctx, access.issue(ctx, 3, write=False)[0]).actor_id is None
    forged = token.replace(".w.", ".r.")
    for wrong in (None, "", "xet_", "xet_1.2.w.9999999999.", forged, token[:-1], token + "é", "hf_abc"):
        with pytest.raises(Unauthorized):
            access.check(ctx, wrong)
    later = replace(ctx, clock=lambda: (expires + 1) * 1000)
    with pytest.raises(Unauthorized, match="expired"):
        access.check(later, token)


def test_addresses(ctx: Context) -> None:
    url = urlsplit(access.address(ctx, X.hash, [(0, 9), (20, 29)]))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    ranges, expires, signature = query["ranges"], int(query["expires"]), query["signature"]
    assert access.allowed(ctx, X.hash, ranges, expires, signature) == [(0, 9), (20, 29)]
    wrong = [(Y.hash, ranges, expires), (X.hash, "0-99", expires), (X.hash, ranges, expires + 1)]
    for changed in wrong:
        with pytest.raises(Forbidden):
            access.allowed(ctx, *changed, signature)
    with pytest.raises(Forbidden):
        access.allowed(replace(ctx, clock=lambda: (expires + 1) * 1000), X.hash, ranges, expires, signature)
