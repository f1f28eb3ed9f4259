"""The JSON form of a model, a data set or a Space, for lists and for `/api/{types}/{id}` alike.

Keys as `ModelInfo`, `DatasetInfo` and `SpaceInfo` of huggingface_hub 2.4.0 (`hf_api.py`) read them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corral.catalogue import lineage
from corral.catalogue.listing import Listing, listing_of
from corral.context import Context
from corral.core.clock import iso
from corral.core.errors import BadRequest
from corral.core.ids import RepoType
from corral.repos.lookup import Repo
from corral.repos.read import Entry

__all__ = ["EXPAND", "View", "check_expand", "info", "infos", "listing_of", "siblings_of"]

_COMMON = (
    "author", "cardData", "createdAt", "disabled", "lastModified", "likes", "private", "resourceGroup", "sha",
    "siblings", "tags", "trendingScore", "usedStorage",
)  # fmt: skip

#: what `expand=` may name; an unknown name is refused with this list
EXPAND: Mapping[RepoType, tuple[str, ...]] = {
    RepoType.MODEL: tuple(
        sorted(
            (
                *_COMMON, "baseModels", "childrenModelCount", "config", "downloads", "downloadsAllTime", "evalResults",
                "gated", "gguf", "inference", "inferenceProviderMapping", "library_name", "mask_token", "model-index",
                "pipeline_tag", "safetensors", "spaces", "transformersInfo", "widgetData",
            ),
            key=str.lower,
        )
    ),
    RepoType.DATASET: tuple(
        sorted(
            (
                *_COMMON, "citation", "description", "downloads", "downloadsAllTime", "gated", "mainSize",
                "paperswithcode_id",
            ),
            key=str.lower,
        )
    ),
    RepoType.SPACE: tuple(
        sorted((*_COMMON, "datasets", "models", "region", "runtime", "sdk", "subdomain"), key=str.lower)
    ),
}  # fmt: skip

_LIST = {
    RepoType.MODEL: (
        "likes", "trendingScore", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt",
    ),
    RepoType.DATASET: (
        "author", "disabled", "gated", "lastModified", "likes", "trendingScore", "private", "sha", "description",
        "downloads", "tags", "createdAt",
    ),
    RepoType.SPACE: ("likes", "trendingScore", "private", "sdk", "tags", "createdAt"),
}  # fmt: skip
_FULL = {
    RepoType.MODEL: ("author", "sha", "lastModified", "gated", "disabled", "siblings"),
    RepoType.DATASET: ("cardData", "siblings"),
    RepoType.SPACE: ("author", "cardData", "lastModified", "sha", "siblings", "subdomain"),
}
_ONE = {
    RepoType.MODEL: (
        "private", "pipeline_tag", "library_name", "tags", "downloads", "likes", "author", "sha", "lastModified",
        "gated", "disabled", "model-index", "config", "cardData", "transformersInfo", "mask_token", "widgetData",
        "siblings", "spaces", "createdAt", "safetensors", "gguf", "usedStorage",
    ),
    RepoType.DATASET: (
        "author", "sha", "lastModified", "private", "gated", "disabled", "tags", "citation", "description",
        "paperswithcode_id", "downloads", "likes", "cardData", "siblings", "createdAt", "usedStorage",
    ),
    RepoType.SPACE: (
        "author", "sha", "lastModified", "private", "gated", "disabled", "tags", "likes", "sdk", "subdomain", "host",
        "runtime", "models", "datasets", "cardData", "siblings", "createdAt", "usedStorage",
    ),
}  # fmt: skip

#: left out of an answer, rather than null, where there is nothing to say
_OPTIONAL = frozenset(
    (
        "pipeline_tag", "library_name", "config", "cardData", "transformersInfo", "mask_token", "widgetData",
        "model-index", "safetensors", "gguf", "runtime", "sdk", "citation", "paperswithcode_id", "siblings", "host",
    )
)  # fmt: skip

#: the name of this hub among inference providers
PROVIDER = "corral"


@dataclass(frozen=True, slots=True)
class View:
    """How much of a repository to show: `expand` alone, or what a list or a single answer has and more."""

    expand: Collection[str] = ()
    one: bool = False
    full: bool = False
    card: bool = False
    config: bool = False

    def keys(self, type: RepoType) -> tuple[str, ...]:
        if self.expand:
            return tuple(dict.fromkeys(self.expand))
        keys = _ONE[type] if self.one else _LIST[type] + (_FULL[type] if self.full else ())
        keys += ("cardData",) if self.card else ()
        keys += ("config",) if self.config and type is RepoType.MODEL else ()
        return tuple(dict.fromkeys(keys))


def check_expand(type: RepoType, names: Sequence[str]) -> tuple[str, ...]:
    """`names`, or BadRequest in the words that clients expect."""
    known = EXPAND[type]
    for name in names:
        if name not in known:
            choices = "|".join(f'"{k}"' for k in known)
            raise BadRequest(
                f'"expand" must be one of [{", ".join(known)}]: {name!r} is not, expected one of {choices}'
            )
    return tuple(names)


def siblings_of(entries: Sequence[Entry], *, blobs: bool = False) -> list[dict[str, Any]]:
    """The files as `siblings`; with `blobs`, their sizes and hashes too."""
    files = [e for e in entries if e.type == "file"]
    if not blobs:
        return [{"rfilename": e.path} for e in files]
    return [
        {"rfilename": e.path, "size": e.size, "blobId": e.oid}
        | ({"lfs": {"sha256": e.lfs.sha256, "size": e.lfs.size, "pointerSize": e.lfs.pointer_size}} if e.lfs else {})
        for e in files
    ]


def info(
    ctx: Context,
    repo: Repo,
    listing: Listing,
    view: View,
    *,
    origin: str,
    sha: str | None = None,
    siblings: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """One repository. `sha` and `siblings` of a revision replace those of main; `origin` is `scheme://host`."""
    shown = infos(ctx, [repo], {repo.id: listing}, view, origin=origin)[0]
    if sha is not None and "sha" in shown:
        shown["sha"] = sha
    if siblings is not None and "siblings" in view.keys(repo.type):
        shown["siblings"] = siblings
    return shown


def infos(
    ctx: Context, repos: Sequence[Repo], listings: Mapping[int, Listing], view: View, *, origin: str
) -> list[dict[str, Any]]:
    """Many repositories of one type. What needs other repositories is asked once for all of them."""
    if not repos:
        return []
    type = repos[0].type
    keys = view.keys(type)
    names = [r.full_name for r in repos]
    linked: dict[str, Mapping[str, Any]] = {}
    if "spaces" in keys:
        linked["spaces"] = lineage.spaces_using(ctx, names)
    if "childrenModelCount" in keys:
        linked["childrenModelCount"] = lineage.children_counts(ctx, names)
    if "baseModels" in keys:
        linked["baseModels"] = lineage.base_models(ctx, [r.id for r in repos])
    shown = []
    for repo in repos:
        one: dict[str, Any] = {"_id": repo.object_id, "id": repo.full_name}
        if type is RepoType.MODEL and not view.expand:
            one["modelId"] = repo.full_name
        for key in keys:
            if key in linked:
                one[key] = linked[key].get(repo.full_name)
                continue
            value = _FIELDS[key](_Shown(repo, listings[repo.id], origin))
            if value is not None or key not in _OPTIONAL:
                one[key] = value
        shown.append(one)
    return shown


@dataclass(frozen=True, slots=True)
class _Shown:
    repo: Repo
    listing: Listing
    origin: str


_PROCESSORS = (
    ("processor_config.json", "AutoProcessor"),
    ("preprocessor_config.json", "AutoImageProcessor"),
    ("tokenizer_config.json", "AutoTokenizer"),
)


def _transformers(shown: _Shown) -> dict[str, Any] | None:
    """How to load a transformers model: its auto class, worked out from the architecture's name."""
    listing = shown.listing
    if listing.library != "transformers":
        return None
    architectures = (listing.details.config or {}).get("architectures") or []
    architecture = str(architectures[0]) if architectures else ""
    at = architecture.find("For")
    auto = f"AutoModel{architecture[at:]}" if at > 0 else "AutoModel"
    if auto == "AutoModelForConditionalGeneration":
        auto = "AutoModelForSeq2SeqLM" if listing.pipeline_tag in _SEQ2SEQ else "AutoModelForMultimodalLM"
    elif auto == "AutoModelLMHeadModel":
        auto = "AutoModelForCausalLM"
    found: dict[str, Any] = {"auto_model": auto}
    if listing.pipeline_tag:
        found["pipeline_tag"] = listing.pipeline_tag
    processor = next((auto for name, auto in _PROCESSORS if name in listing.details.files), None)
    if processor:
        found["processor"] = processor
    return found


_SEQ2SEQ = frozenset({"summarization", "translation", "text2text-generation", "text-generation"})


def _providers(shown: _Shown) -> list[dict[str, Any]]:
    """This hub itself, for a model that it runs: no call goes elsewhere (`InferenceProviderMapping` of the client)."""
    listing = shown.listing
    if not listing.engine:
        return []
    chats = listing.pipeline_tag == "text-generation" and "conversational" in listing.details.tags
    task = "conversational" if chats else listing.pipeline_tag
    return [{"provider": PROVIDER, "providerId": shown.repo.full_name, "status": "live", "task": task}]


def _static_runtime(shown: _Shown) -> dict[str, Any] | None:
    """A static Space needs nothing to run."""
    if shown.repo.sdk != "static":
        return None
    return {
        "stage": "RUNNING",
        "hardware": {"current": None, "requested": None},
        "storage": None,
        "gcTimeout": None,
        "replicas": {"current": 1, "requested": 1},
    }


def _named(card: Mapping[str, Any], key: str) -> list[str]:
    value = card.get(key)
    if isinstance(value, str):
        return [value]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _object(card: Mapping[str, Any], key: str) -> Any:
    """A member of the card that clients read as a list or an object; anything else is left out."""
    value = card.get(key)
    return value if isinstance(value, dict | list) else None


_Field = Callable[[_Shown], Any]

_FIELDS: dict[str, _Field] = {
    "author": lambda s: s.repo.rid.owner,
    "cardData": lambda s: s.listing.details.card or None,
    "citation": lambda s: s.listing.details.card.get("citation"),
    "config": lambda s: s.listing.details.config,
    "createdAt": lambda s: iso(s.repo.created_at),
    "datasets": lambda s: _named(s.listing.details.card, "datasets"),
    "description": lambda s: s.listing.summary,
    "disabled": lambda s: s.repo.disabled,
    "downloads": lambda s: s.listing.downloads,
    "downloadsAllTime": lambda s: s.listing.downloads_all,
    "evalResults": lambda s: None,
    "gated": lambda s: s.repo.gated or False,
    "gguf": lambda s: s.listing.details.gguf,
    "host": lambda s: f"{s.origin}/-/spaces/{s.repo.full_name}/",
    "inference": lambda s: "warm" if s.listing.engine else None,
    "inferenceProviderMapping": _providers,
    "lastModified": lambda s: iso(s.repo.updated_at),
    "library_name": lambda s: s.listing.library,
    "likes": lambda s: s.listing.likes,
    "mainSize": lambda s: s.listing.size,
    "mask_token": lambda s: ((s.listing.details.config or {}).get("tokenizer_config") or {}).get("mask_token"),
    "model-index": lambda s: _object(s.listing.details.card, "model-index"),
    "models": lambda s: _named(s.listing.details.card, "models"),
    "paperswithcode_id": lambda s: s.listing.details.card.get("paperswithcode_id"),
    "pipeline_tag": lambda s: s.listing.pipeline_tag,
    "private": lambda s: s.repo.private,
    "region": lambda s: None,
    "resourceGroup": lambda s: None,
    "runtime": _static_runtime,
    "safetensors": lambda s: s.listing.details.safetensors,
    "sdk": lambda s: s.repo.sdk,
    "sha": lambda s: s.listing.sha,
    "siblings": lambda s: [{"rfilename": name} for name in s.listing.details.files],
    "subdomain": lambda s: s.repo.subdomain,
    "tags": lambda s: list(s.listing.details.tags),
    "transformersInfo": _transformers,
    "trendingScore": lambda s: round(s.listing.trending),
    "usedStorage": lambda s: s.repo.used_storage,
    "widgetData": lambda s: _object(s.listing.details.card, "widget"),
}
