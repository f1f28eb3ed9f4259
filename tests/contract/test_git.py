"""git and git-lfs as people have them, against a running hub."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd

from building.git import MAIN, WorkingCopy, push_body
from building.hub import Hub, Person
from corral.core.actor import TokenRole
from corral.core.ids import RepoId, RepoType
from corral.repos import fsck, lifecycle, lookup

NewRepo = Callable[..., str]


def clone(person: Person, repo: str, folder: Path, *options: str) -> WorkingCopy:
    """A clone in which git-lfs is at work."""
    copy = WorkingCopy(folder, person.git_url(repo), *options)
    copy.git("lfs", "install", "--local")
    copy.git("lfs", "pull")
    return copy


def refused(copy: WorkingCopy, *words: str) -> str:
    """What git says when it fails at this."""
    with pytest.raises(subprocess.CalledProcessError) as failure:
        copy.git(*words)
    return str(failure.value.stderr.decode())


def raw_copy(person: Person, repo: str, folder: Path) -> WorkingCopy:
    return WorkingCopy(folder, person.git_url(repo))


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_clone_change_push(each_alice: Person, new_repo: NewRepo, tmp_path: Path, repo_type: str) -> None:
    alice = each_alice
    repo = new_repo(alice, repo_type)
    path = repo if repo_type == "model" else f"{repo_type}s/{repo}"
    copy = clone(alice, path, tmp_path / "one")
    assert (copy.folder / ".gitattributes").exists()
    weights = os.urandom(3_000_000)
    new = copy.commit("weights", **{"model.safetensors": weights, "notes/a.txt": "hello"})
    copy.git("push", "-q", "origin", "main")
    assert b"git-lfs" in copy.git("show", "HEAD:model.safetensors")

    info = alice.api.repo_info(repo, repo_type=repo_type, files_metadata=True)
    assert info.sha == new
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    assert sizes["model.safetensors"] == len(weights)
    assert sizes["notes/a.txt"] == 5

    # what came in by the commit API goes out by git
    alice.api.create_commit(
        repo, [CommitOperationAdd("b.bin", io.BytesIO(weights[:2_000_000]))], commit_message="more", repo_type=repo_type
    )
    copy.git("pull", "-q", "origin", "main")
    assert (copy.folder / "b.bin").read_bytes() == weights[:2_000_000]
    again = clone(alice, f"{path}.git", tmp_path / "two")
    assert (again.folder / "model.safetensors").read_bytes() == weights
    assert [line.split()[1] for line in again.git("log", "--oneline").decode().splitlines()] == [
        "more",
        "weights",
        "initial",
    ]


def test_shallow_and_partial_clones(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copy = raw_copy(alice, repo, tmp_path / "full")
    for number in range(5):
        copy.commit(f"change {number}", **{"a.txt": "x" * 1000 + str(number)})
    copy.git("push", "-q", "origin", "main")

    shallow = WorkingCopy(tmp_path / "shallow", alice.git_url(repo), "--depth", "1")
    assert len(shallow.git("log", "--format=%H").split()) == 1
    shallow.commit("from a shallow clone", b="1")
    shallow.git("push", "-q", "origin", "main")
    shallow.git("fetch", "-q", "--unshallow")
    assert len(shallow.git("log", "--format=%H").split()) == 7

    partial = WorkingCopy(tmp_path / "partial", alice.git_url(repo), "--filter=blob:none")
    assert partial.git("show", "HEAD~3:a.txt").decode().endswith("2")
    assert partial.git("config", "remote.origin.promisor").strip() == b"true"

    old = WorkingCopy(tmp_path / "old", alice.git_url(repo), "-c", "protocol.version=0")
    assert old.oid() == shallow.oid()


def test_branches_tags_and_rewritten_history(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copy = raw_copy(alice, repo, tmp_path / "copy")
    first = copy.commit("one", a="1")
    copy.git("tag", "light")
    copy.git("tag", "-a", "heavy", "-m", "with words")
    copy.git("push", "-q", "origin", "main", "main:dev/x", "--tags")
    found = alice.api.list_repo_refs(repo)
    assert {b.name for b in found.branches} == {"main", "dev/x"}
    assert {tag.name for tag in found.tags} == {"light", "heavy"}
    copy.git("commit", "-q", "--amend", "-m", "again")
    assert "non-fast-forward" in refused(copy, "push", "origin", "main")
    copy.git("push", "-q", "--force", "origin", "main")
    assert alice.api.model_info(repo).sha == copy.oid() != first
    copy.git("push", "-q", "origin", ":dev/x", ":light")
    assert "the default branch cannot be deleted" in refused(copy, "push", "origin", ":main")
    assert "only branches" in refused(copy, "push", "origin", "main:refs/convert/parquet")
    assert "in the way" in refused(copy, "push", "origin", "main:main/below")
    assert copy.git("ls-remote", "origin").decode().split("\n")[0].endswith("HEAD")


def test_a_private_repository_is_not_told_from_an_absent_one(
    alice: Person, bob: Person, anonymous: httpx.Client, new_repo: NewRepo
) -> None:
    hidden = new_repo(alice, private=True)
    absent = f"{alice.name}/no-such-model"
    for service in ("git-upload-pack", "git-receive-pack"):
        for client in (anonymous, bob.client()):
            answers = [client.get(f"/{repo}/info/refs?service={service}") for repo in (hidden, absent)]
            assert answers[0].status_code == (401 if client is anonymous else 404)
            same = [
                {k: v for k, v in answer.headers.items() if k not in ("date", "x-request-id")} for answer in answers
            ]
            assert same[0] == same[1]
            assert answers[0].content == answers[1].content
            if client is anonymous:
                assert answers[0].headers["www-authenticate"].startswith('Basic realm="Corral"')
            batch = [
                client.post(f"/{repo}.git/info/lfs/objects/batch", json={"operation": "download", "objects": []})
                for repo in (hidden, absent)
            ]
            assert batch[0].status_code == batch[1].status_code == answers[0].status_code
            assert batch[0].content == batch[1].content


def test_who_may_push(hub: Hub, alice: Person, bob: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copy = raw_copy(alice, repo, tmp_path / "copy")
    copy.commit("change", a="1")
    reader = hub.token(alice, TokenRole.READ)
    for url, words in (
        (bob.git_url(repo), "You have no right to change the files"),
        (reader.git_url(repo), "may only read"),
        (alice.git_url(repo).replace(alice.token, "hf_wrong"), "Authentication failed"),
        (f"{hub.url}/{repo}", "could not read Username"),
    ):
        assert words in refused(copy, "push", url, "main"), url
    copy.git("push", "-q", alice.git_url(repo), "main")


def test_a_gated_repository_is_cloned_by_its_owner_alone(
    alice: Person, bob: Person, anonymous: httpx.Client, new_repo: NewRepo, tmp_path: Path
) -> None:
    repo = new_repo(alice)
    alice.api.update_repo_settings(repo, gated="manual")
    for client, status in ((anonymous, 401), (bob.client(), 403), (alice.client(), 200)):
        asked = client.get(f"/{repo}/info/refs?service=git-upload-pack")
        assert asked.status_code == status
        assert client.post(f"/{repo}/git-upload-pack", content=b"0000").status_code == status
        batch = client.post(f"/{repo}.git/info/lfs/objects/batch", json={"operation": "download", "objects": []})
        assert batch.status_code == status
        if status != 200:
            assert asked.headers["x-error-code"] == batch.headers["x-error-code"] == "GatedRepo"
    raw_copy(alice, repo, tmp_path / "copy")


def test_a_renamed_repository_is_found_under_its_old_name(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copy = raw_copy(alice, repo, tmp_path / "copy")
    alice.api.move_repo(repo, f"{repo}-renamed")
    copy.commit("change", a="1")
    copy.git("push", "-q", "origin", "main")
    assert alice.api.model_info(f"{repo}-renamed").sha == copy.oid()


def test_only_one_of_several_pushes_wins(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copies = [raw_copy(alice, repo, tmp_path / str(n)) for n in range(4)]
    for n, copy in enumerate(copies):
        copy.commit(f"by {n}", **{f"{n}.txt": str(n)})
    results: dict[int, str] = {}

    def push(n: int) -> None:
        try:
            copies[n].git("push", "-q", "origin", "main")
            results[n] = ""
        except subprocess.CalledProcessError as error:
            results[n] = error.stderr.decode()

    threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [n for n, error in results.items() if not error]
    assert all("rejected" in error for error in results.values() if error)
    assert alice.api.model_info(repo).sha == copies[winner].oid()
    loser = copies[(winner + 1) % 4]
    loser.git("pull", "-q", "--rebase", "origin", "main")
    loser.git("push", "-q", "origin", "main")


def test_files_that_git_should_not_hold(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(alice)
    copy = raw_copy(alice, repo, tmp_path / "copy")
    copy.git("rm", "-q", ".gitattributes")
    copy.commit("big", **{"big.dat": bytes(11 * 2**20)})
    said = refused(copy, "push", "origin", "main")
    assert "git-lfs" in said
    assert "big.dat (11.0 MiB)" in said
    assert "remote rejected" in said


def test_large_files_must_come_first(alice: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    copy = clone(alice, new_repo(alice), tmp_path / "copy")
    copy.commit("weights", **{"w.safetensors": os.urandom(100_000)})
    with pytest.raises(subprocess.CalledProcessError) as failure:
        copy.git("push", "origin", "main", env={"GIT_LFS_SKIP_PUSH": "1"})
    assert "w.safetensors" in failure.value.stderr.decode()
    assert "git lfs push --all" in failure.value.stderr.decode()
    copy.git("push", "-q", "origin", "main")


def test_refs_by_the_old_protocol_are_refused(anonymous: httpx.Client, alice: Person, new_repo: NewRepo) -> None:
    answer = anonymous.get(f"/{new_repo(alice)}/info/refs")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert "smart HTTP" in answer.text


# --- bad input ---------------------------------------------------------------------------------------------------


def push_of(copy: WorkingCopy) -> bytes:
    old = copy.oid("origin/main")
    return push_body([(old, copy.oid(), MAIN)], copy.pack("HEAD", old))


@pytest.fixture
def ready(alice: Person, new_repo: NewRepo, tmp_path: Path) -> tuple[str, WorkingCopy]:
    """A repository, and a copy with a commit that is to be pushed."""
    repo = new_repo(alice)
    copy = raw_copy(alice, repo, tmp_path / "copy")
    copy.commit("change", **{"a.txt": "content " * 1000})
    return repo, copy


def assert_untouched(hub: Hub, person: Person, repo: str) -> None:
    assert len(person.api.list_repo_commits(repo)) == 1
    found = lookup.find(hub.ctx, RepoId.parse(RepoType.MODEL, repo))
    assert not [fault for fault in fsck.check(hub.ctx) if str(found.rid) in fault.what]
    assert not list((hub.folder / "tmp").glob("push-*"))


def test_a_corrupted_pack(hub: Hub, alice: Person, ready: tuple[str, WorkingCopy]) -> None:
    repo, copy = ready
    body = bytearray(push_of(copy))
    body[-30] ^= 0xFF
    answer = alice.client().post(f"/{repo}/git-receive-pack", content=bytes(body))
    assert answer.status_code == 200
    assert f"ng {MAIN} unpacker error" in answer.text
    assert_untouched(hub, alice, repo)
    copy.git("push", "-q", "origin", "main")


def test_a_body_that_is_no_push(hub: Hub, alice: Person, ready: tuple[str, WorkingCopy]) -> None:
    repo, _ = ready
    for body in (b"hello", b"\x00" * 100, b"0009x"):
        answer = alice.client().post(f"/{repo}/git-receive-pack", content=body)
        assert answer.status_code == 400, body
        assert answer.headers["content-type"].startswith("text/plain")
    for encoding, body in (("gzip", b"no gzip"), ("br", b"")):
        headers = {"Content-Encoding": encoding}
        for service in ("git-receive-pack", "git-upload-pack"):
            answer = alice.client().post(f"/{repo}/{service}", content=body, headers=headers)
            assert answer.status_code in (400, 415)
            assert answer.headers["x-error-code"] == "Encoding"
    assert_untouched(hub, alice, repo)


def test_a_compressed_push(alice: Person, ready: tuple[str, WorkingCopy]) -> None:
    repo, copy = ready
    answer = alice.client().post(
        f"/{repo}/git-receive-pack", content=gzip.compress(push_of(copy)), headers={"Content-Encoding": "gzip"}
    )
    assert f"ok {MAIN}" in answer.text


def test_a_fetch_that_asks_for_too_much(alice: Person, new_repo: NewRepo) -> None:
    bomb = gzip.compress(bytes(80 << 20))
    answer = alice.client().post(
        f"/{new_repo(alice)}/git-upload-pack", content=bomb, headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 413


def test_a_push_that_is_cut_off(hub: Hub, alice: Person, ready: tuple[str, WorkingCopy]) -> None:
    repo, copy = ready
    body = push_of(copy)
    head = f"POST /{repo}/git-receive-pack HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {alice.token}\r\n"
    for framing, sent in (
        (f"Content-Length: {len(body)}\r\n\r\n".encode(), body[:-40]),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s" % (len(body), body[:-40])),
    ):
        with socket.create_connection(("127.0.0.1", hub.port)) as connection:
            connection.sendall(head.encode() + framing + sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert_untouched(hub, alice, repo)
    copy.git("push", "-q", "origin", "main")


def test_a_repository_that_is_deleted_meanwhile(hub: Hub, person: Person, new_repo: NewRepo, tmp_path: Path) -> None:
    repo = new_repo(person)
    copy = raw_copy(person, repo, tmp_path / "copy")
    copy.commit("change", a="1")
    body = push_of(copy)
    lifecycle.remove(hub.ctx, lookup.find(hub.ctx, RepoId.parse(RepoType.MODEL, repo)))
    assert person.client().post(f"/{repo}/git-receive-pack", content=body).status_code == 404
