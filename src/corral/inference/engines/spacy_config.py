"""What of a spaCy pipeline is built: its config.cfg may name any function that is installed, with any arguments.

So only spaCy's own components, layers and tokenizer are let through, by name, and what is not needed to find entities
or to tell kinds of texts is left out. Nothing here is read from the repository but text.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spacy.util import load_config

from corral.inference.engines.base import Refused

_FINDS = {"ner", "beam_ner", "entity_ruler", "future_entity_ruler"}
_TELLS = {"textcat", "textcat_multilabel"}
#: what rules may look at
_FOR_RULES = {"tagger", "morphologizer", "parser", "senter", "sentencizer", "attribute_ruler", "lemmatizer"}
_LAYERS = re.compile(
    r"spacy(-legacy)?\.(CharacterEmbed|HashEmbedCNN|MaxoutWindowEncoder|MishWindowEncoder|MultiHashEmbed|Tagger"
    r"|TextCat[A-Za-z]+|Tok2Vec|Tok2VecListener|TransitionBasedParser)\.v\d+"
)
_FILTERS = re.compile(
    r"spacy\.(first_longest_spans_filter|prioritize_(new|existing)_ents_filter|levenshtein_compare)\.v\d+"
)
_KNOWN = {"@architectures": _LAYERS, "@misc": _FILTERS}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def reduced(folder: Path) -> dict[str, Any]:
    """A config with the components that are built, for `spacy.util.load_model_from_config`.

    Raises Refused (501) naming what spaCy itself does not bring, or when nothing is left to run.
    """
    config = load_config(folder / "config.cfg", interpolate=True)
    own = config.get("nlp", {})
    pipeline = [name for name in own.get("pipeline", []) if name not in (own.get("disabled") or [])]
    given = {name: config.get("components", {}).get(name, {}) for name in pipeline}
    factories = {name: part.get("factory") for name, part in given.items()}
    wanted = _FINDS | _TELLS | {"tok2vec"}
    if any("ruler" in str(factory) and factory in _FINDS for factory in factories.values()):
        wanted |= _FOR_RULES
    kept = [name for name in pipeline if factories[name] in wanted]
    if not any(factories[name] in _FINDS | _TELLS for name in kept):
        raise Refused(
            f"This pipeline finds no entities and tells no kinds of texts: its components are {_said(factories)}, and "
            f"Corral runs {', '.join(sorted(_FINDS | _TELLS))}.",
            501,
        )
    if not any("Tok2VecListener" in str(given[name]) for name in kept):
        kept = [name for name in kept if factories[name] != "tok2vec"]
    for name in kept:
        # a component's files lie in a folder of its name
        if not _NAME.fullmatch(name):
            raise Refused(f"This pipeline has a component of the name {name!r}, which Corral does not take.", 501)
    language = str(own.get("lang"))
    if not re.fullmatch(r"[a-z]{2,3}", language) or find_spec(f"spacy.lang.{language}") is None:
        raise Refused(f"This pipeline's language {language!r} is none of spaCy's own.", 501)
    for key, function in (
        ("tokenizer", {"@tokenizers": "spacy.Tokenizer.v1"}),
        ("vectors", {"@vectors": "spacy.Vectors.v1"}),
    ):
        if own.get(key, function) != function:
            raise Refused(f"This pipeline has {key} other than spaCy's ordinary ones, which Corral does not run.", 501)
    return {
        "nlp": {
            "lang": language,
            "pipeline": kept,
            "disabled": [],
            "before_creation": None,
            "after_creation": None,
            "after_pipeline_creation": None,
            "batch_size": 64,
            "tokenizer": {"@tokenizers": "spacy.Tokenizer.v1"},
            "vectors": {"@vectors": "spacy.Vectors.v1"},
        },
        # how well a component does is not asked here
        "components": {
            name: _checked({key: value for key, value in given[name].items() if key != "scorer"}) for name in kept
        },
    }


def _checked(value: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.startswith("@") and not (key in _KNOWN and _KNOWN[key].fullmatch(str(inner))):
                raise Refused(
                    f"This pipeline is built with {key[1:]} {inner!r}, which Corral does not run: only spaCy's own.",
                    501,
                )
            _checked(inner)
    elif isinstance(value, list):
        for inner in value:
            _checked(inner)
    return value


def _said(factories: dict[str, Any]) -> str:
    return ", ".join(sorted({str(factory) for factory in factories.values()})) or "none"
