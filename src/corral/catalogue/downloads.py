"""Downloads, counted by Hugging Face's rules and kept as an append-only log.

- A model: every GET and HEAD of a query file of its library (`catalogue.query_files`).
- A data set: all files that one address asks for in one repository within five minutes are one download.
- A Space: not counted.

A request only puts a tuple on a list. A thread applies the rules and writes the log every few seconds and when the
process ends; a process that is killed loses the counts of those seconds, and nothing else. In the log an address is a
keyed hash: it tells one client from another for the trending score, and no more.

The numbers in `listings` grow with each flush; `roll_up` sets the 30-day number right as days fall out of the window.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, delete, func, insert, select, update

from corral.catalogue import query_files, trending
from corral.context import Context
from corral.core.ids import RepoType
from corral.repos.lookup import Repo
from corral.storage import schema as t
from corral.storage.database import Database

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
#: what the number of downloads covers, as on Hugging Face
WINDOW_MS = 30 * DAY_MS
#: files of a data set that one client asks for within this time are one download
DATASET_WINDOW_MS = 5 * 60_000

_FLUSH_SECONDS = 4.0
_ROLL_UP_SECONDS = 300.0
#: requests that wait to be written at most; more are dropped, so that a hub that cannot write does not fill its memory
_MOST_WAITING = 500_000
_BATCH = 500

#: (repository, whether it is a data set, path, client address, milliseconds)
_Request = tuple[int, bool, str, str, int]

_waiting: WeakKeyDictionary[Database, deque[_Request]] = WeakKeyDictionary()


def counts(type: RepoType, path: str) -> bool:
    """Whether a request for this file may be a download: a first look, for the path of every request."""
    return type is RepoType.DATASET or (type is RepoType.MODEL and query_files.may_count(path))


def count(ctx: Context, repo: Repo, path: str, client: str) -> None:
    """Note one request (GET or HEAD) for a file by the address `client`. Does no I/O."""
    waiting = _waiting.get(ctx.db)
    if waiting is None:
        waiting = _waiting.setdefault(ctx.db, deque(maxlen=_MOST_WAITING))
    waiting.append((repo.id, repo.type is RepoType.DATASET, path, client, ctx.clock()))


def flush(ctx: Context) -> int:
    """Write what waits to the log and to the numbers of the listings. Returns the downloads that it came to."""
    waiting = _waiting.get(ctx.db)
    requests: list[_Request] = []
    while waiting:
        requests.append(waiting.popleft())
    if not requests:
        return 0
    with ctx.db.write() as c:
        found = _models(ctx, c, (r for r in requests if not r[1]))
        found.update(_datasets(ctx, c, [r for r in requests if r[1]]))
        if not found:
            return 0
        now = ctx.clock()
        # a repository may be gone by now
        there = set(_in_batches(c, {repo_id for repo_id, _ in found}))
        totals: Tally[int] = Tally()
        rows = []
        for (repo_id, client), number in found.items():
            if repo_id in there:
                rows.append({"repo_id": repo_id, "at": now, "client": client, "count": number})
                totals[repo_id] += number
        if rows:
            c.execute(insert(t.downloads), rows)
        for repo_id, number in totals.items():
            c.execute(
                update(t.listings)
                .where(t.listings.c.repo_id == repo_id)
                .values(downloads=t.listings.c.downloads + number, downloads_all=t.listings.c.downloads_all + number)
            )
    return totals.total()


def _in_batches(c: Connection, repo_ids: Iterable[int]) -> Iterable[int]:
    wanted = sorted(repo_ids)
    for at in range(0, len(wanted), _BATCH):
        yield from c.scalars(select(t.repos.c.id).where(t.repos.c.id.in_(wanted[at : at + _BATCH])))


def _models(ctx: Context, c: Connection, requests: Iterable[_Request]) -> Tally[tuple[int, str]]:
    asked: Tally[tuple[int, str, str]] = Tally((repo_id, path, client) for repo_id, _, path, client, _ in requests)
    libraries: dict[int, str | None] = {}
    wanted = sorted({repo_id for repo_id, _, _ in asked})
    for at in range(0, len(wanted), _BATCH):
        query = select(t.listings.c.repo_id, t.listings.c.library).where(
            t.listings.c.repo_id.in_(wanted[at : at + _BATCH])
        )
        libraries |= {row.repo_id: row.library for row in c.execute(query)}
    found: Tally[tuple[int, str]] = Tally()
    for (repo_id, path, client), number in asked.items():
        if query_files.counts(libraries.get(repo_id), path):
            found[repo_id, _hashed(ctx, client)] += number
    return found


def _datasets(ctx: Context, c: Connection, requests: list[_Request]) -> Mapping[tuple[int, str], int]:
    """One download per repository and client, unless the log has one of the last five minutes."""
    if not requests:
        return {}
    asked = {(repo_id, _hashed(ctx, client)) for repo_id, _, _, client, _ in requests}
    first = min(at for *_, at in requests) - DATASET_WINDOW_MS
    repo_ids = sorted({repo_id for repo_id, _ in asked})
    recent: set[tuple[int, str]] = set()
    for at in range(0, len(repo_ids), _BATCH):
        query = select(t.downloads.c.repo_id, t.downloads.c.client).where(
            t.downloads.c.repo_id.in_(repo_ids[at : at + _BATCH]), t.downloads.c.at > first
        )
        recent |= {(repo_id, client) for repo_id, client in c.execute(query)}
    return dict.fromkeys(asked - recent, 1)


def _hashed(ctx: Context, client: str) -> str:
    """16 hex digits that tell clients apart and cannot be turned back without the hub's key."""
    return hashlib.blake2b(client.encode(), digest_size=8, key=ctx.secret[:64]).hexdigest()


def roll_up(ctx: Context) -> None:
    """Set the 30-day numbers from the log, and drop from it what is older: the all-time number has it already."""
    since = ctx.clock() - WINDOW_MS
    with ctx.db.read() as c:
        recent = select(t.downloads.c.repo_id, func.sum(t.downloads.c.count)).where(t.downloads.c.at > since)
        sums = {repo_id: int(number) for repo_id, number in c.execute(recent.group_by(t.downloads.c.repo_id))}
        kept = select(t.listings.c.repo_id, t.listings.c.downloads).where(t.listings.c.downloads > 0)
        shown = {row.repo_id: row.downloads for row in c.execute(kept)}
        old = c.scalar(select(func.count()).where(t.downloads.c.at <= since)) or 0
    wrong = {
        i: sums.get(i, 0) - shown.get(i, 0) for i in shown.keys() | sums.keys() if shown.get(i, 0) != sums.get(i, 0)
    }
    if wrong or old:
        with ctx.db.write() as c:
            for repo_id, difference in wrong.items():
                # added, so that what another process counts meanwhile stays
                number = t.listings.c.downloads + difference
                c.execute(update(t.listings).where(t.listings.c.repo_id == repo_id).values(downloads=number))
            c.execute(delete(t.downloads).where(t.downloads.c.at <= since))


class Counter:
    """The thread that writes the log, and now and then brings the 30-day numbers and the trending scores up to date."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="downloads", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop, and write what is left."""
        self._stop.set()
        self._thread.join(timeout=10)
        self._try(flush)

    def _run(self) -> None:
        self._try(roll_up)
        self._try(trending.recompute)
        due = self._ctx.clock() + int(_ROLL_UP_SECONDS * 1000)
        while not self._stop.wait(_FLUSH_SECONDS):
            self._try(flush)
            if self._ctx.clock() >= due:
                self._try(roll_up)
                self._try(trending.recompute)
                due = self._ctx.clock() + int(_ROLL_UP_SECONDS * 1000)

    def _try(self, action: Callable[[Context], object]) -> None:
        try:
            action(self._ctx)
        except Exception:
            log.exception("Downloads could not be written; the next round tries again.")
