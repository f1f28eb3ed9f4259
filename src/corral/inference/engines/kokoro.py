"""Kokoro-82M as ONNX, with its voices (`voices/af_heart.bin`: 510 x 256 numbers, a row for each length of a text).

Source: hexgrad's kokoro 0.9 and kokoro-js 1.2; the layout is that of onnx-community/Kokoro-82M-v1.0-ONNX.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from corral.inference import voices
from corral.inference.engines import phonemes
from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.sounds import Samples
from corral.inference.engines.speech import chosen, session, speak, unfit

RATE = 24_000
#: phonemes that go through the model at once, without the two at its ends
LONGEST = 510
STYLE = 256
#: a voice's first letter -> the language as espeak-ng names it, and for people
LANGUAGES = {
    "a": ("en-us", "American English"),
    "b": ("en-gb", "British English"),
    "e": ("es", "Spanish"),
    "f": ("fr-fr", "French"),
    "h": ("hi", "Hindi"),
    "i": ("it", "Italian"),
    "p": ("pt-br", "Brazilian Portuguese"),
}


class Kokoro(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._folder = folder
        self._voices = voices.kokoro(f.relative_to(folder).as_posix() for f in folder.glob("voices/*.bin"))
        self._vocabulary = _vocabulary(folder)
        self._session = session(folder / options["onnx"])
        kinds = {one.name: one.type for one in self._session.get_inputs()}
        # exports differ
        self._tokens = "input_ids" if "input_ids" in kinds else "tokens"
        self._speed = np.int32 if "int32" in kinds.get("speed", "") else np.float32
        self._style = lru_cache(8)(self._read_style)

    def run(self, job: Job) -> Any:
        if job.op != "speak":
            raise Refused(f"This model cannot do {job.op!r}: it speaks.")
        unfit(job, "temperature", "top_k", "top_p", "max_new_tokens")
        voice = chosen(job, self._voices)
        if voice[0] not in LANGUAGES:
            able = [v for v in self._voices if v[0] in LANGUAGES]
            raise Refused(f"Corral cannot read out the language of {voice} yet; it can for: {', '.join(able)}.", 501)
        language, name = LANGUAGES[voice[0]]
        if not language.startswith("en") and not phonemes.have_espeak():
            able = [v for v in self._voices if v[0] in "ab"]
            raise Refused(
                f"The voice {voice} speaks {name}, which needs {phonemes.INSTALL}. These voices do without it: "
                f"{', '.join(able)}.",
                501,
            )
        style = self._style(voice)
        speed = job.params.get("speed") or 1.0
        spelled: list[str] = []

        def say(sentence: str) -> Samples:
            sounds, letters = phonemes.misaki(sentence, language)
            spelled.extend(letters)
            ids = [self._vocabulary[c] for c in sounds if c in self._vocabulary]
            pieces = [ids[i : i + LONGEST] for i in range(0, len(ids), LONGEST)]
            return np.concatenate([np.zeros(0, np.float32), *(self._say(piece, style, speed) for piece in pieces)])

        done = speak(job, RATE, say)
        done.about.update({"voice": voice} | ({"spelled": sorted(set(spelled))} if spelled else {}))
        return done

    def _say(self, ids: list[int], style: np.ndarray, speed: float) -> Samples:
        given = {
            self._tokens: np.array([[0, *ids, 0]], np.int64),
            "style": style[min(len(ids), len(style) - 1)].reshape(1, STYLE),
            "speed": np.array([speed], self._speed),
        }
        return np.asarray(self._session.run(None, given)[0], np.float32).reshape(-1)

    def _read_style(self, voice: str) -> np.ndarray:
        raw = (self._folder / self._voices[voice]).read_bytes()
        if not raw or len(raw) % (4 * STYLE):
            raise Refused(f"The file of the voice {voice} is not {STYLE} numbers for each length of a text.", 501)
        return np.frombuffer(raw, "<f4").reshape(-1, STYLE)


def _vocabulary(folder: Path) -> dict[str, int]:
    """Phoneme -> number, from the original's config.json or transformers.js' tokenizer.json. Raises Refused."""
    for name, members in (("config.json", ("vocab",)), ("tokenizer.json", ("model", "vocab"))):
        if (folder / name).is_file():
            found: Any = json.loads((folder / name).read_text(encoding="utf-8"))
            for member in members:
                found = found.get(member) if isinstance(found, dict) else None
            if isinstance(found, dict) and all(isinstance(n, int) for n in found.values()):
                return found
    raise Refused("It does not say the numbers of its phonemes: add tokenizer.json, or 'vocab' in config.json.", 501)
