"""What there is for each task: the repositories that lead, and how many models run here."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import func, select

from corral.context import Context
from corral.core.ids import RepoType
from corral.repos.lookup import visible
from corral.storage import schema as t

#: of the most trending repositories of a type, so many are looked at
_LOOKED_AT = 2000


def leading(ctx: Context, type: RepoType, most: int = 4) -> dict[str, list[tuple[str, str]]]:
    """Task -> (id, summary) of its most trending repositories that the actor may see, `most` at most."""
    top = (
        select(t.listings.c.repo_id, t.repos.c.full_name, t.listings.c.summary, t.listings.c.trending)
        .join(t.repos, t.repos.c.id == t.listings.c.repo_id)
        .where(t.listings.c.type == type, visible(ctx))
        .order_by(t.listings.c.trending.desc(), t.listings.c.repo_id.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    tagged = (
        select(t.tags.c.tag, top.c.full_name, top.c.summary)
        .join(t.tags, t.tags.c.repo_id == top.c.repo_id)
        .where(t.tags.c.kind == "task")
        .order_by(top.c.trending.desc(), top.c.repo_id.desc())
    )
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    with ctx.db.read() as c:
        for tag, name, summary in c.execute(tagged):
            task = tag.removeprefix("task_categories:")
            if len(found[task]) < most:
                found[task].append((name, summary))
    return dict(found)


def running(ctx: Context) -> dict[str, int]:
    """Task -> how many models for it run here, of those that the actor may see."""
    counted = (
        select(t.listings.c.pipeline_tag, func.count())
        .join(t.repos, t.repos.c.id == t.listings.c.repo_id)
        .where(t.listings.c.type == RepoType.MODEL, t.listings.c.engine.is_not(None), visible(ctx))
        .group_by(t.listings.c.pipeline_tag)
    )
    with ctx.db.read() as c:
        return {task: number for task, number in c.execute(counted) if task}
