"""git-lfs on the wire: what its clients and huggingface_hub without Xet send, and what must be refused."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from building.clients import HUB_RELEASES, python_with, run_script
from building.hub import Hub, Person
from corral.core.actor import TokenRole
from corral.core.ids import RepoId, RepoType
from corral.repos import blobs, fsck, lookup

NewRepo = Callable[..., str]

UPLOAD = """
import hashlib, sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
api, repo, folder = HfApi(), sys.argv[1], sys.argv[2]
api.upload_folder(repo_id=repo, folder_path=folder)
paths = {f.rfilename: f for f in api.model_info(repo, files_metadata=True).siblings}
assert paths["big.bin"].lfs is not None, paths
print(hashlib.sha256(open(hf_hub_download(repo, "big.bin", force_download=True), "rb").read()).hexdigest())
"""


def upload_batch(person: Person, repo: str, data: bytes, **more: Any) -> dict[str, Any]:
    """The answer to a batch with this one object."""
    body = {"operation": "upload", "objects": [{"oid": sha256(data), "size": len(data)}]} | more
    answer = person.client().post(f"/{repo}.git/info/lfs/objects/batch", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.git-lfs+json"
    found: dict[str, Any] = answer.json()
    return found


def upload_address(person: Person, repo: str, data: bytes) -> str:
    href: str = upload_batch(person, repo, data)["objects"][0]["actions"]["upload"]["href"]
    return href


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def held(hub: Hub, repo: str, data: bytes) -> bool:
    found = lookup.find(hub.ctx, RepoId.parse(RepoType.MODEL, repo))
    return bool(blobs.held(hub.ctx, found.id, [sha256(data)]))


def nothing_left(hub: Hub, repo: str, data: bytes) -> bool:
    incoming = [file for file in (hub.folder / "store" / "incoming").iterdir() if file.stat().st_size == len(data)]
    return not held(hub, repo, data) and not incoming and hub.ctx.blobs.size(blobs.blob_key(sha256(data))) is None


@pytest.mark.parametrize("release", HUB_RELEASES)
def test_upload_and_download_without_xet(alice: Person, new_repo: NewRepo, home: Path, release: str) -> None:
    repo = new_repo(alice)
    folder = home / "files"
    folder.mkdir()
    data = os.urandom(12_000_000)
    (folder / "big.bin").write_bytes(data)
    (folder / "config.json").write_text("{}")
    environment = alice.environment(home) | {"HF_HUB_DISABLE_XET": "1"}
    python = python_with(f"huggingface_hub=={release}")
    assert run_script(python, UPLOAD, environment, repo, str(folder)).split()[-1] == sha256(data)
    # a second time, nothing is sent
    assert "actions" not in upload_batch(alice, repo, data)["objects"][0]


@pytest.fixture(scope="module")
def parts_hub(run_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A hub that takes even small objects in parts."""
    yield run_hub(CORRAL_LFS_PARTS_FROM="5000000", CORRAL_LFS_PART_SIZE="2000000")


@pytest.mark.parametrize("release", HUB_RELEASES)
def test_upload_in_parts(parts_hub: Hub, home: Path, release: str) -> None:
    person = parts_hub.person()
    repo = person.api.create_repo(f"{person.name}/parts").repo_id
    folder = home / "files"
    folder.mkdir()
    data = os.urandom(7_500_000)
    (folder / "big.bin").write_bytes(data)
    environment = person.environment(home) | {"HF_HUB_DISABLE_XET": "1"}
    python = python_with(f"huggingface_hub=={release}")
    assert run_script(python, UPLOAD, environment, repo, str(folder)).split()[-1] == sha256(data)
    assert list(parts_hub.ctx.blobs.keys("parts/")) == []


def test_parts_that_do_not_fit(parts_hub: Hub) -> None:
    person = parts_hub.person()
    repo = person.api.create_repo(f"{person.name}/parts").repo_id
    data = os.urandom(5_000_000)
    # git-lfs knows no parts
    assert upload_batch(person, repo, data)["transfer"] == "basic"
    answer = upload_batch(person, repo, data, transfers=["basic", "multipart"])
    assert answer["transfer"] == "multipart"
    action = answer["objects"][0]["actions"]["upload"]
    assert action["header"]["chunk_size"] == "2000000"
    assert sorted(name for name in action["header"] if name.isdigit()) == ["1", "2", "3"]
    completion = {"oid": sha256(data), "parts": []}
    refusal = httpx.post(action["href"], json=completion)
    assert (refusal.status_code, refusal.headers["x-error-code"]) == (422, "InvalidPart")
    assert httpx.put(action["header"]["1"], content=data[:10]).status_code == 422
    for number in ("1", "2", "3"):
        at = (int(number) - 1) * 2_000_000
        etag = httpx.put(action["header"][number], content=data[at : at + 2_000_000][::-1]).headers["etag"]
        assert etag.strip('"')
    refusal = httpx.post(action["href"], json=completion)
    assert (refusal.status_code, refusal.headers["x-error-code"]) == (422, "HashMismatch")
    assert not held(parts_hub, repo, data)
    # a part cannot be sent to where the whole is completed, nor the other way round
    assert httpx.post(action["header"]["1"].replace("/lfs/part/", "/lfs/complete/")).status_code == 403


def test_upload_verify_download(each_hub: Hub, each_alice: Person, new_repo: NewRepo) -> None:
    alice = each_alice
    repo = new_repo(alice, private=True)
    data = os.urandom(300_000)
    actions = upload_batch(alice, repo, data, hash_algo="sha256", ref={"name": "main"})["objects"][0]["actions"]
    assert urlsplit(actions["upload"]["href"]).netloc == urlsplit(each_hub.url).netloc
    body = {"oid": sha256(data), "size": len(data)}
    verify = actions["verify"]["href"]
    assert alice.client().post(verify, json=body).status_code == 404
    # the address alone is enough: clients send no token with the bytes
    assert httpx.put(actions["upload"]["href"], content=data).status_code == 200
    assert alice.client().post(verify, json=body).status_code == 200
    assert alice.client().post(verify, json=body | {"size": 1}).status_code == 422
    assert httpx.post(verify, json=body).status_code == 401

    batch = alice.client().post(
        f"/{repo}.git/info/lfs/objects/batch",
        json={"operation": "download", "objects": [body, {"oid": "0" * 64, "size": 1}]},
    )
    found, absent = batch.json()["objects"]
    assert absent["error"]["code"] == 404
    href = found["actions"]["download"]["href"]
    assert httpx.get(href).content == data
    part = httpx.get(href, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, data[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(data)}"
    assert httpx.get(href, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    head = httpx.head(href)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")


def test_clients_that_offer_xet_are_sent_there(alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    answer = upload_batch(alice, repo, b"x" * 1000, transfers=["basic", "multipart", "xet"], hash_algo="sha_256")
    assert answer["transfer"] == "xet"
    action = answer["objects"][0]["actions"]["upload"]
    assert action["header"].keys() >= {"X-Xet-Cas-Url", "X-Xet-Access-Token", "X-Xet-Token-Expiration"}
    renewed = alice.client().get(action["href"])
    assert renewed.status_code == 200
    assert renewed.json()["casUrl"] == action["header"]["X-Xet-Cas-Url"]
    assert renewed.json()["accessToken"]


def test_possession_has_to_be_shown_in_each_repository(alice: Person, bob: Person, new_repo: NewRepo) -> None:
    data = os.urandom(50_000)
    hidden, other = new_repo(alice, private=True), new_repo(bob)
    assert httpx.put(upload_address(alice, hidden, data), content=data).status_code == 200
    body = {"operation": "download", "objects": [{"oid": sha256(data), "size": len(data)}]}
    answer = bob.client().post(f"/{other}.git/info/lfs/objects/batch", json=body)
    assert answer.json()["objects"][0]["error"]["code"] == 404
    assert httpx.put(upload_address(bob, other, data), content=data).status_code == 200


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["other bytes", "too short", "too long", "nothing"])
def test_bytes_that_were_not_promised(hub: Hub, alice: Person, new_repo: NewRepo, wrong: str) -> None:
    repo = new_repo(alice)
    data = os.urandom(2_500_000)
    sent = {"other bytes": data[::-1], "too short": data[:-1], "too long": data + b"x", "nothing": b""}[wrong]
    refusal = httpx.put(upload_address(alice, repo, data), content=sent)
    assert refusal.status_code == 422
    assert refusal.headers["x-error-code"] == ("HashMismatch" if wrong == "other bytes" else "SizeMismatch")
    assert refusal.json()["error"]
    assert nothing_left(hub, repo, data)


def test_far_more_bytes_than_promised(hub: Hub, alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    data = b"short"

    def flood() -> Iterator[bytes]:
        for _ in range(30):
            yield bytes(1 << 20)

    refusal = httpx.put(upload_address(alice, repo, data), content=flood(), timeout=60)
    assert (refusal.status_code, refusal.headers["x-error-code"]) == (422, "SizeMismatch")
    assert nothing_left(hub, repo, data)


def test_a_body_that_is_cut_off(hub: Hub, alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    data = os.urandom(3_000_000)
    address = upload_address(alice, repo, data)
    target = address.removeprefix(hub.url)
    with socket.create_connection(("127.0.0.1", hub.port)) as connection:
        connection.sendall(f"PUT {target} HTTP/1.1\r\nHost: hub\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        connection.sendall(data[:2_000_000])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert nothing_left(hub, repo, data)
    assert httpx.put(address, content=data).status_code == 200
    assert held(hub, repo, data)


def test_forged_addresses(alice: Person, new_repo: NewRepo) -> None:
    data = os.urandom(1000)
    address = httpx.URL(upload_address(alice, new_repo(alice), data))
    oid = sha256(data)
    forged = [
        address.copy_set_param("size", "1001"),
        address.copy_set_param("repo", "1"),
        address.copy_set_param("expires", "99999999999999"),
        address.copy_set_param("signature", "0" * 64),
        address.copy_set_param("signature", "\N{SNOWMAN}"),
        httpx.URL(str(address).replace(oid, "0" * 64)),
        httpx.URL(str(address).replace(oid, "..%2F..%2F..%2Fetc%2Fpasswd")),
        httpx.URL(str(address).replace("/lfs/upload/", "/lfs/part/")).copy_set_param("part", "1"),
    ]
    for url in forged:
        refusal = httpx.put(url, content=data)
        assert (refusal.status_code, refusal.headers["x-error-code"]) == (403, "InvalidLink"), url
    for url in (address.copy_remove_param("signature"), address.copy_set_param("size", "many")):
        assert httpx.put(url, content=data).status_code == 400
    download = httpx.get(str(address).replace("/lfs/upload/", "/lfs/download/"))
    assert download.status_code == 403


def test_objects_that_make_no_sense_are_refused_one_by_one(alice: Person, new_repo: NewRepo) -> None:
    objects = [
        {"oid": "../../../etc/passwd", "size": 3},
        {"oid": "/" + "0" * 63, "size": 3},
        {"oid": "A" * 64, "size": 3},
        {"oid": "0" * 64, "size": -1},
        {"oid": "0" * 64},
        {"oid": 3, "size": 3},
        "text",
        {"oid": "0" * 64, "size": 0},
    ]
    for operation in ("upload", "download"):
        answer = alice.client().post(
            f"/{new_repo(alice)}.git/info/lfs/objects/batch", json={"operation": operation, "objects": objects}
        )
        assert answer.status_code == 200
        *bad, good = answer.json()["objects"]
        assert [item["error"]["code"] for item in bad] == [422] * 7
        assert ("error" in good) == (operation == "download")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"operation": "steal", "objects": []}', 400),
        (b'{"operation": "upload"}', 400),
        (b'{"operation": "upload", "objects": {}}', 400),
        (b'{"operation": "upload", "objects": [], "hash_algo": "md5"}', 409),
        (b"\xff\xfe", 400),
    ],
)
def test_batches_that_make_no_sense(alice: Person, new_repo: NewRepo, body: bytes, status: int) -> None:
    answer = alice.client().post(f"/{new_repo(alice)}.git/info/lfs/objects/batch", content=body)
    assert answer.status_code == status
    assert answer.headers["x-error-code"]
    assert answer.json()["error"]


def test_who_may_upload(hub: Hub, alice: Person, anonymous: httpx.Client, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    body = {"operation": "upload", "objects": []}
    address = f"/{repo}.git/info/lfs/objects/batch"
    refusal = anonymous.post(address, json=body)
    assert refusal.status_code == 401
    assert "Basic" in refusal.headers["lfs-authenticate"]
    assert hub.token(alice, TokenRole.READ).client().post(address, json=body).status_code == 403
    assert anonymous.post(address, json=body | {"operation": "download"}).status_code == 200


def test_locks_are_said_not_to_be_there(alice: Person, new_repo: NewRepo) -> None:
    repo = new_repo(alice)
    for path in ("locks", "locks/verify", "locks/17/unlock"):
        assert alice.client().post(f"/{repo}.git/info/lfs/{path}", json={}).status_code == 501
    assert alice.client().get(f"/{repo}.git/info/lfs/locks").status_code == 501
    assert alice.client().get(f"/{alice.name}/nothing-here.git/info/lfs/locks").status_code == 404


def test_the_hub_is_whole_after_all_this(hub: Hub) -> None:
    assert fsck.check(hub.ctx, deep=True) == []
