"""The hub process stays free of what only workers need."""

from __future__ import annotations

import subprocess
import sys


def test_the_hub_loads_no_machine_learning_library() -> None:
    code = """
import sys
import corral.server.app, corral.api.inference, corral.api.openai
from corral import api, web
api.routers(), web.routers()
heavy = {"torch", "transformers", "PIL", "safetensors", "tokenizers", "spacy", "sklearn", "skops"} | {
    "av", "ctranslate2", "faster_whisper", "inflect", "onnxruntime", "soundfile", "soxr"
}
heavy &= set(sys.modules)
sys.exit(f"loaded: {sorted(heavy)}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
