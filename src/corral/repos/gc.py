"""Removing what nothing needs any more, and joining the many small packs of a busy repository.

Nothing goes at once. A large file that no ref reaches, a Xet file without a large file, a xorb without a Xet file keep
their rows for a grace time after they were last touched, since a client may be about to name them; bytes that no row
names are marked first and swept a grace time later (`garbage` says how a sweep and a writer stay out of each other's
way). So it may run beside a working hub.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from corral.context import Context
from corral.repos import garbage, git, reach, refs
from corral.repos.git import pack_key
from corral.repos.smart import environment
from corral.storage import schema as t
from corral.storage.upsert import insert_missing

#: seconds; longer than the three weeks for which hf_xet remembers what it uploaded and names it without asking again
GRACE = 28 * 24 * 3600
#: a repository with more packs is tidied; one pack for each commit would make git slow
MOST_PACKS = 50
_BATCH = 500


@dataclass(slots=True)
class Report:
    """What was done; `bytes` were freed."""

    grants: int = 0
    large_files: int = 0
    xet_files: int = 0
    xorbs: int = 0
    marked: int = 0
    swept: int = 0
    bytes: int = 0
    packs_joined: int = 0


def collect(ctx: Context, grace_s: float = GRACE) -> Report:
    """Mark and sweep all of the hub. With a grace time of 0 nobody else may be at work on it."""
    report = Report()
    before = ctx.clock() - round(grace_s * 1000)
    for repo_id in _repos(ctx):
        report.packs_joined += tidy(ctx, repo_id, most=1)
        report.grants += _drop_grants(ctx, repo_id, before)
    _drop_rows(ctx, before, report)
    _mark(ctx, report)
    _sweep(ctx, before, report)
    _sweep_leftovers(ctx, grace_s, report)
    return report


def _repos(ctx: Context) -> list[int]:
    with ctx.db.read() as c:
        return list(c.scalars(select(t.repos.c.id).order_by(t.repos.c.id)))


# --- rows --------------------------------------------------------------------------------------------------------


def _drop_grants(ctx: Context, repo_id: int, before: int) -> int:
    """Take from the repository the large files that neither its refs reach nor its paths name. Returns how many."""
    here = t.repo_blobs.c.repo_id == repo_id
    with ctx.db.read() as c:
        old = set(c.scalars(select(t.repo_blobs.c.sha256).where(here, t.repo_blobs.c.created_at <= before)))
    if not old:
        return 0
    tips = refs.all(ctx, repo_id)
    in_bucket = select(t.xet_files.c.sha256).join(t.bucket_files, t.bucket_files.c.xet_hash == t.xet_files.c.hash)
    with ctx.db.read() as c:
        old -= set(c.scalars(in_bucket.where(t.bucket_files.c.repo_id == repo_id)))
    # raises where the history is not whole: then nothing is taken away
    old -= {pointer.sha256 for pointer, _ in reach.pointers(git.sync(ctx, repo_id), tips.values())}
    dropped = 0
    for some in _batches(sorted(old)):
        with ctx.db.write() as c:
            # the lock of the row of the repository: what a commit moves meanwhile is seen here, or waits
            c.execute(update(t.repos).where(t.repos.c.id == repo_id).values(id=t.repos.c.id))
            now = c.execute(select(t.refs.c.name, t.refs.c.oid).where(t.refs.c.repo_id == repo_id))
            if {row.name: row.oid for row in now} != tips:
                return dropped
            chosen = here & t.repo_blobs.c.sha256.in_(some) & (t.repo_blobs.c.created_at <= before)
            freed = select(func.coalesce(func.sum(t.blobs.c.size), 0)).where(
                t.blobs.c.sha256.in_(select(t.repo_blobs.c.sha256).where(chosen))
            )
            less = t.repos.c.used_storage - freed.scalar_subquery()
            c.execute(update(t.repos).where(t.repos.c.id == repo_id).values(used_storage=less))
            dropped += c.execute(delete(t.repo_blobs).where(chosen)).rowcount
    return dropped


def _drop_rows(ctx: Context, before: int, report: Report) -> None:
    """Rows of large files that no repository holds, of Xet files that nothing names, of xorbs that no Xet file uses."""
    held = exists().where(t.repo_blobs.c.sha256 == t.blobs.c.sha256)
    # the same bytes may be several Xet files: a bucket names the one that was uploaded to it
    needed = or_(
        exists().where(t.blobs.c.xet_hash == t.xet_files.c.hash),
        exists().where(t.bucket_files.c.xet_hash == t.xet_files.c.hash),
    )
    used = exists().where(t.xet_file_xorbs.c.xorb == t.xorbs.c.hash)
    report.large_files = _delete(ctx, delete(t.blobs).where(t.blobs.c.created_at <= before, ~held))
    report.xet_files = _delete(ctx, delete(t.xet_files).where(t.xet_files.c.used_at <= before, ~needed))
    report.xorbs = _delete(ctx, delete(t.xorbs).where(t.xorbs.c.used_at <= before, ~used))


def _delete(ctx: Context, statement: object) -> int:
    try:
        with ctx.db.write() as c:
            return c.execute(statement).rowcount  # type: ignore[call-overload, no-any-return]
    except IntegrityError:
        # somebody has begun to use one of them again; the next run takes the others
        return 0


# --- bytes -------------------------------------------------------------------------------------------------------


def _named(c: Connection, keys: list[str]) -> set[str]:
    """Those of `keys` that a row names. A key of an unknown form counts as named: it is somebody else's."""
    found: set[str] = set()
    by_hash: dict[str, dict[str, str]] = {"blobs": {}, "xorbs": {}}
    packs: dict[tuple[int, str], list[str]] = {}
    for key in keys:
        kind, *parts = key.split("/")
        if kind in by_hash:
            by_hash[kind][parts[-1]] = key
        elif kind == "packs" and len(parts) == 2 and parts[0].isdigit():
            packs.setdefault((int(parts[0]), parts[1].partition(".")[0]), []).append(key)
        else:
            found.add(key)
    whole = select(t.blobs.c.sha256).where(t.blobs.c.sha256.in_(by_hash["blobs"]), t.blobs.c.whole.is_(True))
    found.update(by_hash["blobs"][sha256] for sha256 in c.scalars(whole))
    known = select(t.xorbs.c.hash).where(t.xorbs.c.hash.in_(by_hash["xorbs"]))
    found.update(by_hash["xorbs"][xorb] for xorb in c.scalars(known))
    listed = select(t.packs.c.repo_id, t.packs.c.name).where(t.packs.c.name.in_({name for _, name in packs}))
    for repo_id, name in c.execute(listed):
        found.update(packs.get((repo_id, name), ()))
    return found


def _mark(ctx: Context, report: Report) -> None:
    """Mark every key that no row names, take the mark from every one that a row names again."""
    now = ctx.clock()
    for some in _batches(key for prefix in ("blobs/", "packs/", "xorbs/") for key in ctx.blobs.keys(prefix)):
        with ctx.db.write() as c:
            named = _named(c, some)
            c.execute(delete(t.garbage).where(t.garbage.c.key.in_(named)))
            unnamed = [{"key": key, "since": now} for key in some if key not in named]
            report.marked += insert_missing(c, t.garbage, unnamed)


def _sweep(ctx: Context, before: int, report: Report) -> None:
    due = select(t.garbage.c.key).where(t.garbage.c.since <= before).limit(_BATCH)
    while True:
        with ctx.db.read() as c:
            keys = list(c.scalars(due))
        if not keys:
            return
        for key in keys:
            # one transaction each: the mark, once deleted, keeps a writer waiting until the bytes are gone too
            with ctx.db.write() as c:
                if c.execute(delete(t.garbage).where(t.garbage.c.key == key)).rowcount and not _named(c, [key]):
                    report.bytes += ctx.blobs.size(key) or 0
                    ctx.blobs.delete(key)
                    report.swept += 1
                    if key.startswith("packs/"):
                        _, repo_id, file = key.split("/")
                        git.drop_cached(ctx, int(repo_id), file)


def _sweep_leftovers(ctx: Context, grace_s: float, report: Report) -> None:
    """What crashed processes left: half-written blobs, scratch folders, parts of uploads that ran out of time."""
    oldest = time.time() - grace_s
    report.swept += ctx.blobs.sweep_incoming(oldest)
    for folder in (ctx.settings.data / "tmp").glob("*"):
        if folder.stat().st_mtime <= oldest:
            shutil.rmtree(folder, ignore_errors=True)
    for key in list(ctx.blobs.keys("parts/")):
        expires = key.split("/")[1].partition("-")[0]
        if expires.isdigit() and int(expires) + grace_s * 1000 <= ctx.clock():
            report.bytes += ctx.blobs.size(key) or 0
            ctx.blobs.delete(key)
            report.swept += 1


# --- packs -------------------------------------------------------------------------------------------------------


def tidy(ctx: Context, repo_id: int, most: int = MOST_PACKS) -> int:
    """Join the smaller packs of a repository that has more than `most`. Returns how many went into the new one.

    Nothing is left out, also what no ref reaches: somebody may just be pushing a branch to it.
    """
    with ctx.db.read() as c:
        query = select(t.packs.c.name, t.packs.c.size).where(t.packs.c.repo_id == repo_id).order_by(t.packs.c.size)
        listed = [(row.name, row.size) for row in c.execute(query)]
    names = _to_join(listed)
    if len(listed) <= most or len(names) < 2:
        return 0
    folder = ctx.settings.data / "tmp" / f"tidy-{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    try:
        pack = _join(git.sync(ctx, repo_id), names, folder)
        stored = git.store_pack(ctx, repo_id, pack, pack.with_suffix(".idx"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if stored.name in names:
        return 0
    now = ctx.clock()
    gone = (t.packs.c.repo_id == repo_id) & t.packs.c.name.in_(names)
    with ctx.db.write() as c:
        if c.execute(delete(t.packs).where(gone)).rowcount < len(names):
            # another process has joined them meanwhile
            c.rollback()
            return 0
        insert_missing(c, t.packs, [{"repo_id": repo_id, "name": stored.name, "size": stored.size, "created_at": now}])
        garbage.rescue(ctx, c, _keys(repo_id, [stored.name]))
        insert_missing(c, t.garbage, [{"key": key, "since": now} for key in _keys(repo_id, names)])
        shrunk = stored.size - sum(size for name, size in listed if name in names)
        c.execute(update(t.repos).where(t.repos.c.id == repo_id).values(used_storage=t.repos.c.used_storage + shrunk))
    return len(names)


def _to_join(listed: Iterable[tuple[str, int]]) -> list[str]:
    """The small ones, up to the first that is larger than all before it together: so each byte is rarely copied."""
    names: list[str] = []
    total = 0
    for name, size in listed:
        if len(names) > 1 and size > total:
            break
        names.append(name)
        total += size
    return names


def _join(directory: Path, names: list[str], folder: Path) -> Path:
    done = subprocess.run(
        ["git", "pack-objects", "--stdin-packs", "--delta-base-offset", "--quiet", str(folder / "pack")],
        env=environment(directory),
        input="".join(f"pack-{name}.pack\n" for name in names).encode(),
        capture_output=True,
        check=True,
    )
    return folder / f"pack-{done.stdout.decode().strip()}.pack"


def _keys(repo_id: int, names: Iterable[str]) -> list[str]:
    return [pack_key(repo_id, name, suffix) for name in names for suffix in ("pack", "idx")]


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(items)
    while some := list(islice(rest, _BATCH)):
        yield some
