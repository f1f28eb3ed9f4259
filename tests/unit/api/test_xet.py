"""The Xet routes as a client meets them on the wire; the clients themselves are in tests/contract."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from building.xet import Part, Xorb, content, file_block, file_hash, noise, shard, xorb
from corral.accounts import people, tokens
from corral.core.actor import Actor, TokenRole
from corral.core.ids import RepoId, RepoType
from corral.core.settings import Settings
from corral.repos import lifecycle
from corral.repos.xet import hashing
from corral.repos.xet.xorb import MAX_XORB
from corral.server.app import build
from corral.server.hub import open_hub

X = xorb([noise(30_000, n) for n in range(8)])
PARTS: list[Part] = [(X, 0, 2), (X, 5, 8), (X, 3, 4)]
NAME = hashing.to_hex(file_hash(PARTS))
DATA = content(PARTS)
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Hub:
    http: TestClient
    ann: str
    ben: str
    reader: str

    def token(self, who: str, repo: str, scope: str = "write", rev: str = "main") -> str:
        answer = self.http.get(f"/api/models/{repo}/xet-{scope}-token/{rev}", headers=bearer(who))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    def upload(self, token: str, x: Xorb = X, body: bytes | None = None) -> Any:
        return self.http.post(f"/xet/v1/xorbs/default/{x.hash}", headers=bearer(token), content=body or x.body)

    def register(self, token: str, path: str = "/xet/v2/shards") -> Any:
        return self.http.post(path, headers=bearer(token), content=shard([file_block(PARTS)], [X]))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The data folder of a hub with two users, an open and a private repository of each, and their tokens."""
    folder = tmp_path_factory.mktemp("seeded")
    ctx = open_hub(Settings(data=folder))
    secrets = {}
    for name in ("ann", "ben"):
        user = people.create_user(ctx, name)
        secrets[name] = tokens.create(ctx, user.id, "test", TokenRole.WRITE)
        secrets[f"{name} reads"] = tokens.create(ctx, user.id, "read", TokenRole.READ)
        actor = ctx.acting_as(Actor(user.id, name))
        lifecycle.create(actor, RepoId(RepoType.MODEL, name, "open"))
        lifecycle.create(actor, RepoId(RepoType.MODEL, name, "private"), private=True)
    ctx.db.close()
    return folder, secrets


@pytest.fixture
def hub(seeded: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[Hub]:
    folder, secrets = seeded
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    with TestClient(build(Settings(data=data)), base_url="http://hub.test:8080") as http:
        yield Hub(http, secrets["ann"], secrets["ben"], secrets["ben reads"])


def test_a_token_comes_in_headers_and_in_the_body(hub: Hub) -> None:
    answer = hub.http.get("/api/models/ann/open/xet-write-token/main", headers=bearer(hub.ann))
    body = answer.json()
    assert body["casUrl"] == answer.headers["X-Xet-Cas-Url"] == "http://hub.test:8080/xet"
    assert body["accessToken"] == answer.headers["X-Xet-Access-Token"]
    assert str(body["exp"]) == answer.headers["X-Xet-Token-Expiration"]


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("", "ann/open/xet-read-token/main", 200),
        ("", "ann/open/xet-write-token/main", 401),
        ("", "ann/open/xet-write-token/None?create_pr=1", 401),
        ("", "ann/private/xet-read-token/main", 401),
        ("ben", "ann/open/xet-write-token/main", 403),
        ("ben", "ann/open/xet-write-token/None?create_pr=1", 200),
        ("ben", "ann/open/xet-write-token/refs%2Fpr%2F1", 200),
        ("ben reads", "ann/open/xet-write-token/None?create_pr=1", 403),
        ("ben reads", "ann/open/xet-read-token/refs%2Fpr%2F1", 200),
        ("ben", "ann/private/xet-read-token/main", 404),
        ("ben", "ann/private/xet-write-token/None?create_pr=1", 404),
        ("ben", "ann/absent/xet-write-token/None?create_pr=1", 404),
        ("ann", "ann/private/xet-write-token/main", 200),
    ],
)
def test_who_gets_a_token(hub: Hub, who: str, path: str, status: int) -> None:
    secret = {"": "", "ann": hub.ann, "ben": hub.ben, "ben reads": hub.reader}[who]
    answer = hub.http.get(f"/api/models/{path}", headers=bearer(secret))
    assert answer.status_code == status
    if status in (401, 404) and "private" in path:
        absent = hub.http.get(f"/api/models/{path.replace('private', 'absent')}", headers=bearer(secret))
        assert (absent.status_code, absent.json()) == (status, answer.json()), "hidden is as absent"


def test_the_cas_wants_its_own_token(hub: Hub) -> None:
    read = hub.token(hub.ann, "ann/open", "read")
    for token, status in (("", 401), (hub.ann, 401), (read + "0", 401), (read, 403)):
        assert hub.upload(token).status_code == status
        assert hub.register(token).status_code == status
    assert hub.http.get(f"/xet/v2/reconstructions/{NAME}").status_code == 401
    assert hub.http.get(f"/xet/v1/chunks/default/{NAME}").status_code == 401


@pytest.mark.parametrize("path", ["/xet/v1/shards", "/xet/v2/shards", "/xet/shards"])
def test_up_and_down_again(hub: Hub, path: str) -> None:
    token = hub.token(hub.ann, "ann/private")
    assert hub.upload(token).json() == {"was_inserted": True}
    assert hub.upload(token).json() == {"was_inserted": False}
    answer = hub.register(token, path)
    assert json.loads(answer.text.splitlines()[-1])["result"] == 1
    read = bearer(hub.token(hub.ann, "ann/private", "read"))
    plan = hub.http.get(f"/xet/v2/reconstructions/{NAME}", headers=read).json()
    (fetch,) = plan["xorbs"][X.hash]
    stride = 30_008
    assert [r["bytes"] for r in fetch["ranges"]] == [
        {"start": first * stride, "end": end * stride - 1} for first, end in ((0, 2), (3, 4), (5, 8))
    ]
    assert [(term["range"]["start"], term["range"]["end"]) for term in plan["terms"]] == [(0, 2), (5, 8), (3, 4)]
    # no credentials for the bytes, as hf_xet has it
    single = hub.http.get(fetch["url"], headers={"Range": f"bytes={stride}-{2 * stride - 1}"})
    assert (single.status_code, single.content) == (206, X.body[stride : 2 * stride])
    assert single.headers["Content-Range"] == f"bytes {stride}-{2 * stride - 1}/{len(X.body)}"
    v1 = hub.http.get(f"/xet/v1/reconstructions/{NAME}", headers=read).json()
    assert v1["terms"] == plan["terms"]
    for part in v1["fetch_info"][X.hash]:
        span = part["url_range"]
        got = hub.http.get(part["url"], headers={"Range": f"bytes={span['start']}-{span['end']}"})
        assert got.content == X.body[part["range"]["start"] * stride : part["range"]["end"] * stride]


def test_several_ranges_come_in_parts(hub: Hub) -> None:
    token = hub.token(hub.ann, "ann/open")
    hub.upload(token), hub.register(token)
    plan = hub.http.get(f"/xet/v2/reconstructions/{NAME}", headers=bearer(token)).json()
    url = plan["xorbs"][X.hash][0]["url"]
    answer = hub.http.get(url, headers={"Range": "bytes=0-9, 100-199,150100-150109"})
    assert answer.status_code == 206
    kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    _, *parts, end = answer.content.split(f"\r\n--{boundary}".encode())
    assert end == b"--\r\n"
    for part, (start, last) in zip(parts, ((0, 9), (100, 199), (150100, 150109)), strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {start}-{last}/{len(X.body)}".encode() in head
        assert body == X.body[start : last + 1]


@pytest.mark.parametrize(
    "header", [None, "bytes=0-60016", "bytes=60016-90000", "bytes=5-1", "bytes=-5", "bytes=0-5,60016-60020"]
)
def test_an_address_is_good_for_its_bytes_only(hub: Hub, header: str | None) -> None:
    token = hub.token(hub.ann, "ann/open")
    hub.upload(token), hub.register(token)
    plan = hub.http.get(f"/xet/v2/reconstructions/{NAME}", headers=bearer(token)).json()
    url = plan["xorbs"][X.hash][0]["url"]
    assert hub.http.get(url, headers={"Range": header} if header else {}).status_code == 403
    assert hub.http.get(url.replace("ranges=0-", "ranges=1-"), headers={"Range": "bytes=1-5"}).status_code == 403


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_ranges_of_a_file(hub: Hub, version: str) -> None:
    token = hub.token(hub.ann, "ann/open")
    hub.upload(token), hub.register(token)

    def ask(header: str) -> Any:
        url = f"/xet/{version}/reconstructions/{NAME}"
        return hub.http.get(url, headers=bearer(token) | {"Range": header})

    answer = ask("bytes=35000-64999").json()
    assert answer["offset_into_first_range"] == 5000
    assert [t["range"] for t in answer["terms"]] == [{"start": 1, "end": 2}, {"start": 5, "end": 6}]
    assert ask(f"bytes={len(DATA) - 1}-{len(DATA) + 99}").status_code == 200
    assert ask(f"bytes={len(DATA)}-{len(DATA) + 99}").status_code == 416
    assert ask("bytes=-5").status_code == ask("rows=1-2").status_code == 400


def test_another_repository_sees_nothing_of_it(hub: Hub) -> None:
    token = hub.token(hub.ann, "ann/private")
    hub.upload(token), hub.register(token)
    first = hashing.to_hex(X.nodes[0][0])
    for who, repo in ((hub.ben, "ben/open"), (hub.ann, "ann/open")):
        other = bearer(hub.token(who, repo))
        for version in ("v1", "v2"):
            answer = hub.http.get(f"/xet/{version}/reconstructions/{NAME}", headers=other)
            absent = hub.http.get(f"/xet/{version}/reconstructions/{'0' * 63}1", headers=other)
            assert answer.status_code == absent.status_code == 404
    ben, ann = bearer(hub.token(hub.ben, "ben/open")), bearer(hub.token(hub.ann, "ann/open"))
    assert hub.http.get(f"/xet/v1/chunks/default/{first}", headers=ben).status_code == 404
    assert hub.http.get(f"/xet/v1/chunks/default-merkledb/{first}", headers=ann).status_code == 200


@pytest.mark.parametrize("path", ["/xet/v1/shards", "/xet/v2/shards"])
def test_a_wrong_shard_fails_with_a_status_and_a_reason(hub: Hub, path: str) -> None:
    token = bearer(hub.token(hub.ann, "ann/open"))
    for body, code in (
        (b"", "InvalidShard"),
        (shard([file_block(PARTS)]), "InvalidShard"),
        (b"x" * 1000, "InvalidShard"),
    ):
        answer = hub.http.post(path, headers=token, content=body)
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (400, code)
        assert answer.json()["error"]


def test_a_wrong_xorb_fails_with_a_status_and_a_reason(hub: Hub) -> None:
    token = hub.token(hub.ann, "ann/open")
    for body in (X.body[:-1], X.body + b"more", noise(5_000_000)):
        answer = hub.upload(token, body=body)
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (400, "InvalidXorb")
    assert hub.http.post("/xet/v1/xorbs/default/nothash", headers=bearer(token), content=b"x").status_code == 400
    big = bearer(token) | {"Content-Length": str(MAX_XORB + 1)}
    assert hub.http.post(f"/xet/v1/xorbs/default/{X.hash}", headers=big, content=b"x").status_code == 413
    assert hub.upload(token).json() == {"was_inserted": True}, "nothing of it stayed"


def test_what_the_hub_does_not_do_is_404_so_that_clients_go_the_other_way(hub: Hub) -> None:
    token = bearer(hub.token(hub.ann, "ann/open"))
    assert hub.http.post(f"/xet/v1/xorb-grants/default/{X.hash}", headers=token, json={}).status_code == 404
    assert hub.http.post("/v1/telemetry", json={}).status_code == 204


def test_the_commit_finds_what_was_uploaded_and_plain_clients_get_it(hub: Hub) -> None:
    token = hub.token(hub.ann, "ann/private")
    hub.upload(token), hub.register(token)
    lines = [
        {"key": "header", "value": {"summary": "add"}},
        {"key": "lfsFile", "value": {"path": "model.bin", "algo": "sha256", "oid": SHA256, "size": len(DATA)}},
    ]
    body = "\n".join(map(json.dumps, lines))
    headers = bearer(hub.ann) | {"Content-Type": "application/x-ndjson"}
    answer = hub.http.post("/api/models/ann/private/commit/main", headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    whole = hub.http.get("/ann/private/resolve/main/model.bin", headers=bearer(hub.ann))
    assert (whole.status_code, whole.content) == (200, DATA)
    assert whole.headers["X-Xet-Hash"] == NAME
    part = hub.http.get("/ann/private/resolve/main/model.bin", headers=bearer(hub.ann) | {"Range": "bytes=59990-60009"})
    assert (part.status_code, part.content) == (206, DATA[59990:60010])
