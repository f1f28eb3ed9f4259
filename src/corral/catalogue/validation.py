"""What is wrong with a card's front matter, in the words that Hugging Face's `validate-yaml` uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from corral.catalogue import cards
from corral.catalogue.vocabulary import COLORS, LICENSES, SDKS, SIZE_CATEGORIES, TASKS
from corral.core.ids import RepoType

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_LANGUAGE_WORDS = frozenset({"code", "multilingual", "zxx", "other", "unknown"})


@dataclass(frozen=True, slots=True)
class Findings:
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def validate(content: str, type: RepoType) -> Findings:
    """Errors keep a card from being uploaded by the client; warnings are shown."""
    card = cards.parse(content)
    if card.error is not None:
        return Findings((f"Invalid YAML front matter. {card.error}",), ())
    errors = [message for check in _CHECKS for message in check(card.meta, type)]
    warnings = list(card.warnings)
    warnings += [message for advise in _ADVICE for message in advise(card.meta, type)]
    return Findings(tuple(errors), tuple(warnings))


_Check = Callable[[dict[str, Any], RepoType], Iterator[str]]


def _listed(meta: dict[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """Each value of `key` with the name it has in a message: `key`, or `key[0]` where it is a list."""
    value = meta.get(key)
    if isinstance(value, list):
        yield from ((f"{key}[{at}]", item) for at, item in enumerate(value))
    elif value is not None:
        yield key, value


def _choices(words: tuple[str, ...]) -> str:
    return f"must be one of [{', '.join(words)}]"


def _license(meta: dict[str, Any], _type: RepoType) -> Iterator[str]:
    for name, value in _listed(meta, "license"):
        if value not in LICENSES:
            yield f'"{name}" {_choices(LICENSES)}'


def _language(meta: dict[str, Any], _type: RepoType) -> Iterator[str]:
    for name, value in _listed(meta, "language"):
        if not isinstance(value, str):
            yield f'"{name}" must be a string'
        elif not (_LANGUAGE.fullmatch(value.lower()) or value in _LANGUAGE_WORDS):
            yield (
                f'"{name}" with value "{value}" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code (two/three '
                'letters), or a special value like "code", "multilingual".'
            )


def _texts(meta: dict[str, Any], _type: RepoType) -> Iterator[str]:
    for key in ("tags", "datasets", "metrics", "base_model", "models"):
        for name, value in _listed(meta, key):
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                yield f'"{name}" must be a string'
    for key in ("pipeline_tag", "library_name", "license_name", "license_link", "title", "emoji", "sdk", "app_file"):
        if not isinstance(meta.get(key), str | int | float | None):
            yield f'"{key}" must be a string'


def _model_index(meta: dict[str, Any], _type: RepoType) -> Iterator[str]:
    index = meta.get("model-index")
    if index is None:
        return
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for at, entry in enumerate(index):
        if not isinstance(entry, dict):
            yield f'"model-index[{at}]" must be an object'
        elif not isinstance(entry.get("results"), list):
            yield f'"model-index[{at}].results" must be an array'


def _space(meta: dict[str, Any], type: RepoType) -> Iterator[str]:
    if type is not RepoType.SPACE or not meta:
        return
    # the default of older cards
    if meta.get("sdk", "gradio") not in (*SDKS, "streamlit"):
        yield f'"sdk" {_choices(SDKS)}'
    for key in ("colorFrom", "colorTo"):
        if meta.get(key) is not None and meta[key] not in COLORS:
            yield f'"{key}" {_choices(COLORS)}'
    if not isinstance(meta.get("pinned"), bool | None):
        yield '"pinned" must be a boolean'
    short = meta.get("short_description")
    if isinstance(short, str) and len(short) > 60:
        yield '"short_description" length must be less than or equal to 60 characters long'


def _tasks(meta: dict[str, Any], type: RepoType) -> Iterator[str]:
    key = "task_categories" if type is RepoType.DATASET else "pipeline_tag"
    for _, value in _listed(meta, key):
        if isinstance(value, str) and value not in TASKS and value != "other":
            yield f'The {key} "{value}" is not in the official list: {", ".join(TASKS)}.'


def _sizes(meta: dict[str, Any], type: RepoType) -> Iterator[str]:
    if type is RepoType.DATASET:
        for _, value in _listed(meta, "size_categories"):
            if value not in SIZE_CATEGORIES:
                yield f'The size_categories "{value}" is not one of {", ".join(SIZE_CATEGORIES)}.'


def _other_license(meta: dict[str, Any], _type: RepoType) -> Iterator[str]:
    if meta.get("license") == "other" and not meta.get("license_name"):
        yield 'The license is "other": say which in "license_name", and link to it in "license_link".'


_CHECKS: tuple[_Check, ...] = (_license, _language, _texts, _model_index, _space)
_ADVICE: tuple[_Check, ...] = (_tasks, _sizes, _other_license)
