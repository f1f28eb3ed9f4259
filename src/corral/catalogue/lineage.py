"""Who comes from whom: base models and what was made of them, Spaces and what they use. Read from the `tags` rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select

from corral.context import Context
from corral.core.ids import RepoType
from corral.repos.lookup import visible
from corral.storage import schema as t

#: how a model comes from its base; `base_model:RELATION:ID` (hub-docs, model-cards.md)
RELATIONS = ("finetune", "adapter", "merge", "quantized")

#: Spaces named in one answer, as on Hugging Face
_MOST_SPACES = 100


def spaces_using(ctx: Context, names: Sequence[str], type: RepoType = RepoType.MODEL) -> dict[str, list[str]]:
    """For each model (or data set) name, the visible Spaces whose card names it, the most trending first."""
    found: dict[str, list[str]] = {name: [] for name in names}
    tags = {f"{type}:{name}": name for name in names}
    query = (
        select(t.tags.c.tag, t.repos.c.full_name)
        .join(t.repos, t.repos.c.id == t.tags.c.repo_id)
        .join(t.listings, t.listings.c.repo_id == t.tags.c.repo_id)
        .where(t.tags.c.tag.in_(tags), t.tags.c.type == RepoType.SPACE, t.tags.c.kind == "uses", visible(ctx))
        .order_by(t.listings.c.trending.desc(), t.repos.c.id.desc())
    )
    with ctx.db.read() as c:
        for tag, space in c.execute(query):
            named = found[tags[tag]]
            if len(named) < _MOST_SPACES:
                named.append(space)
    return found


def children_counts(ctx: Context, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each model name, how many visible models were made of it, by relation."""
    found = {name: dict.fromkeys(RELATIONS, 0) for name in names}
    tags = {f"base_model:{relation}:{name}": (name, relation) for name in names for relation in RELATIONS}
    query = (
        select(t.tags.c.tag, func.count())
        .join(t.repos, t.repos.c.id == t.tags.c.repo_id)
        .where(t.tags.c.tag.in_(tags), t.tags.c.type == RepoType.MODEL, visible(ctx))
        .group_by(t.tags.c.tag)
    )
    with ctx.db.read() as c:
        for tag, count in c.execute(query):
            name, relation = tags[tag]
            found[name][relation] = count
    return found


def base_models(ctx: Context, repo_ids: Iterable[int]) -> dict[str, dict[str, Any] | None]:
    """For each model's name, `{relation, models: [{_id, id}]}` with those base models that are visible here."""
    query = (
        select(t.repos.c.full_name, t.tags.c.tag)
        .join(t.tags, t.tags.c.repo_id == t.repos.c.id)
        .where(t.repos.c.id.in_(list(repo_ids)), t.tags.c.kind == "base_model")
    )
    bases: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with ctx.db.read() as c:
        for name, tag in c.execute(query):
            _, first, *rest = tag.split(":")
            if rest:
                bases[name].append((first, ":".join(rest)))
        wanted = {base.lower() for found in bases.values() for _, base in found}
        here = select(t.repos.c.full_lower, t.repos.c.full_name, t.repos.c.object_id).where(
            t.repos.c.type == RepoType.MODEL, t.repos.c.full_lower.in_(wanted), visible(ctx)
        )
        known = {lower: {"_id": object_id, "id": full} for lower, full, object_id in c.execute(here)}
    return {
        name: {"relation": found[0][0], "models": [known[b.lower()] for _, b in found if b.lower() in known]}
        for name, found in bases.items()
    }
