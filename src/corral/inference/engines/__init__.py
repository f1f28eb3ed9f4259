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
    "embedding": ("corral.inference.engines.embedding", "Embedding"),
    "image-classification": ("corral.inference.engines.image_classification", "ImageClassification"),
    "text-generation": ("corral.inference.engines.text_generation", "TextGeneration"),
}


def load(name: str, folder: Path, options: dict[str, Any]) -> Engine:
    """Load the model in `folder`. Raises whatever the libraries raise."""
    module, kind = ENGINES[name]
    engine: Engine = getattr(import_module(module), kind)(folder, options)
    return engine
