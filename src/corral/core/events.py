"""What happened, in words that every domain shares. Recorded in the same transaction as the change itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """`repo_id` is the row id of the repository concerned."""

    kind: ClassVar[str] = ""
    repo_id: int

    def payload(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RepoCreated(Event):
    kind: ClassVar[str] = "repo.created"


@dataclass(frozen=True, slots=True)
class RepoChanged(Event):
    """Visibility, gating or name changed."""

    kind: ClassVar[str] = "repo.changed"


@dataclass(frozen=True, slots=True)
class RepoDeleted(Event):
    kind: ClassVar[str] = "repo.deleted"
    full_name: str = ""


@dataclass(frozen=True, slots=True)
class RepoReread(Event):
    """This version of Corral makes something else of what is in the repository than the one before did."""

    kind: ClassVar[str] = "repo.reread"


@dataclass(frozen=True, slots=True)
class RefsMoved(Event):
    """A push, a commit by the API or a branch call. `updates` holds (ref, old oid or '', new oid or '')."""

    kind: ClassVar[str] = "repo.refs"
    updates: tuple[tuple[str, str, str], ...] = ()
    actor_id: int | None = None

    def moved(self, ref: str) -> str | None:
        """The new oid of `ref`, '' if it was deleted, None if it did not move."""
        return next((new for name, _, new in self.updates if name == ref), None)


EVENTS: dict[str, type[Event]] = {e.kind: e for e in (RepoCreated, RepoChanged, RepoDeleted, RepoReread, RefsMoved)}


def restore(kind: str, payload: dict[str, Any]) -> Event:
    """The event that `payload()` wrote."""
    fields = dict(payload)
    if "updates" in fields:
        fields["updates"] = tuple(tuple(u) for u in fields["updates"])
    return EVENTS[kind](**fields)
