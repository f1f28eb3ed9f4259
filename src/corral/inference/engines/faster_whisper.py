"""Whisper in CTranslate2's format, by faster-whisper: 8-bit weights on processors, several times as fast there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctranslate2
import torch
from faster_whisper import WhisperModel
from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.sounds import sound

RATE = 16_000
#: tokens of a window: of the 448 that the model has, half are for what came before
LONGEST = 220


class FasterWhisper(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        if not (folder / "tokenizer.json").is_file():
            raise Refused("It has no tokenizer.json, which faster-whisper would have to download: add it.", 501)
        on_gpu = ctranslate2.get_cuda_device_count() > 0
        self._model = WhisperModel(
            str(folder),
            device="cuda" if on_gpu else "cpu",
            compute_type="default" if on_gpu else "int8",
            cpu_threads=torch.get_num_threads(),
            local_files_only=True,
        )

    def run(self, job: Job) -> Any:
        if job.op != "transcribe":
            raise Refused(f"This model cannot do {job.op!r}: it writes down speech.")
        params = job.params
        if "char" in params["timestamps"]:
            raise Refused('This model tells the times of segments (true) and of words ("word"), not of characters.')
        chosen = self._chosen(params)
        wave = sound(job.files[0], RATE)
        seconds = round(len(wave) / RATE, 3)
        heard, about = self._model.transcribe(
            wave,
            word_timestamps="word" in params["timestamps"],
            # where nobody speaks Whisper makes something up
            vad_filter=True,
            **chosen,
        )
        segments: list[dict[str, Any]] = []
        words: list[dict[str, Any]] = []
        for segment in heard:
            if job.cancelled.is_set():
                raise Refused("The caller went away.", 499)
            segments.append(
                {
                    "text": segment.text,
                    "start": round(segment.start, 2),
                    "end": round(min(segment.end, seconds), 2),
                    "tokens": segment.tokens,
                    "temperature": segment.temperature,
                    "avg_logprob": segment.avg_logprob,
                    "compression_ratio": segment.compression_ratio,
                    "no_speech_prob": segment.no_speech_prob,
                }
            )
            words += [
                {"text": w.word, "start": round(float(w.start), 2), "end": round(float(w.end), 2)}
                for w in segment.words or ()
            ]
            job.progress(min(int(segment.end), int(seconds)), int(seconds) + 1, None)
        return {
            "text": "".join(s["text"] for s in segments).strip(),
            "seconds": seconds,
            "language": LANGUAGES.get(about.language, about.language),
            "segments": segments,
            "words": words,
        }

    def _chosen(self, params: dict[str, Any]) -> dict[str, Any]:
        chosen: dict[str, Any] = {"task": params["task"]}
        known = self._model.supported_languages
        if language := params.get("language"):
            code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
            if code not in known:
                raise Refused(f"This model knows no language {language!r}; it knows: {', '.join(sorted(known))}.")
            chosen["language"] = code
        if params["task"] == "translate" and known == ["en"]:
            raise Refused("This model knows English only: leave 'task' out.")
        names = {"num_beams": "beam_size", "max_new_tokens": "max_new_tokens", "prompt": "initial_prompt"}
        chosen |= {theirs: params[ours] for ours, theirs in names.items() if params.get(ours)}
        if "max_new_tokens" in chosen:
            chosen["max_new_tokens"] = min(chosen["max_new_tokens"], LONGEST)
        if params.get("temperature") is not None:
            chosen["temperature"] = params["temperature"]
        return chosen
