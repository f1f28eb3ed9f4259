"""How many repositories have each tag: what a list offers to filter by.

For a narrow list the tags of its repositories are counted. For a wide one the counts are those of everything public,
kept by each process for fifty times as long as they took to count. Where counting takes long, it happens beside the
requests, which are answered with the old numbers meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import func, select

from corral.catalogue import search
from corral.catalogue.search import Filters
from corral.context import Context
from corral.core.actor import ANONYMOUS
from corral.core.ids import RepoType
from corral.repos.lookup import visible
from corral.storage import schema as t
from corral.storage.database import Database

#: kinds of tags that lists offer; the others are for `filter=` alone
KINDS = ("task", "library", "language", "license", "dataset", "size", "modality", "format", "sdk", "other")

_MOST_PER_KIND = 200
_KEPT_FOR = 50.0
#: seconds; a count that takes longer is not waited for, once there is an older one
_QUICK = 0.05


@dataclass(frozen=True, slots=True)
class Facets:
    """Kind -> (tag, number), the most frequent first. `narrow`: counted in the list itself, not in all that is public.

    `total` is how many repositories the list has, `at_least` whether there are more than that.
    """

    kinds: Mapping[str, list[tuple[str, int]]]
    total: int
    at_least: bool
    narrow: bool


def facets(ctx: Context, filters: Filters, most: int = 10_000) -> Facets:
    """For a page's list: what there is to choose from, and how many there are."""
    if filters.is_empty:
        known = public(ctx, filters.type)
        return Facets(known.kinds, known.total + search.count_private(ctx, filters.type), False, True)
    ids = search.matching(ctx, filters)
    if ids is None:
        total = search.count(ctx, filters, most)
        return Facets(public(ctx, filters.type).kinds, total, total >= most, False)
    counted = (
        select(t.tags.c.kind, t.tags.c.tag, func.count())
        .where(t.tags.c.repo_id.in_(ids), t.tags.c.kind.in_(KINDS))
        .group_by(t.tags.c.kind, t.tags.c.tag)
    )
    with ctx.db.read() as c:
        rows = [(kind, tag, number) for kind, tag, number in c.execute(counted)]
    return Facets(_ranked(rows), len(ids), False, True)


@dataclass(frozen=True, slots=True)
class Public:
    """What everybody may see of one type. `took` and `at` are seconds."""

    kinds: Mapping[str, list[tuple[str, int]]]
    total: int
    took: float
    at: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.at + self.took * _KEPT_FOR


class _Kept:
    """The last count of each type in this process, and who is counting."""

    def __init__(self) -> None:
        self.values: dict[RepoType, Public] = {}
        self.locks = {type: threading.Lock() for type in RepoType}


_kept: WeakKeyDictionary[Database, _Kept] = WeakKeyDictionary()


def public(ctx: Context, type: RepoType) -> Public:
    """The counts over everything public of one type, at most a little old."""
    kept = _kept.setdefault(ctx.db, _Kept())
    value = kept.values.get(type)
    if value is not None and value.is_fresh:
        return value
    if value is None or value.took < _QUICK:
        with kept.locks[type]:
            value = kept.values.get(type)
            if value is None or not value.is_fresh:
                value = kept.values[type] = _count(ctx, type)
        return value
    if not kept.locks[type].locked():
        threading.Thread(target=_count_beside, args=(ctx, type, kept), name="facets", daemon=True).start()
    return value


def _count_beside(ctx: Context, type: RepoType, kept: _Kept) -> None:
    if kept.locks[type].acquire(blocking=False):
        try:
            kept.values[type] = _count(ctx, type)
        finally:
            kept.locks[type].release()


def _count(ctx: Context, type: RepoType) -> Public:
    began = time.monotonic()
    everybody = ctx.acting_as(ANONYMOUS)
    number = func.count()
    # the index alone answers for all; the private ones, few as a rule, are taken off
    every = select(t.tags.c.kind, t.tags.c.tag, number).where(t.tags.c.type == type, t.tags.c.kind.in_(KINDS))
    hidden = (
        select(t.tags.c.kind, t.tags.c.tag, number)
        .join(t.repos, t.repos.c.id == t.tags.c.repo_id)
        .where(t.repos.c.type == type, ~visible(everybody), t.tags.c.kind.in_(KINDS))
    )
    counts: Counter[tuple[str, str]] = Counter()
    with ctx.db.read() as c:
        for kind, tag, many in c.execute(every.group_by(t.tags.c.kind, t.tags.c.tag)):
            counts[kind, tag] = many
        for kind, tag, many in c.execute(hidden.group_by(t.tags.c.kind, t.tags.c.tag)):
            counts[kind, tag] -= many
        whole = select(number).select_from(t.repos).where(t.repos.c.type == type, visible(everybody))
        total = int(c.scalar(whole) or 0)
    rows = [(kind, tag, many) for (kind, tag), many in counts.items() if many > 0]
    now = time.monotonic()
    return Public(_ranked(rows), total, now - began, now)


def _ranked(rows: list[tuple[str, str, int]]) -> dict[str, list[tuple[str, int]]]:
    kinds: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for kind, tag, number in rows:
        kinds[kind].append((tag, number))
    return {
        kind: sorted(found, key=lambda one: (-one[1], one[0]))[:_MOST_PER_KIND] for kind, found in sorted(kinds.items())
    }
