"""Piper's voices: VITS as ONNX, each with a configuration beside it (`en_US-joe-medium.onnx`, `….onnx.json`).

Source: Piper 1.2's `voice.py` and `config.py` (MIT; later versions are GPL and not looked at).
"""

from __future__ import annotations

import json
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from corral.inference import voices
from corral.inference.engines import phonemes
from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.sounds import Samples
from corral.inference.engines.speech import chosen, session, speak, unfit

#: voices kept in memory, of repositories with many
KEPT = 4
_PAD, _BEGIN, _END = "_", "^", "$"


class Piper(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._folder = folder
        self._voices = voices.piper(f.relative_to(folder).as_posix() for f in folder.rglob("*.onnx*"))
        if not self._voices:
            raise Refused("None of its .onnx files has its configuration, an .onnx.json, beside it.", 501)
        self._load = lru_cache(KEPT)(self._read)
        # what is asked for first is most often the first
        self._load(next(iter(self._voices)))

    def run(self, job: Job) -> Any:
        if job.op != "speak":
            raise Refused(f"This model cannot do {job.op!r}: it speaks.")
        unfit(job, "temperature", "top_k", "top_p", "max_new_tokens")
        voice, speaker = self._chosen(job)
        runner, config = self._load(voice)
        inference = config.get("inference") or {}
        scales = [
            inference.get("noise_scale", 0.667),
            inference.get("length_scale", 1.0) / (job.params.get("speed") or 1.0),
            inference.get("noise_w", 0.8),
        ]

        def say(sentence: str) -> Samples:
            ids = _ids(sentence, config)
            given: dict[str, np.ndarray] = {
                "input": np.array([ids], np.int64),
                "input_lengths": np.array([len(ids)], np.int64),
                "scales": np.array(scales, np.float32),
            }
            if speaker is not None:
                given["sid"] = np.array([speaker], np.int64)
            return np.asarray(runner.run(None, given)[0], np.float32).reshape(-1)

        done = speak(job, config["audio"]["sample_rate"], say)
        done.about["voice"] = job.params.get("voice") or voice
        return done

    def _chosen(self, job: Job) -> tuple[str, int | None]:
        """The voice's file and the number of the speaker in it: a single file may hold several."""
        first = next(iter(self._voices))
        _, config = self._load(first)
        speakers = config.get("speaker_id_map") or {}
        if len(self._voices) == 1 and len(speakers) > 1:
            wanted = job.params.get("voice")
            return first, speakers[chosen(job, speakers)] if wanted not in (None, first) else 0
        voice = chosen(job, self._voices)
        _, config = self._load(voice)
        return voice, 0 if config.get("num_speakers", 1) > 1 else None

    def _read(self, voice: str) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
        file = self._folder / self._voices[voice]
        config = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))
        known = config.get("phoneme_id_map") if isinstance(config, dict) else None
        if not isinstance(known, dict) or not {_PAD, _BEGIN, _END} <= known.keys():
            raise Refused(f"{file.name}.json has no 'phoneme_id_map' as Piper's configurations have.", 501)
        if not isinstance(config.get("audio"), dict) or not isinstance(config["audio"].get("sample_rate"), int):
            raise Refused(f"{file.name}.json does not say the sound's 'sample_rate' under 'audio'.", 501)
        return session(file), config


def _ids(sentence: str, config: dict[str, Any]) -> list[int]:
    """The numbers of the sentence's phonemes; those that the voice lacks are passed over."""
    known: dict[str, list[int]] = config["phoneme_id_map"]
    if config.get("phoneme_type", "espeak") == "text":
        said = sentence.lower()
    else:
        said = phonemes.ipa(sentence, (config.get("espeak") or {}).get("voice", "en-us"))
    ids = [*known[_BEGIN], *known[_PAD]]
    for phoneme in unicodedata.normalize("NFD", said):
        if phoneme in known:
            ids += [*known[phoneme], *known[_PAD]]
    return [*ids, *known[_END]]
