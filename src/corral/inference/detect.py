"""What a repository is for and what would run it, from its card, its configuration files and its file names.

Pure: no repository is read here. The order of the evidence is Hugging Face's: the card's `pipeline_tag`, then the
configuration (sentence-transformers' `modules.json`, `config.json`'s architectures, other libraries' files), then tags.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from corral.inference import pipelines, signs, voices
from corral.inference.libraries import KNOWN, LIBRARIES, Library, at_hand, runnable_tasks

#: the small files to hand to `detect`, parsed, under these names, where the repository has them
CONFIG_FILES = (
    "config.json",
    "modules.json",
    "model_index.json",
    "adapter_config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "config_sentence_transformers.json",
    "meta.json",
)


@dataclass(frozen=True, slots=True)
class Detection:
    """`reason` is a clause that goes after "because". `engine` is None where nothing here runs the model: `problem`
    then says why, in a sentence."""

    task: str | None
    library: str | None
    reason: str
    engine: str | None = None
    problem: str = ""
    conversational: bool = False
    #: the repository that this one is an adapter of, as its configuration or card names it; None for a whole model
    base: str | None = None
    #: parameter -> the values that this model knows for it (voices), from names of files
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: what the engine is told beside the folder, for example which GGUF file to read
    options: tuple[tuple[str, str], ...] = ()
    #: it brings program code, which runs with it
    code: bool = False
    #: other tasks that the same weights do, when their name is in the path
    also: tuple[str, ...] = ()


#: models that hear, of whose classes the name does not tell it
_HEARING = "Wav2Vec2 Wav2Vec2Bert Wav2Vec2Conformer Hubert WavLM UniSpeech UniSpeechSat Data2VecAudio SEW SEWD".split()
#: the end of a class name in `architectures` -> task (transformers' Auto classes)
_ARCHITECTURES = (
    *((f"{kind}ForSequenceClassification", "audio-classification") for kind in _HEARING),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("TapasForQuestionAnswering", "table-question-answering"),
    *((f"LayoutLM{version}ForQuestionAnswering", "document-question-answering") for version in ("", "v2", "v3")),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForImageClassification", "image-classification"),
    ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForImageSegmentation", "image-segmentation"),
    ("ForSegmentation", "image-segmentation"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForZeroShotImageClassification", "zero-shot-image-classification"),
    ("ForPoseEstimation", "keypoint-detection"),
    ("ForKeypointDetection", "keypoint-detection"),
    ("ForImageSuperResolution", "image-to-image"),
    ("ForAudioClassification", "audio-classification"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForTextToSpeech", "text-to-speech"),
    ("ForSpeechToText", "automatic-speech-recognition"),
    ("SpeechEncoderDecoderModel", "automatic-speech-recognition"),
    ("ForVideoClassification", "video-classification"),
    ("ForTableQuestionAnswering", "table-question-answering"),
    ("ForVisualQuestionAnswering", "visual-question-answering"),
    ("VisionEncoderDecoderModel", "image-to-text"),
)
#: architectures whose task follows from the kind of model
_MODEL_TYPES = {
    "whisper": "automatic-speech-recognition",
    "speech_to_text": "automatic-speech-recognition",
    "clip": "zero-shot-image-classification",
    "siglip": "zero-shot-image-classification",
    "siglip2": "zero-shot-image-classification",
    "chinese_clip": "zero-shot-image-classification",
    "align": "zero-shot-image-classification",
    "llava": "image-text-to-text",
    "idefics3": "image-text-to-text",
    "smolvlm": "image-text-to-text",
    "qwen2_vl": "image-text-to-text",
    "blip": "image-to-text",
    "git": "image-to-text",
    "pix2struct": "image-to-text",
    "vits": "text-to-speech",
    "bark": "text-to-speech",
    "moonshine": "automatic-speech-recognition",
    "musicgen": "text-to-audio",
    "marian": "translation",
    "m2m_100": "translation",
    "pegasus": "summarization",
    "t5": "text2text-generation",
    "mt5": "text2text-generation",
    "bart": "text2text-generation",
    "blenderbot-small": "text2text-generation",
    "blenderbot": "text2text-generation",
    "encoder-decoder": "text2text-generation",
    "encoder_decoder": "text2text-generation",
    "prophetnet": "text2text-generation",
    "mvp": "text2text-generation",
    "switch_transformers": "text2text-generation",
    "umt5": "text2text-generation",
    "longt5": "text2text-generation",
    "led": "summarization",
    "bigbird_pegasus": "summarization",
    "pegasus_x": "summarization",
    "fsmt": "translation",
    "nllb_moe": "translation",
    "mbart": "translation",
}
#: tags that are tasks, for repositories with no better evidence
_TASKS = (
    frozenset(t for _, t in _ARCHITECTURES)
    | frozenset(_MODEL_TYPES.values())
    | {
        "sentence-similarity",
        "feature-extraction",
        "text-to-image",
        "image-to-image",
        "text-to-audio",
        "zero-shot-classification",
        "translation",
        "summarization",
        "reinforcement-learning",
        "tabular-classification",
        "tabular-regression",
    }
)
#: what is quantised less comes first: it answers better, and the file is made whole in memory all the same
_GGUF_ORDER = ("q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "q4_0", "bf16", "f16", "f32")
#: of several ONNX files the one that processors are quickest with; "" is the plain one
_ONNX_ORDER = ("quantized", "int8", "uint8", "q8", "", "fp16", "q4", "bnb4")
#: names of libraries that tell how a model is packed, not what reads it
_PACKED = frozenset({"onnx", "transformers.js", "tflite", "tf-lite", "litert"})


#: files whose `auto_map` names classes in the repository's own Python files (transformers, "Custom models")
_NAMES_CODE = ("config.json", "tokenizer_config.json", "preprocessor_config.json")
_CODE = "This model brings its own program code: its owner can let it run, in the sandbox, in the settings."


def detect(
    card: Mapping[str, Any], configs: Mapping[str, Any], files: Collection[str], *, runs_code: bool = False
) -> Detection:
    """What the model is for, and what would run it.

    `card` is the front matter of README.md, `configs` the parsed `CONFIG_FILES`, `files` all paths. Parts that are not
    of the form they should have are passed over: a repository may hold anything. `runs_code` says that its owner lets
    the program code run that it brings.
    """
    names = frozenset(files)
    tags = [t for t in _list(card.get("tags")) if isinstance(t, str)]
    config = _mapping(configs.get("config.json"))
    library = _library(card, config, names, tags)
    if library == "diffusers":
        return _pipeline(card, configs, names)
    task, reason = _task(card, config, names, tags, library, configs)
    library = _readable(library, task, names)
    code = any("auto_map" in _mapping(configs.get(name)) for name in _NAMES_CODE)
    engine, problem = _engine(task, library, names, refused=code and not runs_code)
    options: tuple[tuple[str, str], ...] = ()
    if engine and library == "gguf":
        options = (("gguf", _choose_gguf(names)),)
    if engine and library == "sklearn":
        found = [name for name in names if LIBRARIES["sklearn"].weights.fullmatch(name)]
        options = (("skops", signs.skops_file(config, found)),)
    if engine and library == "kokoro":
        options = (("onnx", _choose_onnx(names)),)
    if engine and engine.startswith("graph-"):
        options = (("graph", _choose_graph(LIBRARIES[library or ""], names)),)
    tokenizer = _mapping(configs.get("tokenizer_config.json"))
    chats = (
        bool(tokenizer.get("chat_template"))
        or "chat_template.jinja" in names
        or "conversational" in tags
        or (library == "gguf" and bool(re.search(r"instruct|chat|-it\b", " ".join([*names, *tags]).lower())))
    )
    return Detection(
        task,
        library,
        reason,
        engine,
        problem,
        task == "text-generation" and chats,
        _base(card, configs, library, names),
        signs.languages(tokenizer) if task == "translation" else _choices(library, config, names),
        options,
        code=code and engine is not None,
    )


def _pipeline(card: Mapping[str, Any], configs: Mapping[str, Any], names: frozenset[str]) -> Detection:
    found = pipelines.examine(
        card, _mapping(configs.get("model_index.json")), _mapping(configs.get("config.json")), names
    )
    engine = LIBRARIES["diffusers"].engines.get(found.task or "")
    variant = "" if found.lora else pipelines.variant(names)
    base = _base(card, configs, "diffusers", names) if found.lora else None
    problem = found.problem
    if found.lora and base is None:
        problem = "It is a LoRA adapter, and its card does not name the model that it is for, as base_model."
    elif not problem and engine is None:
        problem = f"Corral does not run diffusers models for {found.task} yet."
    return Detection(
        found.task,
        "diffusers",
        found.reason,
        None if problem else engine,
        problem,
        base=base,
        choices=(("scheduler", found.schedulers),) if found.schedulers else (),
        options=tuple((name, value) for name, value in (("lora", found.lora), ("variant", variant)) if value),
        also=found.also,
    )


def on_base(found: Detection, base: Detection) -> Detection:
    """An adapter on its base: the task is the base's where the adapter names none."""
    task, reason = found.task, found.reason
    if task is None and base.task is not None:
        task, reason = base.task, f"{found.base}, which it adapts, is for {base.task}: {base.reason}"
    if base.engine is None:
        return replace(found, task=task, reason=reason, engine=None, problem=f"It adapts {found.base}. {base.problem}")
    row = LIBRARIES.get(found.library or "")
    engine = row.engines.get(task) if row and task else None
    if engine is None:
        problem = f"Corral does not run {found.library} adapters for {task} yet."
        return replace(found, task=task, reason=reason, engine=None, problem=problem)
    of = {"diffusers": "diffusers"}.get(found.library or "", "transformers")
    if (base.library or "transformers") != of:
        problem = f"It adapts {found.base}, which is no model of {of}."
        return replace(found, task=task, reason=reason, engine=None, problem=problem)
    chats = task == "text-generation" and (found.conversational or base.conversational)
    return replace(
        found,
        task=task,
        reason=reason,
        engine=engine,
        problem="",
        conversational=chats,
        choices=found.choices or base.choices,
        also=tuple(one for one in (base.task or "", *base.also) if found.library == "diffusers" and one != task),
    )


def _base(
    card: Mapping[str, Any], configs: Mapping[str, Any], library: str | None, names: frozenset[str]
) -> str | None:
    row = LIBRARIES.get(library or "")
    if row is None or row.adapter is None or not _first(row.adapter, names):
        return None
    named = _mapping(configs.get("adapter_config.json")).get("base_model_name_or_path") or card.get("base_model")
    first = named[0] if isinstance(named, list) and named else named
    return first if isinstance(first, str) and first else None


def _library(card: Mapping[str, Any], config: Mapping[str, Any], names: frozenset[str], tags: list[str]) -> str | None:
    named = card.get("library_name")
    said = [named] if isinstance(named, str) and named else []
    said = [name.lower() for name in (*said, *(tag for tag in tags if tag.lower() in KNOWN))]
    if said and said[0] not in _PACKED:
        return said[0]
    for name, library in LIBRARIES.items():
        if library.sign and not _weak(library) and any(map(library.sign.fullmatch, names)):
            return name
    if _mapping(config.get("sklearn")):
        return "sklearn"
    if "pretrained_cfg" in config or ("architecture" in config and "num_classes" in config):
        return "timm"
    if _list(config.get("architectures")) or "transformers_version" in config:
        return "transformers"
    for name, library in LIBRARIES.items():
        if library.sign and _weak(library) and any(map(library.sign.fullmatch, names)):
            return name
    return said[0] if said else None


def _readable(library: str | None, task: str | None, names: frozenset[str]) -> str | None:
    """Another library where the one that is named has no weights here, and the other's lie in their place."""
    row = LIBRARIES.get(library or "transformers")
    if row is not None and _first(row.weights, names):
        return library
    others = (name for name, other in LIBRARIES.items() if _weak(other) and task in other.engines)
    return next((name for name in others if _first(LIBRARIES[name].weights, names)), library)


def _weak(library: Library) -> bool:
    """A library whose sign is its weights: they may lie beside another library's, which says more."""
    return library.sign is not None and library.sign.pattern == library.weights.pattern


def _task(
    card: Mapping[str, Any],
    config: Mapping[str, Any],
    names: frozenset[str],
    tags: list[str],
    library: str | None,
    configs: Mapping[str, Any],
) -> tuple[str | None, str]:
    named = card.get("pipeline_tag")
    if isinstance(named, str) and named:
        return named, f"its card says pipeline_tag: {named}"
    if (own := _own_task(library, config, configs)) is not None:
        return own
    row = LIBRARIES.get(library or "")
    if row and row.task and row.sign and not _weak(row) and (file := _first(row.sign, names)):
        return row.task, f"it has a {file}"
    architectures = [a for a in _list(config.get("architectures")) if isinstance(a, str)]
    kind = config.get("model_type")
    for architecture in architectures:
        if isinstance(kind, str) and kind in _MODEL_TYPES and not architecture.endswith(_SPECIFIC):
            return _MODEL_TYPES[kind], f"its config.json names a model of type {kind}"
        for ending, task in _ARCHITECTURES:
            if architecture.endswith(ending):
                if task == "text-classification":
                    return signs.verdict(config, architecture)
                return task, f"its config.json names the architecture {architecture}"
    if library == "timm":
        return "image-classification", "its config.json is timm's"
    for tag in tags:
        if tag in _TASKS:
            return tag, f"it is tagged {tag}"
    if architectures and architectures[0].endswith("Model"):
        return "feature-extraction", f"its config.json names the bare architecture {architectures[0]}"
    if row and row.task and (file := _first(row.weights, names)):
        return row.task, f"it holds {file}"
    return None, "neither its card, its configuration nor its tags name a task"


def _own_task(library: str | None, config: Mapping[str, Any], configs: Mapping[str, Any]) -> tuple[str, str] | None:
    if library == "sklearn":
        return signs.sklearn(config)
    if library == "spacy":
        return signs.spacy(_mapping(configs.get("meta.json")))
    return signs.crossing(config, _mapping(configs.get("config_sentence_transformers.json")))


def _first(pattern: re.Pattern[str], names: frozenset[str]) -> str | None:
    return min(filter(pattern.fullmatch, names), default=None)


_SPECIFIC = tuple(ending for ending, _ in _ARCHITECTURES if ending != "ForCausalLM")


def _engine(task: str | None, library: str | None, names: frozenset[str], *, refused: bool) -> tuple[str | None, str]:
    """(engine, why there is none); `refused` is the code that the model brings."""
    if task is None:
        return None, "Corral cannot tell what this model is for: name its task in the card, as pipeline_tag."
    if task not in runnable_tasks():
        return None, f"Corral does not run models for {task} yet."
    row = LIBRARIES.get(library or "transformers")
    engine = row.engines.get(task) if row else None
    if row is None or engine is None:
        return None, f"Corral does not run {library or 'transformers'} models for {task} yet."
    if refused and not _weak(row):
        return None, _CODE
    if not _first(row.weights, names):
        if any(n.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".joblib")) for n in names):
            return None, f"Its weights are pickle files, which can run code when they are read: add them as {row.safe}."
        return None, f"It has no weights where {library or 'transformers'} looks for them."
    return at_hand(engine), ""


def _choose_gguf(names: frozenset[str]) -> str:
    whole = sorted(n for n in names if n.endswith(".gguf") and "/" not in n)

    def rank(name: str) -> tuple[bool, int]:
        # what lies beside a model that sees is no model of its own
        kinds = (i for i, kind in enumerate(_GGUF_ORDER) if kind in name.lower())
        return "mmproj" in name.lower(), next(kinds, len(_GGUF_ORDER))

    return min(whole, key=rank)


def _choose_onnx(names: frozenset[str]) -> str:
    row = LIBRARIES["kokoro"]

    def rank(path: str) -> int:
        known = [i for i, kind in enumerate(_ONNX_ORDER) if kind and kind in path.lower()]
        return min(known, default=_ONNX_ORDER.index(""))

    return min(filter(row.weights.fullmatch, names), key=lambda path: (rank(path), path))


def _choose_graph(row: Library, names: frozenset[str]) -> str:
    """The plain one of several: the quantised forms beside it were made from it."""

    def rank(path: str) -> tuple[bool, int, str]:
        return not re.fullmatch(r"(onnx/)?model\.\w+", path), path.count("/"), path

    return min(filter(row.weights.fullmatch, names), key=rank)


def _choices(
    library: str | None, config: Mapping[str, Any], names: frozenset[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: tuple[str, ...] = ()
    if library == "kokoro":
        found = tuple(voices.kokoro(names))
    elif library == "piper":
        found = tuple(voices.piper(names))
    elif config.get("model_type") == "vits":
        found = voices.numbered(config.get("num_speakers"))
    return (("voice", found),) if len(found) > 1 else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
