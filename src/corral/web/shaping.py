"""From what the domains answer to what the templates show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from corral.catalogue import cards, likes, listing
from corral.catalogue.listing import Listing
from corral.catalogue.vocabulary import COLORS
from corral.context import Context
from corral.core.ids import GIT_TYPES, RepoId, RepoType
from corral.repos import lookup
from corral.repos.lookup import Repo, Right
from corral.web.address import repo_url
from corral.web.views import KINDS, Chip, Head, RepoCard, Tab, Task, tag_chip

_ICONS = {RepoType.MODEL: "model", RepoType.DATASET: "dataset", RepoType.SPACE: "space"}
_TAGS_SHOWN = 14


def repo_cards(ctx: Context, repos: Sequence[Repo]) -> list[RepoCard]:
    """One card for each repository, in order, with one query for all."""
    found = listing.listing_of(ctx, [repo.id for repo in repos])
    return [_card(repo, found[repo.id]) for repo in repos]


def _card(repo: Repo, known: Listing) -> RepoCard:
    meta = known.details.card
    words = cards.strings(meta, "colorFrom")
    emoji = cards.strings(meta, "emoji")
    title = cards.strings(meta, "title")
    return RepoCard(
        type=repo.type.value,
        url=repo_url(repo.rid),
        owner=repo.rid.owner,
        name=repo.rid.name,
        private=repo.private,
        gated=repo.gated is not None,
        updated=repo.updated_at,
        likes=known.likes,
        downloads=known.downloads,
        size=known.size,
        task=Task.of(known.pipeline_tag) if known.pipeline_tag and repo.type is RepoType.MODEL else None,
        parameters=known.parameters,
        rows=known.rows,
        sdk=repo.sdk or "",
        title=title[0][:80] if title else repo.rid.name,
        emoji=emoji[0][:8] if emoji else "🐎",
        tint=words[0] if words and words[0] in COLORS else "gray",
        summary=(cards.strings(meta, "short_description") or [known.summary])[0],
        runs=known.engine is not None,
    )


def head(ctx: Context, repo: Repo, known: Listing, current: str) -> Head:
    """The top of a page of `repo`; `current` is the label of the tab that it is under."""
    url = repo_url(repo.rid)
    may_write = lookup.may(ctx, repo, Right.WRITE)
    spoken = {code.lower() for code in cards.strings(known.details.card, "language")}
    chips = [
        tag_chip(tag, "language" if tag in spoken else None, repo.type)
        for tag in known.details.tags
        if not tag.startswith(("region:", "base_model:"))
    ]
    if repo.type is RepoType.SPACE and repo.sdk and repo.sdk not in known.details.tags:
        chips.insert(0, Chip(repo.sdk, f"/spaces?sdk={repo.sdk}"))
    first = {RepoType.MODEL: "Model card", RepoType.DATASET: "Dataset card", RepoType.SPACE: "App"}[repo.type]
    tabs = {
        "card": Tab(first, url, _ICONS[repo.type]),
        "files": Tab("Files", repo_url(repo.rid, "tree", "main"), "folder"),
        "community": Tab("Community", repo_url(repo.rid, "discussions"), "chat"),
    }
    if may_write and repo.type is RepoType.MODEL:
        tabs["feedback"] = Tab("Feedback", repo_url(repo.rid, "feedback"), "heart")
    if may_write:
        tabs["settings"] = Tab("Settings", repo_url(repo.rid, "settings"), "settings")
    return Head(
        rid=repo.rid,
        url=url,
        kind=KINDS[repo.type],
        icon=_ICONS[repo.type],
        private=repo.private,
        gated=repo.gated,
        likes=known.likes,
        liked=likes.likes(ctx, repo),
        may_write=may_write,
        tags=chips[:_TAGS_SHOWN],
        more_tags=chips[_TAGS_SHOWN:],
        tabs=[replace(tab, current=name == current) for name, tab in tabs.items()],
    )


def opened(ctx: Context, rid: RepoId, current: str, right: Right = Right.READ) -> tuple[Repo, Listing, Head]:
    """What every page of a repository begins with. Raises as `lookup.find` does."""
    repo = lookup.find(ctx, rid, right)
    known = listing.listing_of(ctx, [repo.id])[repo.id]
    return repo, known, head(ctx, repo, known, current)


def by_type(repos: Iterable[Repo]) -> dict[RepoType, list[Repo]]:
    found: dict[RepoType, list[Repo]] = {type: [] for type in GIT_TYPES}
    for repo in repos:
        found[repo.type].append(repo)
    return found
