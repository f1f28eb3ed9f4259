"""Engines: what runs a model. Imported by worker processes only, since they import torch.

An engine is a class that loads a folder and has operations. To add one: a file here, a line in `ENGINES`, and a row in
`inference.detect` that chooses it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from corral.inference.engines.base import Engine

#: engine name -> module and class, imported when a worker needs it
ENGINES = {
    "audio-classification": ("corral.inference.engines.audio_classification", "AudioClassification"),
    "depth-estimation": ("corral.inference.engines.picture_pipelines", "DepthEstimation"),
    "embedding": ("corral.inference.engines.embedding", "Embedding"),
    "faster-whisper": ("corral.inference.engines.faster_whisper", "FasterWhisper"),
    "image-classification": ("corral.inference.engines.image_classification", "ImageClassification"),
    "image-segmentation": ("corral.inference.engines.picture_pipelines", "ImageSegmentation"),
    "image-to-text": ("corral.inference.engines.image_to_text", "ImageToText"),
    "keypoint-detection": ("corral.inference.engines.keypoint_detection", "KeypointDetection"),
    "kokoro": ("corral.inference.engines.kokoro", "Kokoro"),
    "object-detection": ("corral.inference.engines.picture_pipelines", "ObjectDetection"),
    "piper": ("corral.inference.engines.piper", "Piper"),
    "speech-recognition": ("corral.inference.engines.speech_recognition", "SpeechRecognition"),
    "text-generation": ("corral.inference.engines.text_generation", "TextGeneration"),
    "text-to-speech": ("corral.inference.engines.text_to_speech", "TextToSpeech"),
    "zero-shot-image-classification": (
        "corral.inference.engines.zero_shot_image_classification",
        "ZeroShotImageClassification",
    ),
}


def load(name: str, folder: Path, options: dict[str, Any]) -> Engine:
    """Load the model in `folder`. Raises whatever the libraries raise."""
    module, kind = ENGINES[name]
    engine: Engine = getattr(import_module(module), kind)(folder, options)
    return engine
