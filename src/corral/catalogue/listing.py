"""What the catalogue knows of a repository: a row of `listings` and, for answers and pages, `listing_details`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from corral.context import Context
from corral.storage import schema as t

#: how many keys one IN list holds, well under what SQLite and PostgreSQL allow
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Details:
    """The card (front matter, JSON-able), what `config.json` and the weights say, tags and file names of main."""

    card: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] | None = None
    safetensors: dict[str, Any] | None = None
    gguf: dict[str, Any] | None = None
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pipeline_reason: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """`size`: bytes of the files on main; `downloads`: of the last 30 days; `sha`: the commit read, '' if none."""

    repo_id: int
    sha: str = ""
    pipeline_tag: str | None = None
    library: str | None = None
    engine: str | None = None
    license: str | None = None
    parameters: int | None = None
    size: int = 0
    rows: int | None = None
    likes: int = 0
    downloads: int = 0
    downloads_all: int = 0
    trending: float = 0.0
    summary: str = ""
    details: Details = field(default_factory=Details)


_LISTING = (
    t.listings.c.repo_id,
    t.listings.c.sha,
    t.listings.c.pipeline_tag,
    t.listings.c.library,
    t.listings.c.engine,
    t.listings.c.license,
    t.listings.c.parameters,
    t.listings.c.size,
    t.listings.c.rows,
    t.listings.c.likes,
    t.listings.c.downloads,
    t.listings.c.downloads_all,
    t.listings.c.trending,
    t.listings.c.summary,
)
_DETAILS = (
    t.listing_details.c.card,
    t.listing_details.c.config,
    t.listing_details.c.safetensors,
    t.listing_details.c.gguf,
    t.listing_details.c.tags,
    t.listing_details.c.files,
    t.listing_details.c.pipeline_reason,
    t.listing_details.c.warnings,
)


def listing_of(ctx: Context, repo_ids: Iterable[int]) -> dict[int, Listing]:
    """The listings of these repositories, all with one query. One that was not indexed yet comes out blank.

    Rights are the caller's business: ask only for what the actor may see.
    """
    wanted = list(dict.fromkeys(repo_ids))
    found = {repo_id: Listing(repo_id) for repo_id in wanted}
    with ctx.db.read() as c:
        for at in range(0, len(wanted), _BATCH):
            query = (
                select(*_LISTING, *_DETAILS)
                .outerjoin(t.listing_details, t.listing_details.c.repo_id == t.listings.c.repo_id)
                .where(t.listings.c.repo_id.in_(wanted[at : at + _BATCH]))
            )
            for row in c.execute(query):
                found[row.repo_id] = _from_row(row)
    return found


def _from_row(row: Any) -> Listing:
    values = tuple(row)
    head, tail = values[: len(_LISTING)], values[len(_LISTING) :]
    if tail[0] is None:
        return Listing(*head)
    card, config, safetensors, gguf, tags, files, reason, warnings = tail
    details = Details(card, config, safetensors, gguf, tuple(tags), tuple(files), reason, tuple(warnings))
    return replace(Listing(*head), details=details)
