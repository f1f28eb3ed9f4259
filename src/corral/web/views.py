"""What the templates show: plain values, worked out beforehand, so that a template decides nothing but looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from markupsafe import Markup

from corral.catalogue.vocabulary import LIBRARIES, TASKS
from corral.core.ids import RepoId, RepoType
from corral.repos.read import CommitInfo, Entry
from corral.web import languages

KINDS = {RepoType.MODEL: "Model", RepoType.DATASET: "Dataset", RepoType.SPACE: "Space"}
PLURALS = {RepoType.MODEL: "Models", RepoType.DATASET: "Datasets", RepoType.SPACE: "Spaces"}


@dataclass(frozen=True, slots=True)
class Task:
    """`icon` is the name of a shape in `ui.html`: the modality."""

    id: str
    label: str
    icon: str

    @classmethod
    def of(cls, task: str) -> Task:
        label, modality = TASKS.get(task, (task.replace("-", " ").capitalize(), "other"))
        return cls(task, label, modality)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in the list of all: how many models here are for it, how many of them run, and whether any could."""

    task: Task
    count: int
    running: int
    runs: bool


@dataclass(frozen=True, slots=True)
class RepoCard:
    """One repository in a list. Times in milliseconds, `size` in bytes."""

    type: str
    url: str
    owner: str
    name: str
    private: bool
    gated: bool
    updated: int
    likes: int
    downloads: int
    size: int
    task: Task | None = None
    parameters: int | None = None
    rows: int | None = None
    sdk: str = ""
    title: str = ""
    emoji: str = ""
    tint: str = "gray"
    summary: str = ""
    #: whether this hub runs it
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """A model in a comparison; `problem` says why it takes no part, `without` is the address that leaves it out."""

    name: str
    url: str
    problem: str
    library: str
    license: str | None
    parameters: int | None
    size: int | None
    without: str


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    url: str = ""
    icon: str = ""
    count: int | None = None
    on: bool = False


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    icon: str
    current: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The top of every page of a repository."""

    rid: RepoId
    url: str
    kind: str
    icon: str
    private: bool
    gated: str | None
    likes: int
    liked: bool
    may_write: bool
    tags: list[Chip]
    more_tags: list[Chip]
    tabs: list[Tab]

    @property
    def type(self) -> str:
        return self.rid.type.value


@dataclass(frozen=True, slots=True)
class Snippet:
    title: str
    code: str
    html: Markup


@dataclass(frozen=True, slots=True)
class FacetGroup:
    """A group of filters; those beyond the first few are folded away."""

    title: str
    chips: list[Chip]
    more: list[Chip] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FileRow:
    entry: Entry
    name: str
    url: str
    last: CommitInfo | None


@dataclass(frozen=True, slots=True)
class Crumb:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Revision:
    name: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class DiffRow:
    """`sign` is '+', '-', ' ' or '@' for the head of a hunk; line numbers are None where there are none."""

    sign: str
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True, slots=True)
class DiffFile:
    path: str
    old_path: str
    status: str
    additions: int
    deletions: int
    url: str
    rows: list[DiffRow]
    remark: str


def tag_chip(tag: str, kind: str | None, type: RepoType) -> Chip:
    """A tag as a link to the list it filters."""
    name, label, icon = "other", tag, ""
    prefix, colon, rest = tag.partition(":")
    if not colon:
        prefix, rest = "", tag
    if tag in TASKS or prefix in ("task_categories",):
        task = Task.of(rest)
        name, label, icon = "pipeline_tag" if type is RepoType.MODEL else "task_categories", task.label, task.icon
    elif prefix == "license":
        name, label, icon = "license", rest, "scale"
    elif prefix == "library" or kind == "library" or (not colon and tag in LIBRARIES):
        name, label, icon = "library", LIBRARIES.get(rest, rest), "code"
    elif prefix == "language" or (not colon and kind == "language"):
        name, label = "language", languages.name(rest)
    elif prefix in ("size_categories", "format", "modality"):
        name, label = prefix, rest if prefix == "size_categories" else rest.capitalize()
    elif prefix == "dataset":
        return Chip(rest, f"/datasets/{rest}" if rest.count("/") == 1 else "", "dataset")
    elif prefix == "base_model":
        return Chip(tag, "", "")
    elif prefix == "arxiv":
        return Chip(f"arXiv {rest}", f"https://arxiv.org/abs/{rest}", "file")
    return Chip(label, f"/{type.plural}?{urlencode({name: rest if name != 'other' else tag})}", icon)


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of a discussion: a comment has `html`, anything else `words` that follow the name."""

    by: str
    at: int
    html: Markup
    words: str
    edited: bool
