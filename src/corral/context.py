"""What every domain function is given: never global, never imported."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, insert, select

from corral.core.actor import ANONYMOUS, Actor
from corral.core.clock import Clock, now_ms
from corral.core.events import Event
from corral.core.settings import Settings
from corral.storage import schema as t
from corral.storage.blobs import BlobStore
from corral.storage.database import Database


@dataclass(frozen=True, slots=True)
class Context:
    """The hub as one actor sees it. `replace`-able: `ctx.acting_as(actor)` is the same hub for somebody else."""

    settings: Settings
    db: Database
    blobs: BlobStore
    #: signs links and short-lived tokens; the same in every web process of one hub
    secret: bytes
    actor: Actor = ANONYMOUS
    clock: Clock = now_ms
    #: called with the numbers of the events that a transaction recorded, once it has committed (server.wiring)
    on_events: Callable[[Sequence[int]], None] = field(default=lambda _: None)

    def acting_as(self, actor: Actor) -> Context:
        return replace(self, actor=actor)

    @contextmanager
    def change(self) -> Iterator[Change]:
        """A write transaction that can record events; they are delivered once it has committed."""
        with self.db.write() as connection:
            change = Change(connection, self.clock)
            yield change
        if change.recorded:
            self.on_events(change.recorded)

    def sign(self, purpose: str, message: str) -> str:
        """A keyed digest (hex) of `message` that is valid for one `purpose` only."""
        return hmac.new(self.secret, f"{purpose}\0{message}".encode(), hashlib.sha256).hexdigest()

    def signed(self, purpose: str, message: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign(purpose, message).encode(), signature.encode(errors="replace"))


class Change:
    """An open write transaction and the events that go with it."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        #: row numbers of the events
        self.recorded: list[int] = []
        self._clock = clock

    def record(self, event: Event) -> None:
        row = {"kind": event.kind, "payload": event.payload(), "created_at": self._clock(), "attempts": 0}
        self.recorded.append(
            self.connection.execute(insert(t.events).values(row).returning(t.events.c.id)).scalar_one()
        )


def shared_secret(db: Database) -> bytes:
    """The hub's signing key, made once and kept in the database so that every web process has the same."""
    query = select(t.instance.c.value).where(t.instance.c.key == "secret")
    with db.write() as connection:
        value = connection.scalar(query)
        if value is None:
            value = secrets.token_hex(32)
            connection.execute(insert(t.instance).values(key="secret", value=value))
    return bytes.fromhex(value)
