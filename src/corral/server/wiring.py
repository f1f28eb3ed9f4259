"""Who reacts to what happened: the one table of effects between domains, and the outbox that delivers them.

Events are written in the transaction of the change they tell of. They are delivered in the caller's thread right after
it committed, so that who pushed a card finds it in the next answer; what a crash left undelivered is delivered later.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update

from corral.catalogue import index
from corral.context import Context
from corral.core.events import Event, RefsMoved, RepoChanged, RepoCreated, RepoDeleted, RepoReread, restore
from corral.core.ids import RepoType
from corral.inference.detect import CONFIG_FILES, detect
from corral.inference.libraries import LIBRARIES
from corral.repos import gc
from corral.storage import schema as t
from corral.storage.upsert import insert_missing

log = logging.getLogger(__name__)

Reaction = Callable[[Context, Event], None]

_MOST_ATTEMPTS = 8
#: events that one look into the outbox takes
_AT_ONCE = 200
#: an event taken up by a process that then died is taken up again after this long
_RETRY_MS = 15_000


def _task_of(clues: index.Clues) -> index.Told:
    configs = {name: clues.json(name) for name in CONFIG_FILES if name in clues.files}
    found = detect(clues.card, configs, clues.files)
    return index.Told(found.task, found.reason, found.engine)


def _reindex(ctx: Context, event: Event) -> None:
    index.refresh(ctx, event.repo_id, _task_of)


def _read_again(ctx: Context, event: Event) -> None:
    index.refresh(ctx, event.repo_id, _task_of, force=True)


def notice_new_engines(ctx: Context) -> None:
    """At a start: have every model read again when this version runs other models than the one before.

    The events are recorded with the note that it was noticed, so it happens once, whatever ends in between.
    """
    rows = sorted((name, sorted(row.engines.items())) for name, row in LIBRARIES.items())
    seen = hashlib.sha256(repr(rows).encode()).hexdigest()
    noted = t.instance.c.key == "engines"
    with ctx.change() as change:
        c = change.connection
        before = c.scalar(select(t.instance.c.value).where(noted).with_for_update())
        if before == seen:
            return
        if before is None:
            insert_missing(c, t.instance, [{"key": "engines", "value": seen}])
        else:
            c.execute(update(t.instance).where(noted).values(value=seen))
        for repo_id in c.scalars(select(t.repos.c.id).where(t.repos.c.type == RepoType.MODEL)).all():
            change.record(RepoReread(repo_id))


def _tidy(ctx: Context, event: Event) -> None:
    # a commit is a pack: many of them would make git slow
    gc.tidy(ctx, event.repo_id)


REACTIONS: dict[type[Event], Sequence[Reaction]] = {
    RepoCreated: (_reindex,),
    RepoChanged: (_reindex,),
    RepoReread: (_read_again,),
    RefsMoved: (_reindex, _tidy),
    RepoDeleted: (),
}


class Outbox:
    """Delivers recorded events, each at least once."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        try:
            notice_new_engines(self._ctx)
        except Exception:
            log.exception("Whether models run otherwise than before could not be seen; it is tried at the next start.")
        unread = (t.events.c.kind == RepoReread.kind) & (t.events.c.attempts == 0)
        while not self._stop.is_set() and self._deliver(unread):
            pass
        while not self._stop.wait(_RETRY_MS / 1000):
            self.deliver_left()

    def deliver(self, numbers: Sequence[int]) -> None:
        """Deliver these events now. Never raises, since the change that they tell of is done: others come later."""
        self._deliver(t.events.c.id.in_(numbers))

    def deliver_left(self) -> None:
        """Deliver what failed or was cut off: after 15 seconds, then after a minute, four minutes, ….

        An event that failed eight times is left in the table for whoever runs the hub.
        """
        now = self._ctx.clock()
        waits = [(0, _RETRY_MS), *((n, _RETRY_MS * 4 ** (n - 1)) for n in range(1, _MOST_ATTEMPTS))]
        self._deliver(or_(*((t.events.c.attempts == n) & (t.events.c.created_at <= now - wait) for n, wait in waits)))

    def _deliver(self, wanted: ColumnElement[bool]) -> int:
        """Deliver some of the events; returns how many it found."""
        query = select(t.events.c.id, t.events.c.kind, t.events.c.payload, t.events.c.attempts).where(wanted)
        try:
            with self._ctx.db.read() as c:
                rows = c.execute(query.order_by(t.events.c.id).limit(_AT_ONCE)).all()
            for row in rows:
                self._deliver_one(row.id, row.attempts, row.kind, row.payload)
            return len(rows)
        except Exception:
            log.exception("The outbox could not be read or written; it is tried again.")
            return 0

    def _deliver_one(self, number: int, attempts: int, kind: str, payload: dict[str, Any]) -> None:
        # whoever raises the count first delivers it
        mine = (t.events.c.id == number) & (t.events.c.attempts == attempts)
        with self._ctx.db.write() as c:
            taken = c.execute(update(t.events).where(mine).values(attempts=attempts + 1))
        if taken.rowcount != 1:
            return
        try:
            event = restore(kind, payload)
            for react in REACTIONS[type(event)]:
                react(self._ctx, event)
        except Exception:
            log.exception("A reaction to %s failed; it is tried again.", kind)
            return
        with self._ctx.db.write() as c:
            c.execute(delete(t.events).where(t.events.c.id == number))
