from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from building.git import MAIN, WorkingCopy, packet, push_body
from corral.context import Context
from corral.core.errors import BadRequest, HubError
from corral.core.events import RefsMoved, restore
from corral.repos import commits, fsck, lfs, push, read, refs
from corral.repos.commits import AddFile, Header
from corral.repos.lfs import Ticket
from corral.repos.lookup import Repo
from corral.storage import schema as t


def send(ctx: Context, repo: Repo, body: bytes) -> str:
    # in pieces that meet no boundary
    return push.receive(ctx, repo, (body[at : at + 1000] for at in range(0, len(body), 1000))).decode()


def pushed(ctx: Context, repo: Repo, copy: WorkingCopy, ref: str = MAIN, old: str | None = None) -> str:
    """Push HEAD of the copy to `ref`; the answer."""
    old = refs.read(ctx, repo.id, ref) or "" if old is None else old
    return send(ctx, repo, push_body([(old, copy.oid(), ref)], copy.pack("HEAD", *filter(None, [old]))))


def leftovers(ctx: Context) -> list[Path]:
    return list((ctx.settings.data / "tmp").iterdir())


def events(ctx: Context) -> list[RefsMoved]:
    with ctx.db.read() as c:
        rows = c.execute(select(t.events.c.kind, t.events.c.payload).order_by(t.events.c.id)).all()
    found = [restore(row.kind, row.payload) for row in rows]
    return [event for event in found if isinstance(event, RefsMoved)]


def test_a_push_moves_its_ref_and_says_so_to_others(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    old = refs.all(ann, repo.id)[MAIN]
    new = copy.commit("weights", **{"folder/a.txt": "hello", "b.bin": bytes(range(256))})
    assert "unpack ok" in (answer := pushed(ann, repo, copy))
    assert f"ok {MAIN}" in answer
    assert refs.all(ann, repo.id) == {MAIN: new}
    assert read.read_file(ann, repo, new, "folder/a.txt") == b"hello"
    assert events(ann)[-1].updates == ((MAIN, old, new),)
    assert events(ann)[-1].actor_id == ann.actor.account_id
    assert leftovers(ann) == []
    assert fsck.check(ann, deep=True) == []


def test_several_refs_a_tag_and_no_pack(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    new = copy.commit(a="1")
    copy.git("tag", "-a", "v1", "-m", "first")
    tag = copy.oid("v1")
    old = refs.all(ann, repo.id)[MAIN]
    answer = send(
        ann,
        repo,
        push_body([(old, new, MAIN), ("", new, "refs/heads/dev"), ("", tag, "refs/tags/v1")], copy.pack("v1", old)),
    )
    assert answer.count("ok refs/") == 3
    # what is there already is sent as an empty pack
    answer = send(ann, repo, push_body([("", new, "refs/heads/more")], copy.pack(new, new)))
    assert "ok refs/heads/more" in answer
    answer = send(ann, repo, push_body([(new, "", "refs/heads/dev")], b""))
    assert "ok refs/heads/dev" in answer
    assert refs.all(ann, repo.id) == {MAIN: new, "refs/heads/more": new, "refs/tags/v1": tag}
    assert read.commit_of(ann, repo, "v1") == new
    assert fsck.check(ann) == []


def test_history_may_be_rewritten(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    copy.commit(a="1")
    pushed(ann, repo, copy)
    copy.git("commit", "--amend", "-q", "-m", "again")
    assert f"ok {MAIN}" in pushed(ann, repo, copy)
    assert refs.all(ann, repo.id)[MAIN] == copy.oid()


def test_an_empty_request_is_a_question(ann: Context, repo: Repo) -> None:
    assert send(ann, repo, b"0000") == ""
    assert send(ann, repo, b"") == ""


def test_a_ref_that_moved_meanwhile(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    old = copy.oid()
    copy.commit(a="1")
    commits.commit(ann, repo, "main", Header("meanwhile"), [AddFile("b", b"2")])
    here = refs.all(ann, repo.id)
    assert f"ng {MAIN} fetch first" in pushed(ann, repo, copy, old=old)
    assert refs.all(ann, repo.id) == here


def test_one_stale_ref_does_not_hold_up_the_others_unless_asked_to(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    old = copy.oid()
    new = copy.commit(a="1")
    stale = [(new, new, MAIN), ("", new, "refs/heads/dev")]
    answer = send(ann, repo, push_body(stale, copy.pack(new, old), "report-status atomic"))
    assert answer.count("ng refs/") == 2
    assert refs.all(ann, repo.id) == {MAIN: old}
    answer = send(ann, repo, push_body(stale, copy.pack(new, old)))
    assert f"ng {MAIN} fetch first" in answer
    assert "ok refs/heads/dev" in answer
    assert refs.all(ann, repo.id) == {MAIN: old, "refs/heads/dev": new}


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("refs/convert/parquet", "only branches"),
        ("refs/notes/x", "only branches"),
        ("HEAD", "only branches"),
        ("refs/pr/1", "pull requests are opened"),
        ("refs/heads/a..b", "not allowed"),
        ("refs/heads/../../x", "not allowed"),
        ("refs/heads/main/below", "in the way"),
    ],
)
def test_refs_that_nobody_may_push(ann: Context, repo: Repo, copy: WorkingCopy, ref: str, why: str) -> None:
    before = refs.all(ann, repo.id)
    copy.commit(a="1")
    answer = pushed(ann, repo, copy, ref)
    assert f"ng {ref}" in answer
    assert why in answer
    assert refs.all(ann, repo.id) == before


def test_the_default_branch_stays(ann: Context, repo: Repo) -> None:
    old = refs.all(ann, repo.id)[MAIN]
    assert f"ng {MAIN} the default branch cannot be deleted" in send(ann, repo, push_body([(old, "", MAIN)], b""))
    assert refs.all(ann, repo.id) == {MAIN: old}


def test_a_tree_is_no_branch(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    old = refs.all(ann, repo.id)[MAIN]
    tree = copy.oid("HEAD^{tree}")
    assert f"ng {MAIN} a tree cannot be a branch" in send(
        ann, repo, push_body([(old, tree, MAIN)], copy.pack(old, old))
    )


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "no pack"])
def test_a_damaged_pack_leaves_nothing(ann: Context, repo: Repo, copy: WorkingCopy, damage: str) -> None:
    before = refs.all(ann, repo.id)
    new = copy.commit(a="some content" * 100)
    pack = copy.pack(new, before[MAIN])
    middle = len(pack) // 2
    pack = {
        "flip": pack[:middle] + bytes([pack[middle] ^ 0xFF]) + pack[middle + 1 :],
        "cut": pack[:middle],
        "empty": b"",
        "no pack": b"no pack at all, but a few bytes",
    }[damage]
    keys = set(ann.blobs.keys())
    answer = send(ann, repo, push_body([(before[MAIN], new, MAIN)], pack))
    assert "unpack ok" not in answer
    assert f"ng {MAIN} unpacker error" in answer
    assert refs.all(ann, repo.id) == before
    assert set(ann.blobs.keys()) == keys
    assert leftovers(ann) == []


def test_a_body_that_breaks_off_leaves_nothing(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    before = refs.all(ann, repo.id)
    new = copy.commit(a="some content" * 100)
    body = push_body([(before[MAIN], new, MAIN)], copy.pack(new, before[MAIN]))

    def broken(end: int) -> Iterator[bytes]:
        yield body[:end]
        raise HubError("gone")

    for end in (2, 40, len(body) // 2, len(body) - 1):
        with pytest.raises(HubError, match="gone"):
            push.receive(ann, repo, broken(end))
    assert refs.all(ann, repo.id) == before
    assert leftovers(ann) == []


@pytest.mark.parametrize(
    "body",
    [
        b"zzzz",
        b"0003",
        b"00",
        b"0010short",
        packet(b"no command") + b"0000",
        packet(b"push-cert\0push-options") + b"0000",
        packet(f"{'1' * 40} {'2' * 40} {MAIN}".encode()) * 2 + b"0000",
        packet(f"{'1' * 64} {'2' * 64} {MAIN}".encode()) + b"0000",
        packet(b"\xff" * 40 + b" " + b"1" * 40 + b" x") + b"0000",
    ],
)
def test_requests_that_make_no_sense(ann: Context, repo: Repo, body: bytes) -> None:
    with pytest.raises(BadRequest):
        send(ann, repo, body)


def test_a_push_that_leaves_out_what_it_needs(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    old = refs.all(ann, repo.id)[MAIN]
    between = copy.commit(a="1")
    copy.commit(b="2")
    answer = send(ann, repo, push_body([(old, copy.oid(), MAIN)], copy.pack("HEAD", between)))
    assert "did not receive expected object" in answer
    assert f"ng {MAIN}" in answer
    answer = send(ann, repo, push_body([(old, copy.oid(), MAIN)], copy.pack(old, old)))
    assert f"ng {MAIN} missing necessary objects" in answer
    # a refused pack lies in the cache, but is no part of the repository: nothing may lean on it
    commits.commit(ann, repo, "main", Header("meanwhile"), [AddFile("c", b"3")])
    main = refs.all(ann, repo.id)[MAIN]
    assert "fetch first" in send(ann, repo, push_body([(old, between, MAIN)], copy.pack(between, old)))
    answer = send(ann, repo, push_body([(main, copy.oid(), MAIN)], copy.pack("HEAD", between)))
    assert f"ng {MAIN} unpacker error" in answer
    assert fsck.check(ann) == []


def test_large_files_that_were_not_uploaded(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    data = b"large" * 1000
    oid = hashlib.sha256(data).hexdigest()
    copy.commit(**{"model.bin": read.LfsPointer.text(oid, len(data))})
    old = refs.all(ann, repo.id)
    answer = send(
        ann,
        repo,
        push_body([(old[MAIN], copy.oid(), MAIN)], copy.pack("HEAD", old[MAIN]), "report-status side-band-64k"),
    )
    assert f"ng {MAIN} large files are missing" in answer
    assert f"model.bin ({oid})" in answer
    assert refs.all(ann, repo.id) == old
    lfs.receive(ann, Ticket(repo.id, oid, len(data), ann.clock()), [data])
    assert f"ok {MAIN}" in pushed(ann, repo, copy)
    assert read.read_file(ann, repo, copy.oid(), "model.bin") == data
    assert fsck.check(ann, deep=True) == []
    # the right file with a wrong size
    copy.commit(**{"model.bin": read.LfsPointer.text(oid, len(data) + 1)})
    assert f"ng {MAIN} large files are missing" in pushed(ann, repo, copy)


def test_files_that_are_too_large_for_git(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    copy.commit(**{"big.bin": bytes(ann.settings.max_regular_file + 1)})
    # also where a later commit removes it again
    copy.git("rm", "-q", "big.bin")
    copy.commit("gone")
    old = refs.all(ann, repo.id)
    answer = send(
        ann,
        repo,
        push_body([(old[MAIN], copy.oid(), MAIN)], copy.pack("HEAD", old[MAIN]), "report-status side-band-64k"),
    )
    assert f"ng {MAIN} files are too large for git" in answer
    assert "git-lfs" in answer
    assert "big.bin (10.0 MiB)" in answer
    assert refs.all(ann, repo.id) == old


def tree_with(copy: WorkingCopy, name: bytes, mode: bytes = b"100644") -> str:
    """A commit whose tree has one file of that name, made without git's own checks."""
    blob = copy.git("hash-object", "-w", "--stdin", input=b"x").decode().strip()
    raw = mode + b" " + name + b"\0" + bytes.fromhex(blob)
    tree = hashlib.sha1(b"tree %d\0" % len(raw) + raw).hexdigest()
    file = copy.folder / ".git" / "objects" / tree[:2] / tree[2:]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(zlib.compress(b"tree %d\0" % len(raw) + raw))
    return copy.git("commit-tree", "-p", "HEAD", "-m", "odd", tree).decode().strip()


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b".", b"a/b", b"bad\xff\xfename"])
def test_names_that_harm_a_working_copy_or_cannot_be_shown(
    ann: Context, repo: Repo, copy: WorkingCopy, name: bytes
) -> None:
    old = refs.all(ann, repo.id)
    new = tree_with(copy, name)
    answer = send(ann, repo, push_body([(old[MAIN], new, MAIN)], copy.pack(new, old[MAIN])))
    assert f"ng {MAIN}" in answer
    assert refs.all(ann, repo.id) == old


def test_old_flaws_that_harm_nobody(ann: Context, repo: Repo, copy: WorkingCopy) -> None:
    old = refs.all(ann, repo.id)[MAIN]
    new = tree_with(copy, "naïve.txt".encode(), b"0100644")
    answer = send(ann, repo, push_body([(old, new, MAIN)], copy.pack(new, old)))
    assert f"ok {MAIN}" in answer
    assert [e.path for e in read.entries(ann, repo, new)] == ["naïve.txt"]


@pytest.mark.parametrize("date", [b"soon", b"%d" % 2**63, b"99999999999999999999"])
@pytest.mark.parametrize("below_the_tip", [False, True])
def test_commits_that_could_not_be_shown(
    ann: Context, repo: Repo, copy: WorkingCopy, date: bytes, below_the_tip: bool
) -> None:
    old = copy.oid()
    raw = b"tree %b\nparent %b\n" % (copy.oid("HEAD^{tree}").encode(), old.encode())
    raw += b"".join(b"%b Ann <a@b.c> %b +0000\n" % (role, date) for role in (b"author", b"committer")) + b"\nodd\n"
    odd = copy.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", input=raw).decode().strip()
    copy.git("reset", "-q", "--soft", odd)
    if below_the_tip:
        copy.commit(a="on top")
    new = copy.oid()
    answer = send(ann, repo, push_body([(old, new, MAIN)], copy.pack(new, old)))
    assert f"ok {MAIN}" not in answer
    assert refs.all(ann, repo.id) == {MAIN: old}
