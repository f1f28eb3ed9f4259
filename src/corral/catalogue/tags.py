"""The tags of a repository, formed as Hugging Face forms them, each with the kind of thing it says.

Of a model: its library, file formats, model type, task, the card's own tags, `arxiv:…`, `base_model:…`, `license:…`,
`dataset:…` and bare language codes. Of a data set: nearly all with a prefix (`language:en`, `task_categories:…`). Pure
functions of what was read; `catalogue.index` reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from corral.catalogue.cards import Card
from corral.catalogue.lineage import RELATIONS
from corral.catalogue.vocabulary import LIBRARIES, LICENSES, TASKS, size_category
from corral.core.ids import RepoType

#: characters of one tag (the width of its column), and how many one repository may have
MOST_LENGTH = 200
MOST_TAGS = 500

_ARXIV = re.compile(
    r"(?:arxiv\.org/(?:abs|pdf|html)/|(?:huggingface\.co|hf\.co)/papers/|\barxiv:\s*)(\d{4}\.\d{4,5})(?!\d)", re.I
)
_MOST_PAPERS = 30


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a repository's main branch. `config` is `config.json`, `rows` counts a data set's examples."""

    type: RepoType
    card: Card
    files: Sequence[str] = ()
    config: Mapping[str, Any] | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    sdk: str | None = None
    rows: int | None = None
    chat: bool = False


class Tags:
    """Tags in order, each once; the first kind that a tag is given stays. `hidden` ones are for queries only."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self._hidden: set[str] = set()

    def add(self, kind: str, tags: Iterable[str | None], prefix: str = "", *, hidden: bool = False) -> None:
        for tag in tags:
            text = f"{prefix}{tag}"
            if (
                tag
                and text.isprintable()
                and len(text) <= MOST_LENGTH
                and len(self.kinds) < MOST_TAGS
                and text not in self.kinds
            ):
                self.kinds[text] = kind
                if hidden:
                    self._hidden.add(text)

    @property
    def shown(self) -> tuple[str, ...]:
        return tuple(tag for tag in self.kinds if tag not in self._hidden)


def tags_of(read: Read) -> Tags:
    tags = Tags()
    match read.type:
        case RepoType.MODEL:
            _model(tags, read)
        case RepoType.DATASET:
            _dataset(tags, read)
        case RepoType.SPACE:
            _space(tags, read)
    return tags


# --- models ------------------------------------------------------------------------------------------------------

#: tag of a file format -> how the name of one of its files ends
_FORMATS: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("pytorch_model.bin", "pytorch_model.bin.index.json", "adapter_model.bin"),
    "tf": ("tf_model.h5", "tf_model.h5.index.json"),
    "jax": ("flax_model.msgpack", "flax_model.msgpack.index.json"),
    "rust": ("rust_model.ot",),
    "onnx": (".onnx",),
    "safetensors": (".safetensors",),
    "gguf": (".gguf",),
    "openvino": ("openvino_model.xml",),
    "coreml": (".mlmodel", ".mlpackage/manifest.json"),
    "tflite": (".tflite",),
    "joblib": (".joblib",),
    "keras": (".keras",),
    "nemo": (".nemo",),
}


def _model(tags: Tags, read: Read) -> None:
    card, config = read.card, read.config or {}
    lower = [name.lower() for name in read.files]
    tags.add("library", [read.library])
    tags.add("format", (tag for tag, ends in _FORMATS.items() if any(name.endswith(ends) for name in lower)))
    if any("tfevents" in name for name in lower):
        tags.add("format", ["tensorboard"])
    model_type = config.get("model_type")
    tags.add("other", [model_type if isinstance(model_type, str) else None])
    tags.add("task", [read.pipeline_tag])
    if read.chat and read.pipeline_tag in ("text-generation", "image-text-to-text"):
        tags.add("other", ["conversational"])
    tags.add("other", ["custom_code"] if config.get("auto_map") else [])
    tags.add("other", _quantization(config))
    own = card.strings("tags")
    tags.add("library", (tag for tag in own if tag in LIBRARIES))
    tags.add("other", own)
    tags.add("language", (code.lower() for code in card.strings("language")))
    tags.add("dataset", card.strings("datasets"), "dataset:")
    tags.add("arxiv", papers(card.text), "arxiv:")
    bases, how = base_models(read)
    tags.add("base_model", bases, "base_model:")
    tags.add("base_model", bases, f"base_model:{how}:")
    tags.add("license", card.strings("license"), "license:")
    tags.add("other", ["model-index"] if card.meta.get("model-index") else [])


def _quantization(config: Mapping[str, Any]) -> list[str]:
    settings = config.get("quantization_config")
    if not isinstance(settings, dict):
        return []
    method = settings.get("quant_method")
    bits = settings.get("bits")
    if settings.get("load_in_4bit") or settings.get("_load_in_4bit"):
        bits = 4
    elif settings.get("load_in_8bit") or settings.get("_load_in_8bit"):
        bits = 8
    named = [f"{bits}-bit"] if isinstance(bits, int) and 0 < bits < 64 else []
    return [*named, method] if isinstance(method, str) else named


def base_models(read: Read) -> tuple[list[str], str]:
    """(base models of the card, how this model comes from them): stated by `base_model_relation`, else inferred."""
    bases = read.card.strings("base_model")
    stated = read.card.string("base_model_relation")
    if stated in RELATIONS:
        return bases, stated
    own = {tag.lower() for tag in read.card.strings("tags")}
    if len(bases) > 1 or own & {"merge", "mergekit"}:
        return bases, "merge"
    if read.library == "peft" or "adapter_config.json" in read.files or "lora" in own:
        return bases, "adapter"
    gguf = any(name.lower().endswith(".gguf") for name in read.files)
    if gguf or (read.config or {}).get("quantization_config") or own & {"gguf", "gptq", "awq", "exl2", "mlx"}:
        return bases, "quantized"
    return bases, "finetune"


def papers(text: str) -> list[str]:
    """The arXiv numbers that a card links to."""
    low = text.lower()
    if "arxiv" not in low and "/papers/" not in low:
        return []
    return list(dict.fromkeys(_ARXIV.findall(text)))[:_MOST_PAPERS]


def license_of(card: Card) -> str | None:
    """The card's licence by its identifier; what is not on the list counts as it is written."""
    found = card.string("license")
    return found.lower() if found and found.lower() in LICENSES else found


#: a file that gives its library away -> that library, the most telling first
_TELLING: tuple[tuple[str, str], ...] = (
    ("adapter_config.json", "peft"),
    ("model_index.json", "diffusers"),
    ("modular_model_index.json", "diffusers"),
    ("config_setfit.json", "setfit"),
    ("modules.json", "sentence-transformers"),
    ("config_sentence_transformers.json", "sentence-transformers"),
    ("open_clip_config.json", "open_clip"),
    ("sklearn_model.joblib", "sklearn"),
    ("hyperparams.yaml", "speechbrain"),
    ("metadata.json.keras", "keras"),
)


def library_of(card: Card, files: Sequence[str], config: Mapping[str, Any] | None) -> str | None:
    """A model's library: what the card says, then a tag of the card, then what the files give away.

    A `config.json` alone does not mean transformers: it must say so, as on Hugging Face since August 2024.
    """
    stated = card.string("library_name")
    if stated:
        return stated[:64]
    tagged = next((tag for tag in card.strings("tags") if tag in LIBRARIES), None)
    if tagged:
        return tagged
    names = set(files)
    telling = next((library for name, library in _TELLING if name in names), None)
    if telling:
        return telling
    if {"meta.json", "config.cfg"} <= names:
        return "spacy"
    ends = {PurePosixPath(name).suffix.lower() for name in names}
    if ".nemo" in ends:
        return "nemo"
    if ".keras" in ends:
        return "keras"
    if config is not None:
        if "pretrained_cfg" in config or ("architecture" in config and "num_features" in config):
            return "timm"
        if "transformers_version" in config or ("architectures" in config and "model_type" in config):
            return "transformers"
    return None


def task_of(card: Card) -> str | None:
    """A model's task as far as the card says it: `pipeline_tag`, else a tag that is the name of a task."""
    stated = card.string("pipeline_tag")
    if stated:
        return stated[:64]
    return next((tag for tag in card.strings("tags") if tag in TASKS), None)


# --- data sets ---------------------------------------------------------------------------------------------------

#: members of the card that become tags of the same name, and the kind of each
_PREFIXED: Mapping[str, str] = {
    "task_categories": "task",
    "task_ids": "subtask",
    "annotations_creators": "other",
    "language_creators": "other",
    "multilinguality": "other",
    "source_datasets": "dataset",
    "language": "language",
    "license": "license",
    "size_categories": "size",
}
_FILE_FORMATS: Mapping[str, str] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".arrow": "arrow",
    ".txt": "text",
    ".tar": "webdataset",
}
_MEDIA: Mapping[str, str] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tiff"), "image"),
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"), "audio"),
    **dict.fromkeys((".mp4", ".webm", ".mkv", ".mov", ".avi"), "video"),
    ".pdf": "document",
}
_FOLDERS = {"image": "imagefolder", "audio": "audiofolder", "video": "videofolder", "document": "pdffolder"}
_DTYPES = {"image": "image", "audio": "audio", "video": "video", "pdf": "document", "string": "text"}
_NUMBER = re.compile(r"(u?int|float|decimal|timestamp|date|time|duration)\d*")
#: not data, whatever their endings
_NO_DATA = frozenset({"dataset_infos.json", "dataset_info.json", "state.json", "croissant.json", "config.json"})


def _dataset(tags: Tags, read: Read) -> None:
    card = read.card
    for key, kind in _PREFIXED.items():
        values = card.strings(key)
        tags.add(kind, (v.lower() for v in values) if key == "language" else values, f"{key}:")
    if read.rows is not None and not card.strings("size_categories"):
        tags.add("size", [size_category(read.rows)], "size_categories:")
    formats, modalities = _data_formats(read.files)
    modalities |= _feature_modalities(card.meta.get("dataset_info"))
    tags.add("format", sorted(formats), "format:")
    tags.add("modality", sorted(modalities), "modality:")
    if formats:
        tags.add("library", _readers(formats), "library:")
    tags.add("arxiv", papers(card.text), "arxiv:")
    tags.add("other", card.strings("tags"))


def _data_formats(files: Sequence[str]) -> tuple[set[str], set[str]]:
    """(formats, modalities) that the names of the data files tell."""
    formats: set[str] = set()
    media: dict[str, int] = {}
    for name in files:
        path = PurePosixPath(name)
        if path.name in _NO_DATA or path.name.startswith("."):
            continue
        suffix = path.suffix.lower()
        if suffix in _FILE_FORMATS:
            formats.add(_FILE_FORMATS[suffix])
        elif suffix in _MEDIA:
            media[_MEDIA[suffix]] = media.get(_MEDIA[suffix], 0) + 1
    if media and "parquet" not in formats:
        # tables beside pictures describe them
        formats = {_FOLDERS[max(media, key=lambda kind: media[kind])]}
    modalities = set(media)
    if formats & {"text"}:
        modalities.add("text")
    if formats & {"csv"}:
        modalities.add("tabular")
    return formats, modalities


def _readers(formats: set[str]) -> list[str]:
    readers = ["datasets"]
    if formats & {"csv", "json", "parquet"}:
        readers += ["pandas", "polars"]
    if "webdataset" in formats:
        readers.append("webdataset")
    return [*readers, "mlcroissant"]


def _feature_modalities(info: Any) -> set[str]:
    """The modalities of the columns that `dataset_info` of the card lists, for one configuration or several."""
    found: set[str] = set()
    for config in info if isinstance(info, list) else [info]:
        features = config.get("features") if isinstance(config, dict) else None
        for feature in features if isinstance(features, list) else ():
            dtype = feature.get("dtype") if isinstance(feature, dict) else None
            if not isinstance(dtype, str):
                continue
            if dtype in _DTYPES:
                found.add(_DTYPES[dtype])
            elif _NUMBER.fullmatch(dtype):
                found.add("tabular")
    # numbers beside media or text are labels
    return found - {"tabular"} if found - {"tabular", "text"} else found


def rows_of(card: Card) -> int | None:
    """The number of examples that `dataset_info` of the card states, over all configurations and splits."""
    info = card.meta.get("dataset_info")
    total, known = 0, False
    for config in info if isinstance(info, list) else [info]:
        splits = config.get("splits") if isinstance(config, dict) else None
        for split in splits if isinstance(splits, list) else ():
            count = split.get("num_examples") if isinstance(split, dict) else None
            if isinstance(count, int) and 0 <= count < 2**50:
                total, known = total + count, True
    return total if known else None


# --- Spaces ------------------------------------------------------------------------------------------------------


def _space(tags: Tags, read: Read) -> None:
    card = read.card
    tags.add("sdk", [read.sdk])
    tags.add("other", card.strings("tags"))
    tags.add("license", card.strings("license"), "license:")
    tags.add("uses", card.strings("models"), "model:", hidden=True)
    tags.add("uses", card.strings("datasets"), "dataset:", hidden=True)
