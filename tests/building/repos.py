"""Changes to a repository: files committed, large files uploaded, working copies pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from building.git import MAIN, WorkingCopy, push_body
from corral.context import Context
from corral.repos import commits, lfs, push, refs
from corral.repos.commits import AddFile, Header
from corral.repos.lfs import Ticket
from corral.repos.lookup import Repo


def write(
    ctx: Context, repo: Repo, files: Mapping[str, bytes | str], branch: str = "main", title: str = "change"
) -> str:
    """Commit these files; the commit's oid."""
    operations = [AddFile(path, data.encode() if isinstance(data, str) else data) for path, data in files.items()]
    return commits.commit(ctx, repo, branch, Header(title), operations).oid


def upload(ctx: Context, repo: Repo, data: bytes) -> str:
    """Store a large file that no commit names yet; its sha256."""
    oid = hashlib.sha256(data).hexdigest()
    lfs.receive(ctx, Ticket(repo.id, oid, len(data), ctx.clock()), [data])
    return oid


def send(ctx: Context, repo: Repo, copy: WorkingCopy, ref: str = MAIN, revision: str = "HEAD") -> str:
    """Push what `revision` is in the copy to `ref`; its oid."""
    old, new = refs.read(ctx, repo.id, ref) or "", copy.oid(revision)
    answer = push.receive(ctx, repo, iter([push_body([(old, new, ref)], copy.pack(new, *filter(None, [old])))]))
    assert f"ok {ref}" in answer.decode()
    return new
