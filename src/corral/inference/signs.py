"""What the files of one library, or the labels of a model, say of its task: texts and tables.

Pure, like `detect`, which asks it. Each answer is a task and the reason for it, a clause that goes after "because".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

#: how tokenizers write the codes of languages: NLLB, mBART, M2M100
_LANGUAGE = re.compile(r"([a-z]{3}_[A-Z][a-z]{3})|([a-z]{2}_[A-Z]{2})|__([a-z]{2,3})__")
_TABULAR = ("tabular-classification", "tabular-regression")


def crossing(config: Mapping[str, Any], sentences: Mapping[str, Any]) -> tuple[str, str] | None:
    """Of a CrossEncoder of sentence-transformers; `sentences` is its config_sentence_transformers.json."""
    if sentences.get("model_type") == "CrossEncoder" and not _entailment(config):
        return "text-ranking", "its config_sentence_transformers.json says that it is a CrossEncoder"
    return None


def verdict(config: Mapping[str, Any], architecture: str) -> tuple[str, str]:
    """Of a model that gives a text, or a pair of them, one verdict: by its labels."""
    if label := _entailment(config):
        return "zero-shot-classification", f"its config.json names a label {label}, as of natural language inference"
    labels = config.get("id2label")
    if (isinstance(labels, Mapping) and len(labels) == 1) or config.get("num_labels") == 1:
        return "text-ranking", f"its config.json names the architecture {architecture} with a single label"
    return "text-classification", f"its config.json names the architecture {architecture}"


def _entailment(config: Mapping[str, Any]) -> str:
    """The label that says that one text follows from another; '' where there is none."""
    labels = config.get("id2label")
    names = [str(label) for label in labels.values()] if isinstance(labels, Mapping) else []
    return next((name for name in names if name.lower().startswith("entail")), "")


def spacy(meta: Mapping[str, Any]) -> tuple[str, str] | None:
    """Of a pipeline of spaCy, by its meta.json."""
    parts = meta.get("pipeline")
    parts = [part for part in parts if isinstance(part, str)] if isinstance(parts, list) else []
    for kinds, task in (
        (("ner", "beam_ner", "entity_ruler"), "token-classification"),
        (("textcat",), "text-classification"),
    ):
        for part in parts:
            if part.startswith(kinds):
                return task, f"its meta.json names the component {part}"
    return None


def sklearn(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Of a model of scikit-learn, by the config.json that skops writes beside it."""
    own = config.get("sklearn")
    task = own.get("task") if isinstance(own, Mapping) else None
    if task in _TABULAR:
        return str(task), f"its config.json, as skops writes it, says task: {task}"
    return None


def skops_file(config: Mapping[str, Any], files: Collection[str]) -> str:
    """Which of the .skops `files` holds the model."""
    own = config.get("sklearn")
    model = own.get("model") if isinstance(own, Mapping) else None
    named = model.get("file") if isinstance(model, Mapping) else None
    return str(named) if named in files else min(files)


def languages(tokenizer: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The codes that `src_lang` and `tgt_lang` may have, from tokenizer_config.json."""
    tokens = tokenizer.get("extra_special_tokens") or tokenizer.get("additional_special_tokens")
    names = [token for token in tokens if isinstance(token, str)] if isinstance(tokens, list) else []
    codes = [found.group(found.lastindex or 0) for name in names if (found := _LANGUAGE.fullmatch(name))]
    if len(codes) < 2:
        return ()
    # what people try first comes first
    first = {
        name: sorted(codes, key=lambda code: not code.startswith(start))
        for name, start in (("src_lang", "en"), ("tgt_lang", "fr"))
    }
    return tuple((name, tuple(ordered)) for name, ordered in first.items())
