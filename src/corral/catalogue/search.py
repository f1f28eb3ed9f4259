"""Lists of repositories: filtered by tags and facts, in one of a few orders, in pages by key set.

A page is one query (two, where there are filters), whatever its number and however many repositories there are. With
filters, the matching ids are asked for first, a thousand at most: few of them are sorted; if there are more, matches
are dense enough to walk the index of the order until the page is full.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, tuple_

from corral.context import Context
from corral.core.errors import BadRequest
from corral.core.ids import RepoType
from corral.repos.lookup import COLUMNS, Repo, from_row, visible
from corral.storage import schema as t

#: rows of one page
MOST_ROWS = 1000
#: matches that are sorted rather than found by walking an order
_FEW = 1000
#: rows of a tag that are counted to find the rarest
_COUNTED = 5000
_MOST_WORDS = 8
_MOST_TAGS = 32


class Sort(StrEnum):
    """The orders, by the names they have in `sort=`."""

    TRENDING = "trendingScore"
    LIKES = "likes"
    DOWNLOADS = "downloads"
    MODIFIED = "lastModified"
    CREATED = "createdAt"
    SIZE = "size"


_KEYS: dict[Sort, tuple[Any, Any]] = {
    Sort.TRENDING: (t.listings.c.trending, t.listings.c.repo_id),
    Sort.LIKES: (t.listings.c.likes, t.listings.c.repo_id),
    Sort.DOWNLOADS: (t.listings.c.downloads, t.listings.c.repo_id),
    Sort.SIZE: (t.listings.c.size, t.listings.c.repo_id),
    Sort.MODIFIED: (t.repos.c.updated_at, t.repos.c.id),
    Sort.CREATED: (t.repos.c.created_at, t.repos.c.id),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a repository must be. Everything given must hold.

    `search`: texts that its id contains; `tags`: tags it has, as they are stored; `any_tags`: of each group it has one;
    `runs`: whether this hub runs it; `parameters`: (least, most), either may be None;
    `linked`: a Space that names a model or a data set.
    """

    type: RepoType
    search: tuple[str, ...] = ()
    author: str | None = None
    tags: tuple[str, ...] = ()
    any_tags: tuple[tuple[str, ...], ...] = ()
    pipeline_tag: str | None = None
    library: str | None = None
    license: str | None = None
    sdk: str | None = None
    gated: bool | None = None
    runs: bool | None = None
    parameters: tuple[int | None, int | None] = (None, None)
    size: tuple[int | None, int | None] = (None, None)
    linked: bool = False

    @property
    def is_empty(self) -> bool:
        return self == Filters(type=self.type)


@dataclass(frozen=True, slots=True)
class Page:
    """Repositories in order, and the cursor of the page after this one, if there is one."""

    repos: list[Repo]
    next: str | None


def page(
    ctx: Context,
    filters: Filters,
    sort: Sort = Sort.TRENDING,
    *,
    descending: bool = True,
    limit: int = 30,
    cursor: str | None = None,
) -> Page:
    """One page of what the actor may see. Raises BadRequest for a cursor that no page has given."""
    limit = max(1, min(limit, MOST_ROWS))
    few = None if filters.is_empty else matching(ctx, filters)
    if few is not None and not few:
        return Page([], None)
    query = _ordered(ctx, filters, sort, descending, few)
    if cursor:
        after = _decode(cursor, sort)
        here = tuple_(*_KEYS[sort])
        query = query.where(here < tuple_(*after) if descending else here > tuple_(*after))
    with ctx.db.read() as c:
        rows = c.execute(query.limit(limit + 1)).all()
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return Page([from_row(row) for row in shown], _encode(sort, last.key, last.id) if last else None)


def _ordered(ctx: Context, filters: Filters, sort: Sort, descending: bool, few: list[int] | None) -> Select[Any]:
    key, number = _KEYS[sort]
    query = select(*COLUMNS, key.label("key")).join(t.listings, t.listings.c.repo_id == t.repos.c.id)
    if few is not None:
        # an expression, since the order of an index is of no use for a few rows
        query = query.where(t.repos.c.id.in_(few))
        order = (key + 0, number + 0)
    else:
        query = query.where(t.repos.c.type == filters.type, t.listings.c.type == filters.type, visible(ctx))
        query = query.where(*_conditions(filters, t.repos.c.id, walking=True))
        order = (key, number)
    return query.order_by(*(column.desc() if descending else column.asc() for column in order))


def _conditions(filters: Filters, repo_id: ColumnElement[int], *, walking: bool = False) -> list[ColumnElement[bool]]:
    """All but the type, on the rows of `repos` and `listings` that have the id `repo_id`.

    `walking` an order, numbers stand in expressions, so that no index on them is taken instead of that of the order.
    """
    found: list[ColumnElement[bool]] = []
    # tags first, since their index alone answers
    found += [_tagged(repo_id, t.tags.c.tag == tag) for tag in filters.tags]
    found += [_tagged(repo_id, t.tags.c.tag.in_(group)) for group in filters.any_tags]
    if filters.linked:
        found.append(_tagged(repo_id, t.tags.c.kind == "uses"))
    if filters.author is not None:
        found.append((t.repos.c.owner_id + 0 if walking else t.repos.c.owner_id) == _owner(filters.author))
    found += [t.repos.c.full_lower.contains(word.lower(), autoescape=True) for word in filters.search]
    for column, value in (
        (t.listings.c.pipeline_tag, filters.pipeline_tag),
        (t.listings.c.library, filters.library),
        (t.listings.c.license, filters.license),
        (t.repos.c.sdk, filters.sdk),
    ):
        if value is not None:
            found.append(column == value)
    if filters.gated is not None:
        gated = t.repos.c.gated.concat("") if walking else t.repos.c.gated
        found.append(gated.is_not(None) if filters.gated else gated.is_(None))
    if filters.runs is not None:
        found.append(t.listings.c.engine.is_not(None) if filters.runs else t.listings.c.engine.is_(None))
    for number, bounds in ((t.listings.c.parameters, filters.parameters), (t.listings.c.size, filters.size)):
        found += _between(number + 0 if walking else number, bounds)
    return found


def _between(number: ColumnElement[Any], bounds: tuple[int | None, int | None]) -> list[ColumnElement[bool]]:
    least, most = bounds
    return ([number >= least] if least is not None else []) + ([number <= most] if most is not None else [])


def _owner(name: str) -> ColumnElement[int]:
    return select(t.accounts.c.id).where(t.accounts.c.name_lower == name.lower()).scalar_subquery()


def _tagged(repo_id: ColumnElement[int], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(t.tags.c.repo_id == repo_id, condition)


def matching(ctx: Context, filters: Filters, most: int = _FEW) -> list[int] | None:
    """The ids of all visible matches, in no order, or None when there are more than `most`."""
    if len(filters.search) > _MOST_WORDS or len(filters.tags) > _MOST_TAGS:
        raise BadRequest(f"A list takes at most {_MOST_WORDS} search words and {_MOST_TAGS} tags.")
    with ctx.db.read() as c:
        ids = list(c.scalars(_driven(c, filters).where(visible(ctx)).limit(most + 1)))
    return ids if len(ids) <= most else None


def _driven(c: Connection, filters: Filters) -> Select[Any]:
    """The ids of all matches, asked for so that the database begins at the index that narrows most.

    Without statistics, which SQLite has not here, a planner takes any index on the type for as good as one on a tag:
    so only the condition to begin with can be answered by an index there.
    """
    sqlite = c.dialect.name == "sqlite"
    unindexed = (t.repos.c.type.concat("") if sqlite else t.repos.c.type) == filters.type
    rare = _rarest(c, filters) if filters.author is None else None
    if rare is not None:
        first = t.tags.alias("first")
        query = select(first.c.repo_id).join(t.repos, t.repos.c.id == first.c.repo_id)
        query = query.join(t.listings, t.listings.c.repo_id == first.c.repo_id)
        query = query.where(first.c.tag == rare, unindexed)
        rest = replace(filters, tags=tuple(tag for tag in filters.tags if tag != rare))
        return query.where(*_conditions(rest, first.c.repo_id))
    query = select(t.repos.c.id).join(t.listings, t.listings.c.repo_id == t.repos.c.id)
    if filters.author is not None:
        query = query.where(unindexed)
    elif filters.search:
        # any name, said so that the index of names is walked
        query = query.where(t.repos.c.type == filters.type, t.repos.c.full_lower > "")
    elif filters.parameters != (None, None) or filters.size != (None, None):
        query = query.where(t.listings.c.type == filters.type, unindexed)
    else:
        query = query.where(t.repos.c.type == filters.type)
    return query.where(*_conditions(filters, t.repos.c.id))


def _rarest(c: Connection, filters: Filters) -> str | None:
    """The tag that the fewest repositories have, as far as that is quickly counted."""
    tags = [tag for tag in (*filters.tags, filters.pipeline_tag, filters.library) if tag]
    if filters.license:
        tags.append(f"license:{filters.license}")
    if len(tags) < 2:
        return tags[0] if tags else None

    def seen(tag: str) -> int:
        some = select(t.tags.c.repo_id).where(t.tags.c.tag == tag).limit(_COUNTED).subquery()
        return int(c.scalar(select(func.count()).select_from(some)) or 0)

    return min(tags, key=seen)


def count(ctx: Context, filters: Filters, most: int) -> int:
    """How many visible matches there are, counted no further than `most`."""
    with ctx.db.read() as c:
        some = _driven(c, filters).where(visible(ctx)).limit(most).subquery()
        return int(c.scalar(select(func.count()).select_from(some)) or 0)


def count_private(ctx: Context, type: RepoType) -> int:
    """How many private repositories of one type the actor may see."""
    query = select(func.count()).where(t.repos.c.private.is_(True), t.repos.c.type == type, visible(ctx))
    if ctx.actor.is_anonymous:
        return 0
    with ctx.db.read() as c:
        return int(c.scalar(query) or 0)


# --- what comes in addresses ----------------------------------------------------------------------------------------


def _encode(sort: Sort, key: float | int, number: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([sort, key, number])).rstrip(b"=").decode()


def _decode(cursor: str, sort: Sort) -> tuple[float | int, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        given, key, number = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if given == sort and type(key) in (int, float) and type(number) is int and abs(number) < 2**63:
            return key, number
    except (ValueError, binascii.Error, TypeError):
        pass
    raise BadRequest("The cursor is not one that this list has given: start again without it.", code="InvalidCursor")


_RANGE = re.compile(r"(min|max):([0-9]+(?:\.[0-9]+)?)([KMBT]?)", re.I)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_range(text: str) -> tuple[int | None, int | None]:
    """(least, most) from `min:6B,max:128B`, either part alone too (units K, M, B, T). Raises BadRequest."""
    bounds: dict[str, int] = {}
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None or len(part) > 40:
            raise BadRequest(f"{text!r} is no range of parameters: write it like min:6B,max:128B.", code="InvalidRange")
        bounds[match[1].lower()] = min(int(float(match[2]) * _UNITS[match[3].upper()]), 2**62)
    return bounds.get("min"), bounds.get("max")


def stored_tags(type: RepoType, filters: Sequence[str]) -> tuple[str, ...]:
    """`filter=` values as tags are stored: a model's library and languages have no prefix, a data set's have one."""
    found = []
    for text in filters:
        prefix, _, rest = text.partition(":")
        bare = type is RepoType.MODEL and rest and prefix in ("language", "library", "pipeline_tag", "task")
        found.append(rest if bare else text)
    return tuple(dict.fromkeys(tag for tag in found if tag))
