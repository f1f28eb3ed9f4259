"""The libraries whose models run here: the files that only they write, their weights, and their engine for each task.

To let one more library's models run: a row in `LIBRARIES`, and its engine in `inference/engines`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Library:
    """`weights` matches the whole path of each file that the engine reads weights from: none of them, no model.

    `sign` matches the path of a file that tells the library where neither card nor configuration does.
    `engines` is task -> engine; a task that it lacks is not run for models of this library.
    """

    weights: re.Pattern[str]
    engines: Mapping[str, str] = field(default_factory=dict)
    sign: re.Pattern[str] | None = None
    #: the task where there is no better evidence than the library
    task: str | None = None
    #: the weights of a repository that is an adapter, and runs on those of its base; the engine finds the base's folder
    #: in its options, as `base`
    adapter: re.Pattern[str] | None = None
    #: what its weights can be saved as instead of as pickles
    safe: str = "safetensors"


def _files(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_SAFETENSORS = r"model(-\d+-of-\d+)?\.safetensors"
#: what runs networks in files of their own, which know of pictures only their numbers (`engines.graphs`)
_GRAPHS = {
    "depth-estimation": "graph-depth",
    "image-classification": "graph-classification",
    "image-segmentation": "graph-segmentation",
    "image-to-image": "graph-upscaling",
    "keypoint-detection": "graph-keypoints",
    "object-detection": "graph-detection",
}

#: library name as in a card's `library_name` -> what runs its models; a sign further up is believed before one below
LIBRARIES: dict[str, Library] = {
    "sentence-transformers": Library(
        weights=_files(rf"(0_Transformer/|[^/]*/)?{_SAFETENSORS}"),
        sign=_files(r"modules\.json"),
        task="sentence-similarity",
        engines={
            "sentence-similarity": "embedding",
            "feature-extraction": "embedding",
            "text-classification": "sequence-classification",
            "text-ranking": "sequence-classification",
            "zero-shot-classification": "sequence-classification",
        },
    ),
    # what a repository of it is for, and which files are its weights: `pipelines`
    "diffusers": Library(
        weights=_files(r"[^/]+/(diffusion_pytorch_)?model[^/]*\.safetensors"),
        adapter=_files(r"[^/]+\.safetensors"),
        sign=_files(r"model_index\.json|unet/config\.json|pytorch_lora_weights\.safetensors"),
        task="text-to-image",
        engines={"text-to-image": "diffusion", "image-to-image": "diffusion", "inpainting": "diffusion"},
    ),
    "peft": Library(
        weights=_files(r"adapter_model\.safetensors"),
        adapter=_files(r"adapter_model\.safetensors"),
        sign=_files(r"adapter_config\.json"),
        engines={"text-generation": "text-generation"},
    ),
    "transformers": Library(
        weights=_files(_SAFETENSORS),
        engines={
            "sentence-similarity": "embedding",
            "feature-extraction": "embedding",
            "audio-classification": "audio-classification",
            "automatic-speech-recognition": "speech-recognition",
            "depth-estimation": "depth-estimation",
            "image-classification": "image-classification",
            "image-segmentation": "image-segmentation",
            "image-to-image": "swin2sr",
            "image-to-text": "image-to-text",
            "keypoint-detection": "keypoint-detection",
            "object-detection": "object-detection",
            "zero-shot-image-classification": "zero-shot-image-classification",
            "fill-mask": "fill-mask",
            "question-answering": "question-answering",
            "summarization": "text-to-text",
            "table-question-answering": "table-question-answering",
            "text-classification": "sequence-classification",
            "text-generation": "text-generation",
            "text-ranking": "sequence-classification",
            "text2text-generation": "text-to-text",
            "token-classification": "token-classification",
            "translation": "text-to-text",
            "zero-shot-classification": "sequence-classification",
            "text-to-audio": "text-to-speech",
            "text-to-speech": "text-to-speech",
        },
    ),
    "ctranslate2": Library(
        weights=_files(r"model\.bin"),
        sign=_files(r"vocabulary\.(json|txt)"),
        task="automatic-speech-recognition",
        engines={"automatic-speech-recognition": "faster-whisper"},
    ),
    "kokoro": Library(
        weights=_files(r"(onnx/)?[^/]+\.onnx"),
        sign=_files(r"voices/[abefhijpz][fm]_[a-z0-9]+\.bin"),
        task="text-to-speech",
        engines={"text-to-speech": "kokoro"},
    ),
    "piper": Library(
        weights=_files(r"(.*/)?[^/]+\.onnx"),
        sign=_files(r"(.*/)?[^/]+\.onnx\.json"),
        task="text-to-speech",
        engines={"text-to-speech": "piper"},
    ),
    "timm": Library(weights=_files(r"model\.safetensors"), engines={"image-classification": "timm-classification"}),
    "ncnn": Library(
        weights=_files(r"[^/]+\.bin"),
        sign=_files(r"[^/]+\.param"),
        engines={"image-to-image": "ncnn-upscaling"},
    ),
    "onnx": Library(
        weights=_files(r"(onnx/)?[^/]+\.onnx"),
        sign=_files(r"(onnx/)?[^/]+\.onnx"),
        engines=_GRAPHS,
    ),
    "tflite": Library(
        weights=_files(r"[^/]+\.tflite"),
        sign=_files(r"[^/]+\.tflite"),
        engines=_GRAPHS,
    ),
    "gguf": Library(
        weights=_files(r"[^/]+\.gguf"),
        sign=_files(r"[^/]+\.gguf"),
        task="text-generation",
        engines={"text-generation": "llama-cpp"},
    ),
    "spacy": Library(
        weights=_files(r"[^/]+/(model|patterns(\.jsonl)?)"),
        sign=_files(r"config\.cfg"),
        engines={"token-classification": "spacy", "text-classification": "spacy"},
    ),
    "sklearn": Library(
        weights=_files(r"[^/]+\.skops"),
        sign=_files(r"[^/]+\.skops"),
        task="tabular-classification",
        engines={"tabular-classification": "tabular", "tabular-regression": "tabular"},
        safe="a .skops file, which skops.io.dump writes",
    ),
    "speechbrain": Library(weights=_files(r"[^/]+\.safetensors"), sign=_files(r"hyperparams\.yaml")),
}

#: names of libraries that a tag may have, whether they run here or not
KNOWN = frozenset(LIBRARIES) | frozenset(
    "keras fastai flair spacy sklearn stable-baselines3 ultralytics open_clip setfit adapter-transformers"
    " paddlenlp espnet nemo mlx".split()
)


#: engine -> the package that it needs, and the engine in its stead where that cannot be had
_INSTEAD = {"llama-cpp": ("xllamacpp", "text-generation")}


@cache
def at_hand(engine: str) -> str:
    """The engine itself, or the one in its stead on this machine."""
    package, other = _INSTEAD.get(engine, ("", engine))
    return engine if not package or find_spec(package) else other


def runnable_tasks() -> frozenset[str]:
    """The tasks that some engine here runs."""
    return frozenset(task for library in LIBRARIES.values() for task in library.engines)
