"""Engines: what runs a model. Imported by worker processes only, since they import torch.

An engine is a class that loads a folder and has operations. To add one: a file here, a line in `ENGINES`, and a row in
`inference.detect` that chooses it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from corral.inference.engines.base import Engine, allow_code

#: engine name -> module and class, imported when a worker needs it
ENGINES = {
    "audio-classification": ("corral.inference.engines.audio_classification", "AudioClassification"),
    "depth-estimation": ("corral.inference.engines.picture_pipelines", "DepthEstimation"),
    "diffusion": ("corral.inference.engines.diffusion", "Diffusion"),
    "embedding": ("corral.inference.engines.embedding", "Embedding"),
    "faster-whisper": ("corral.inference.engines.faster_whisper", "FasterWhisper"),
    "fill-mask": ("corral.inference.engines.fill_mask", "FillMask"),
    "graph-classification": ("corral.inference.engines.graph_classification", "GraphClassification"),
    "graph-depth": ("corral.inference.engines.graph_maps", "GraphDepth"),
    "graph-detection": ("corral.inference.engines.graph_detection", "GraphDetection"),
    "graph-keypoints": ("corral.inference.engines.graph_keypoints", "GraphKeypoints"),
    "graph-segmentation": ("corral.inference.engines.graph_maps", "GraphSegmentation"),
    "graph-upscaling": ("corral.inference.engines.upscaling", "GraphUpscaling"),
    "image-classification": ("corral.inference.engines.image_classification", "ImageClassification"),
    "image-segmentation": ("corral.inference.engines.picture_pipelines", "ImageSegmentation"),
    "image-to-text": ("corral.inference.engines.image_to_text", "ImageToText"),
    "keypoint-detection": ("corral.inference.engines.keypoint_detection", "KeypointDetection"),
    "kokoro": ("corral.inference.engines.kokoro", "Kokoro"),
    "llama-cpp": ("corral.inference.engines.llama_cpp", "LlamaCpp"),
    "ncnn-upscaling": ("corral.inference.engines.upscaling", "NcnnUpscaling"),
    "object-detection": ("corral.inference.engines.picture_pipelines", "ObjectDetection"),
    "piper": ("corral.inference.engines.piper", "Piper"),
    "question-answering": ("corral.inference.engines.question_answering", "QuestionAnswering"),
    "sequence-classification": ("corral.inference.engines.sequence_classification", "SequenceClassification"),
    "spacy": ("corral.inference.engines.spacy", "Spacy"),
    "speech-recognition": ("corral.inference.engines.speech_recognition", "SpeechRecognition"),
    "table-question-answering": ("corral.inference.engines.table_question_answering", "TableQuestionAnswering"),
    "tabular": ("corral.inference.engines.tabular", "Tabular"),
    "text-generation": ("corral.inference.engines.text_generation", "TextGeneration"),
    "swin2sr": ("corral.inference.engines.upscaling", "Swin2SR"),
    "text-to-speech": ("corral.inference.engines.text_to_speech", "TextToSpeech"),
    "text-to-text": ("corral.inference.engines.text_to_text", "TextToText"),
    "token-classification": ("corral.inference.engines.token_classification", "TokenClassification"),
    "timm-classification": ("corral.inference.engines.timm_classification", "TimmClassification"),
    "zero-shot-image-classification": (
        "corral.inference.engines.zero_shot_image_classification",
        "ZeroShotImageClassification",
    ),
}


def load(name: str, folder: Path, options: dict[str, Any]) -> Engine:
    """Load the model in `folder`. Raises whatever the libraries raise."""
    if options.get("code"):
        allow_code()
    module, kind = ENGINES[name]
    engine: Engine = getattr(import_module(module), kind)(folder, options)
    return engine
