"""Speech recognition by transformers: Whisper, other encoder-decoder models, and CTC models such as wav2vec2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING,
    AutoConfig,
    AutoFeatureExtractor,
    AutomaticSpeechRecognitionPipeline,
    AutoModelForCTC,
    AutoModelForSpeechSeq2Seq,
    AutoTokenizer,
)
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.sounds import Samples, sound

#: seconds of a window of models other than Whisper, which has its own; and of what overlaps at each side
WINDOW, OVERLAP = 30, 5
#: parameters that are generate()'s
GENERATION = ("temperature", "num_beams", "max_new_tokens", "top_k", "top_p", "do_sample")


class SpeechRecognition(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = AutoConfig.from_pretrained(folder, **CODE)
        writes = type(config) in MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING
        kind = AutoModelForSpeechSeq2Seq if writes else AutoModelForCTC
        model = kind.from_pretrained(folder, dtype=torch.float32, **SAFE)
        extractor = AutoFeatureExtractor.from_pretrained(folder, **CODE)
        tokenizer = AutoTokenizer.from_pretrained(folder, **CODE)
        self._whisper = config.model_type == "whisper"
        self._rate: int = extractor.sampling_rate
        self._longest = getattr(extractor, "n_samples", 0)
        self._pipe = _Told(model=model.eval(), feature_extractor=extractor, tokenizer=tokenizer, device=device())

    def run(self, job: Job) -> Any:
        if job.op != "transcribe":
            raise Refused(f"This model cannot do {job.op!r}: it writes down speech.")
        wave = sound(job.files[0], self._rate)
        seconds = round(len(wave) / self._rate, 3)
        found = self._whispered(wave, job) if self._whisper else self._windows(wave, job)
        pieces = [
            # a last one that is not whole has no end
            {"text": c["text"], "start": min(start, seconds), "end": min(seconds if end is None else end, seconds)}
            for c in found.get("chunks", ())
            if c["text"]
            for start, end in [c["timestamp"]]
        ]
        words = pieces if self._kind(job) in ("word", "char") else []
        return {
            "text": found["text"].strip(),
            "seconds": seconds,
            "language": next((c["language"] for c in found.get("chunks", ()) if c.get("language")), None),
            "segments": [] if words else pieces,
            "words": words,
        }

    def _kind(self, job: Job) -> str:
        """The finest of the timestamps asked for that the model has; '' for none."""
        asked = job.params["timestamps"]
        if self._whisper:
            if "char" in asked:
                raise Refused('This model tells the times of segments (true) and of words ("word"), not of characters.')
            return "word" if "word" in asked else "segment" if asked else ""
        if self._pipe.type != "ctc":
            if asked:
                raise Refused("This model does not tell times: leave the timestamps out.")
            return ""
        return "char" if "char" in asked else "word" if asked else ""

    def _whispered(self, wave: Samples, job: Job) -> dict[str, Any]:
        params = job.params
        asked = {k: params[k] for k in GENERATION if params.get(k) is not None} | self._language(params)
        kind = self._kind(job)
        # half of what it reads and writes at once is for what it writes
        half = self._pipe.model.config.max_target_positions // 2
        if "max_new_tokens" in asked:
            asked["max_new_tokens"] = min(asked["max_new_tokens"], half)
        if params.get("prompt"):
            asked["prompt_ids"] = self._prompt(params["prompt"], half - 8)
        if asked.get("temperature") == 0:
            # greedy, which generate() wants said in another way
            asked = {k: v for k, v in asked.items() if k not in ("temperature", "top_k", "top_p", "do_sample")}
        elif "temperature" in asked:
            asked["do_sample"] = True

        def told(frames: torch.Tensor) -> None:
            done, total = frames[0].tolist()
            _step(job, done, total)

        if len(wave) > self._longest or kind:
            asked["monitor_progress"] = told
        # only so does it go on past its first window
        times: Any = {"word": "word", "segment": True}.get(kind, len(wave) > self._longest)
        done: dict[str, Any] = self._pipe(
            {"raw": wave, "sampling_rate": self._rate},
            return_timestamps=times,
            return_language=bool(kind) or None,
            generate_kwargs=asked,
        )
        return done if kind else {"text": done["text"]}

    def _prompt(self, text: str, most: int) -> torch.Tensor:
        """The prompt's mark and the end of the prompt, in tokens."""
        try:
            ids: torch.Tensor = self._pipe.tokenizer.get_prompt_ids(text, return_tensors="pt")
        except ValueError as error:
            raise Refused(f"The prompt does not do: {error}") from None
        return torch.cat((ids[:1], ids[1:][-most:])).to(self._pipe.model.device)

    def _language(self, params: dict[str, Any]) -> dict[str, Any]:
        settings = self._pipe.model.generation_config
        known = {name.strip("<|>"): name for name in getattr(settings, "lang_to_id", None) or {}}
        language, task = params.get("language"), params.get("task")
        if not known:
            if (language or "en").lower() not in ("en", "english") or task == "translate":
                raise Refused("This model knows English only: leave 'language' and 'task' out.")
            return {}
        chosen: dict[str, Any] = {}
        if language:
            code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
            if code not in known:
                raise Refused(f"This model knows no language {language!r}; it knows: {', '.join(sorted(known))}.")
            chosen["language"] = code
        if task and (task == "translate" or getattr(settings, "task_to_id", None)):
            if task not in (getattr(settings, "task_to_id", None) or {}):
                raise Refused("This model does not translate: leave 'task' out.")
            chosen["task"] = task
        return chosen

    def _windows(self, wave: Samples, job: Job) -> dict[str, Any]:
        params = job.params
        for name in ("language", "prompt"):
            if params.get(name):
                raise Refused(f"This model has no '{name}': leave it out.")
        if params.get("task") == "translate":
            raise Refused("This model does not translate: leave 'task' out.")
        seconds = len(wave) / self._rate
        heard = 0

        def told() -> None:
            nonlocal heard
            _step(job, min(heard, int(seconds)), int(seconds) + 1)
            heard += WINDOW - 2 * OVERLAP

        self._pipe.told = told
        options: dict[str, Any] = {"chunk_length_s": WINDOW, "stride_length_s": OVERLAP, "ignore_warning": True}
        if kind := self._kind(job):
            options["return_timestamps"] = kind
        if self._pipe.type != "ctc":
            options["generate_kwargs"] = {k: params[k] for k in GENERATION if params.get(k) is not None}
        # the models' first layers want a tenth of a second at least
        wave = np.pad(wave, (0, max(0, self._rate // 10 - len(wave))))
        done: dict[str, Any] = self._pipe({"raw": wave, "sampling_rate": self._rate}, **options)
        return done


class _Told(AutomaticSpeechRecognitionPipeline):  # type: ignore[misc]
    """The pipeline, which says before each window that it comes."""

    told: Callable[[], None] | None = None

    def forward(self, model_inputs: Any, **params: Any) -> Any:
        if self.told is not None:
            self.told()
        return super().forward(model_inputs, **params)


def _step(job: Job, done: int, total: int) -> None:
    if job.cancelled.is_set():
        raise Refused("The caller went away.", 499)
    job.progress(done, total, None)
