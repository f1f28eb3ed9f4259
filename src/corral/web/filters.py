"""The members of a list's address, as filters and as links that put one on or take it off.

They are named as on Hugging Face: `/models?pipeline_tag=text-generation&library=gguf&sort=likes`. A value may have the
prefix of its tag (`license=license:mit`) or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from corral.catalogue.facets import Facets
from corral.catalogue.search import Filters, Sort, parse_range
from corral.catalogue.vocabulary import LIBRARIES, SIZE_CATEGORIES
from corral.core.ids import RepoType
from corral.web import languages
from corral.web.views import Chip, FacetGroup, Task


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of filters: its heading, the facet it shows, its member in the address, the prefix of its tags."""

    title: str
    kind: str
    member: str
    prefix: str = ""
    shown: int = 10


_GROUPS: dict[RepoType, tuple[_Group, ...]] = {
    RepoType.MODEL: (
        _Group("Tasks", "task", "pipeline_tag", shown=14),
        _Group("Libraries", "library", "library"),
        _Group("Formats", "format", "format"),
        _Group("Languages", "language", "language"),
        _Group("Licences", "license", "license", "license:"),
        _Group("Datasets", "dataset", "dataset", "dataset:", shown=5),
        _Group("Other", "other", "other"),
    ),
    RepoType.DATASET: (
        _Group("Modalities", "modality", "modality", "modality:"),
        _Group("Tasks", "task", "task_categories", "task_categories:", shown=14),
        _Group("Size (rows)", "size", "size_categories", "size_categories:", shown=12),
        _Group("Formats", "format", "format", "format:"),
        _Group("Languages", "language", "language", "language:"),
        _Group("Licences", "license", "license", "license:"),
        _Group("Libraries", "library", "library", "library:"),
        _Group("Other", "other", "other"),
    ),
    RepoType.SPACE: (
        _Group("SDK", "sdk", "sdk"),
        _Group("Licences", "license", "license", "license:"),
        _Group("Other", "other", "other"),
    ),
}

#: (label, `num_parameters=`) of the model sizes to choose from
_PARAMETERS = (
    ("up to 100M", "max:100M"),
    ("100M to 1B", "min:100M,max:1B"),
    ("1B to 9B", "min:1B,max:9B"),
    ("above 9B", "min:9B"),
)
#: (label, `size=`) of a repository's files, in bytes
_SIZES = (("up to 10 MB", "max:10M"), ("10 MB to 1 GB", "min:10M,max:1B"), ("above 1 GB", "min:1B"))

SORTS: dict[str, tuple[str, Sort]] = {
    "trending": ("Trending", Sort.TRENDING),
    "likes": ("Most likes", Sort.LIKES),
    "downloads": ("Most downloads", Sort.DOWNLOADS),
    "created": ("Newest", Sort.CREATED),
    "modified": ("Updated", Sort.MODIFIED),
    "size": ("Largest", Sort.SIZE),
}


def sorts_of(type: RepoType) -> list[str]:
    without = {RepoType.MODEL: {"size"}, RepoType.DATASET: set(), RepoType.SPACE: {"downloads", "size"}}[type]
    return [name for name in SORTS if name not in without]


def _stored(group: _Group, value: str) -> str:
    """The tag that a value of the address stands for."""
    return value if value.startswith(group.prefix) else group.prefix + value


def filters_of(type: RepoType, query: QueryParams) -> Filters:
    """What the address asks for. Raises BadRequest for a range that cannot be read."""
    tags = [_stored(g, v) for g in _GROUPS[type] if g.member != "sdk" for v in query.getlist(g.member) if v]
    return Filters(
        type=type,
        search=tuple(query.get("search", "").split()),
        author=query.get("author") or None,
        tags=tuple(dict.fromkeys(tags)),
        sdk=query.get("sdk") or None,
        runs=True if type is RepoType.MODEL and query.get("inference") == "warm" else None,
        parameters=parse_range(query["num_parameters"]) if query.get("num_parameters") else (None, None),
        size=parse_range(query["size"]) if query.get("size") else (None, None),
    )


def link(type: RepoType, query: QueryParams, **changes: str | list[str] | None) -> str:
    """The list's address with members changed; a page's cursor does not survive a change."""
    kept = [(k, v) for k, v in query.multi_items() if k not in changes and k != "cursor" and v]
    for key, value in changes.items():
        kept += [(key, one) for one in ([value] if isinstance(value, str) else value or []) if one]
    return f"/{type.plural}" + (f"?{urlencode(kept)}" if kept else "")


def groups(type: RepoType, query: QueryParams, found: Facets) -> list[FacetGroup]:
    """What the page offers to filter by, what is on first."""
    shown = []
    for group in _GROUPS[type]:
        chosen = {_stored(group, value) for value in query.getlist(group.member) if value}
        counts = dict(found.kinds.get(group.kind, []))
        tags = [*chosen, *(tag for tag in counts if tag not in chosen)]
        if group.kind == "size":
            order = {f"{group.prefix}{word}": n for n, word in enumerate(SIZE_CATEGORIES)}
            tags.sort(key=lambda tag: order.get(tag, 99))
        chips = [_chip(type, query, group, tag, counts.get(tag), tag in chosen) for tag in tags]
        if chips:
            shown.append(FacetGroup(group.title, chips[: group.shown], chips[group.shown : 150]))
        if group.kind == "task" and type is RepoType.MODEL:
            shown.append(_ranges(type, query, "Parameters", "num_parameters", _PARAMETERS))
            shown.append(_ranges(type, query, "Inference", "inference", (("Runs on this hub", "warm"),)))
        if group.kind == "size":
            shown.append(_ranges(type, query, "Size (files)", "size", _SIZES))
    return shown


def _ranges(
    type: RepoType, query: QueryParams, title: str, member: str, ranges: tuple[tuple[str, str], ...]
) -> FacetGroup:
    now = query.get(member, "")
    chips = []
    for label, value in ranges:
        on = now == value
        chips.append(Chip(label, link(type, query, **{member: None if on else value}), on=on))
    return FacetGroup(title, chips)


def _chip(type: RepoType, query: QueryParams, group: _Group, tag: str, count: int | None, on: bool) -> Chip:
    value = tag.removeprefix(group.prefix)
    label, icon = value, ""
    if group.kind == "task":
        task = Task.of(value)
        label, icon = task.label, task.icon
    elif group.kind == "library":
        label = LIBRARIES.get(value, value)
    elif group.kind == "language":
        label = languages.name(value)
    if group.member in ("pipeline_tag", "sdk"):
        # one at a time
        target = link(type, query, **{group.member: None if on else value})
    else:
        others = [v for v in query.getlist(group.member) if _stored(group, v) != tag]
        target = link(type, query, **{group.member: others if on else [*others, value]})
    return Chip(label, target, icon, count, on)
