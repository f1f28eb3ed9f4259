"""Buckets, with the stock client."""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import BucketBatchError, BucketNotFoundError, HfHubHTTPError

from building.hub import Hub, Person


def new_bucket(person: Person, *, private: bool | None = None, **files: bytes) -> str:
    bucket: str = person.api.create_bucket(f"{person.name}/b-{secrets.token_hex(4)}", private=private).bucket_id
    if files:
        person.api.batch_bucket_files(bucket, add=[(data, path) for path, data in files.items()])
    return bucket


def test_what_went_in_comes_out(each_alice: Person, tmp_path: Path) -> None:
    api = each_alice.api
    large = tmp_path / "large.bin"
    large.write_bytes(secrets.token_bytes(3_000_000))
    bucket = new_bucket(each_alice)
    api.batch_bucket_files(bucket, add=[(large, "a/b/large.bin"), (b"", "empty"), (b"text", "a.txt")])
    assert [(e.path, e.size) for e in api.list_bucket_tree(bucket)] == [
        ("a.txt", 4), ("a/b/large.bin", 3_000_000), ("empty", 0),
    ]  # fmt: skip
    assert {e.path: e.type for e in api.list_bucket_tree(bucket, recursive=False)} == {
        "a.txt": "file", "a": "directory", "empty": "file",
    }  # fmt: skip
    info = api.bucket_info(bucket)
    assert (info.size, info.total_files, info.private) == (3_000_004, 3, False)

    api.download_bucket_files(bucket, [("a/b/large.bin", tmp_path / "back"), ("empty", tmp_path / "empty")])
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert (tmp_path / "empty").read_bytes() == b""
    with each_alice.client() as http:
        part = http.get(f"/buckets/{bucket}/resolve/a%2Fb%2Flarge.bin", headers={"Range": "bytes=70000-70009"})
    assert (part.status_code, part.content) == (206, large.read_bytes()[70_000:70_010])

    api.batch_bucket_files(bucket, add=[(b"new", "a.txt")], delete=["empty"])
    assert [(e.path, e.size) for e in api.list_bucket_tree(bucket, "a.")] == [("a.txt", 3)]
    api.delete_bucket(bucket)
    with pytest.raises(BucketNotFoundError):
        api.bucket_info(bucket)


def test_a_renamed_bucket_is_found_by_its_old_name(alice: Person) -> None:
    bucket = new_bucket(alice, file=b"data")
    alice.api.move_bucket(bucket, f"{bucket}-renamed")
    assert alice.api.bucket_info(bucket).id == f"{bucket}-renamed"
    assert [e.path for e in alice.api.list_bucket_tree(bucket)] == ["file"]


def test_a_private_bucket_is_there_for_its_owner_alone(
    hub: Hub, alice: Person, bob: Person, anonymous: httpx.Client
) -> None:
    bucket = new_bucket(alice, private=True, secret=b"data")
    with alice.client() as hers, bob.client() as his:
        xet_hash = hers.post(f"/api/buckets/{bucket}/paths-info", json={"paths": ["secret"]}).json()[0]["xetHash"]
        for path in ("", "/tree", "/xet-read-token", "/xet-write-token"):
            for client, status in ((hers, 200), (his, 404), (anonymous, 401)):
                answer = client.get(f"/api/buckets/{bucket}{path}")
                assert answer.status_code == status, path
                assert status == 200 or answer.headers["X-Error-Code"] == "RepoNotFound"
        for client, status in ((hers, 200), (his, 404), (anonymous, 401)):
            assert client.head(f"/buckets/{bucket}/resolve/secret").status_code == status
    assert bucket not in [b.id for b in bob.api.list_buckets(alice.name)]
    with pytest.raises(BucketNotFoundError):
        bob.api.delete_bucket(bucket)

    # its hash is of no use to somebody who may not read it
    mine = new_bucket(bob)
    with pytest.raises(BucketBatchError) as refused:
        bob.api.batch_bucket_files(mine, copy=[("bucket", bucket, xet_hash, "a"), ("bucket", mine, xet_hash, "b")])
    assert [failure["path"] for failure in refused.value.failures] == ["a", "b"]
    assert refused.value.response.status_code == 422

    alice.api.update_bucket_settings(bucket, private=False)
    bob.api.batch_bucket_files(mine, copy=[("bucket", bucket, xet_hash, "a")])
    assert [e.path for e in HfApi(endpoint=hub.url, token=False).list_bucket_tree(mine)] == ["a"]


def test_others_change_nothing(alice: Person, bob: Person, anonymous: httpx.Client) -> None:
    bucket = new_bucket(alice, file=b"data")
    for change in (
        lambda: bob.api.batch_bucket_files(bucket, delete=["file"]),
        lambda: bob.api.update_bucket_settings(bucket, private=True),
        lambda: bob.api.delete_bucket(bucket),
        lambda: bob.api.move_bucket(bucket, f"{bob.name}/stolen"),
        lambda: bob.api.create_bucket(f"{alice.name}/mine"),
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            change()
        assert refused.value.response.status_code == 403
    with bob.client() as http:
        assert http.get(f"/api/buckets/{bucket}/xet-write-token").status_code == 403
    assert anonymous.post(f"/api/buckets/{bucket}/batch", content=b"").status_code == 401
    assert anonymous.post("/api/buckets/me/mine").status_code == 401
    assert [e.path for e in alice.api.list_bucket_tree(bucket)] == ["file"]


def test_buckets_are_no_models(alice: Person) -> None:
    bucket = new_bucket(alice, file=b"data")
    assert bucket in [b.id for b in alice.api.list_buckets()]
    assert ("bucket", bucket) in [(repo.type, repo.id) for repo in alice.api.list_user_repos()]
    for found in (alice.api.list_models, alice.api.list_datasets, alice.api.list_spaces):
        assert bucket not in [repo.id for repo in found(author=alice.name)]
    assert not alice.api.repo_exists(bucket)
    with alice.client() as http:
        for page in ("/", "/models", f"/{alice.name}", f"/search?q={bucket.split('/')[1]}"):
            shown = http.get(page, headers={"Accept": "text/html"})
            assert shown.status_code == 200 and f"/{bucket}" not in shown.text
        assert http.post("/api/repos/create", json={"name": "b", "type": "bucket"}).status_code == 400


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"{}", b'{"type": "addFile", "path": "a"}', b'{"type": "deleteFile", "path": 1}',
        b'{"type": "addFile", "path": "a", "xetHash": "x", "mtime": "soon"}', b'{"type": "touch", "path": "a"}',
        b'{"type": "copyFile", "path": "a", "xetHash": "x", "sourceRepoType": "moon", "sourceRepoId": "a/b"}',
    ],
)  # fmt: skip
def test_a_line_that_says_nothing_is_refused(alice: Person, line: bytes) -> None:
    with alice.client() as http:
        answer = http.post(f"/api/buckets/{new_bucket(alice)}/batch", content=line)
    assert answer.status_code == 400


def test_a_page_in_a_bucket_is_shown_as_text(alice: Person) -> None:
    bucket = new_bucket(alice)
    alice.api.batch_bucket_files(bucket, add=[(b"<script>", "page.html")])
    with alice.client() as http:
        answer = http.get(f"/buckets/{bucket}/resolve/page.html")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
