"""From a repository's main branch to its rows in the catalogue: read the card, the config and the weights' headers.

What is in a repository was written by anybody: whatever cannot be read is left out with a warning, and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, insert, select, update

from corral.catalogue import cards, tags
from corral.catalogue.cards import Card
from corral.catalogue.files import Files
from corral.catalogue.listing import Details, Listing, listing_of
from corral.catalogue.vocabulary import SDKS
from corral.context import Context
from corral.core.errors import RevisionNotFound
from corral.core.ids import RepoType
from corral.repos import git, lookup, refs
from corral.repos.lookup import Repo
from corral.storage import schema as t

#: names of files that are kept for answers with `siblings`
MOST_FILES = 2_000
_MOST_TEMPLATE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Clues:
    """What a model's task is worked out from. `json` reads a small file by name, None where there is none."""

    card: Mapping[str, Any]
    files: Sequence[str]
    json: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a model is for, None where it cannot be told, one sentence about why, and what runs it here if anything."""

    task: str | None = None
    reason: str | None = None
    engine: str | None = None


Detect = Callable[[Clues], Told]


def _by_card(clues: Clues) -> Told:
    return Told(tags.task_of(Card(dict(clues.card))))


@dataclass(frozen=True, slots=True)
class _Read:
    """One reading of a commit: the listing without its counts, the tags with their kinds, a Space's SDK."""

    listing: Listing
    kinds: Mapping[str, str]
    sdk: str | None


def refresh(ctx: Context, repo_id: int, detect: Detect = _by_card, *, force: bool = False) -> None:
    """Bring the catalogue up to date with main, if it is not. An absent repository is left alone."""
    repo = lookup.get(ctx, repo_id)
    if repo is None:
        return
    head = refs.read(ctx, repo.id, git.HEAD_REF)
    if head is None:
        return
    with ctx.db.read() as c:
        known = c.scalar(select(t.listings.c.sha).where(t.listings.c.repo_id == repo.id))
    if known != head or force:
        _write(ctx, repo, _examine(ctx, repo, head, detect))


def at(ctx: Context, repo: Repo, commit: str) -> Listing:
    """The listing as of `commit`: that of main as it is kept, any other read now, with the task as the card has it.

    Counts (likes, downloads) are those of the repository.
    """
    kept = listing_of(ctx, [repo.id])[repo.id]
    if kept.sha == commit:
        return kept
    return replace(
        _examine(ctx, repo, commit, _by_card).listing,
        likes=kept.likes,
        downloads=kept.downloads,
        downloads_all=kept.downloads_all,
        trending=kept.trending,
    )


# --- reading -----------------------------------------------------------------------------------------------------


def _examine(ctx: Context, repo: Repo, commit: str, detect: Detect) -> _Read:
    try:
        files = Files(ctx, repo, commit)
    except KeyError:
        raise RevisionNotFound(f"Invalid rev id: {commit}") from None
    raw = files.content("README.md", cards.MOST_BYTES)
    card = cards.parse(raw) if raw is not None else Card(warnings=(cards.EMPTY_WARNING,))
    names = list(files.entries)
    model = repo.type is RepoType.MODEL
    raw_config = files.object("config.json") if model else None
    config = _config(files, raw_config) if model else None
    rows = tags.rows_of(card) if repo.type is RepoType.DATASET else None
    safetensors = files.safetensors() if model else None
    gguf = files.gguf() if model else None
    told = detect(Clues(card.meta, names, files.json)) if model else Told()
    library = tags.library_of(card, names, raw_config) if model else None
    stated = card.string("sdk")
    sdk = stated if repo.type is RepoType.SPACE and stated in SDKS else repo.sdk
    found = tags.tags_of(
        tags.Read(
            type=repo.type,
            card=card,
            files=names,
            config=raw_config,
            pipeline_tag=told.task,
            library=library,
            sdk=sdk,
            rows=rows,
            chat=_has_template(config, gguf),
        )
    )
    parameters = safetensors["total"] if safetensors else (gguf or {}).get("total")
    details = Details(
        card=card.meta,
        config=config,
        safetensors=safetensors,
        gguf=gguf,
        tags=found.shown,
        files=tuple(names[:MOST_FILES]),
        pipeline_reason=told.reason,
        warnings=(*card.warnings, *files.warnings),
    )
    listing = Listing(
        repo.id,
        sha=commit,
        pipeline_tag=told.task[:64] if told.task else None,
        library=library,
        engine=told.engine,
        license=tags.license_of(card),
        parameters=parameters,
        size=sum(e.size for e in files.entries.values()),
        rows=rows,
        summary=card.string("short_description") or cards.summary(card.text),
        details=details,
    )
    return _Read(listing, found.kinds, sdk)


#: members of config.json that answers show, as on Hugging Face
_CONFIG_KEYS = ("architectures", "model_type", "auto_map", "quantization_config")
_TOKENIZER_KEYS = ("bos_token", "eos_token", "pad_token", "unk_token", "mask_token", "chat_template")


def _config(files: Files, config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    shown: dict[str, Any] = {key: config[key] for key in _CONFIG_KEYS if key in (config or {})} if config else {}
    tokenizer = files.object("tokenizer_config.json")
    if tokenizer is not None:
        shown["tokenizer_config"] = _tokenizer(tokenizer)
    template = files.content("chat_template.jinja", _MOST_TEMPLATE)
    if template is not None:
        shown.setdefault("tokenizer_config", {})["chat_template"] = cards.decode(template)[0]
    adapter = files.object("adapter_config.json")
    if adapter is not None:
        shown["peft"] = {k: adapter[k] for k in ("base_model_name_or_path", "task_type") if k in adapter}
    pipeline = files.object("model_index.json")
    if pipeline is not None:
        shown["diffusers"] = {"_class_name": pipeline.get("_class_name")}
    return shown or None


def _tokenizer(config: Mapping[str, Any]) -> dict[str, Any]:
    """The special tokens as texts (they may be stored as objects), and a chat template of reasonable length."""
    shown: dict[str, Any] = {}
    for key in _TOKENIZER_KEYS:
        value = config.get(key)
        if isinstance(value, dict):
            value = value.get("content")
        if isinstance(value, str) and len(value) <= _MOST_TEMPLATE:
            shown[key] = value
        elif isinstance(value, list) and key == "chat_template":
            shown[key] = value[:16]
    return shown


def _has_template(config: Mapping[str, Any] | None, gguf: Mapping[str, Any] | None) -> bool:
    tokenizer = (config or {}).get("tokenizer_config") or {}
    return bool(tokenizer.get("chat_template") or (gguf or {}).get("chat_template"))


# --- writing -----------------------------------------------------------------------------------------------------


def _write(ctx: Context, repo: Repo, found: _Read) -> None:
    listing, details = found.listing, found.listing.details
    here = t.listings.c.repo_id == repo.id
    row = {
        "type": repo.type.value,
        "sha": listing.sha,
        "pipeline_tag": listing.pipeline_tag,
        "library": listing.library,
        "engine": listing.engine,
        "license": listing.license,
        "parameters": listing.parameters,
        "size": listing.size,
        "rows": listing.rows,
        "summary": listing.summary,
    }
    shown = {
        "card": details.card,
        "config": details.config,
        "safetensors": details.safetensors,
        "gguf": details.gguf,
        "tags": list(details.tags),
        "files": list(details.files),
        "pipeline_reason": details.pipeline_reason,
        "warnings": list(details.warnings),
    }
    main = select(t.refs.c.oid).where(t.refs.c.repo_id == repo.id, t.refs.c.name == git.HEAD_REF)
    with ctx.db.write() as c:
        # the lock keeps a slower reading of an older commit from writing over this one
        c.execute(select(t.listings.c.repo_id).where(here).with_for_update())
        if c.scalar(main) != listing.sha:
            return
        if c.execute(update(t.listings).where(here).values(row)).rowcount == 0:
            c.execute(insert(t.listings).values(repo_id=repo.id, **row))
        there = t.listing_details.c.repo_id == repo.id
        if c.execute(update(t.listing_details).where(there).values(shown)).rowcount == 0:
            c.execute(insert(t.listing_details).values(repo_id=repo.id, **shown))
        c.execute(delete(t.tags).where(t.tags.c.repo_id == repo.id))
        rows = [
            {"tag": tag, "repo_id": repo.id, "type": repo.type.value, "kind": kind} for tag, kind in found.kinds.items()
        ]
        if rows:
            c.execute(insert(t.tags), rows)
        if found.sdk != repo.sdk:
            c.execute(update(t.repos).where(t.repos.c.id == repo.id).values(sdk=found.sdk))
