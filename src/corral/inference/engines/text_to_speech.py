"""Text to sound by transformers: VITS (MMS too), and models that generate sound as tokens (Bark, MusicGen)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    MODEL_FOR_TEXT_TO_SPECTROGRAM_MAPPING,
    AutoConfig,
    AutoModelForTextToWaveform,
    AutoProcessor,
    AutoTokenizer,
    StoppingCriteria,
    StoppingCriteriaList,
    TextToAudioPipeline,
)

from corral.inference import voices
from corral.inference.engines import phonemes
from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.sounds import Samples
from corral.inference.engines.speech import chosen, given, speak, unfit

#: parameters that are generate()'s
GENERATION = ("temperature", "top_k", "top_p", "max_new_tokens", "do_sample")


class TextToSpeech(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = AutoConfig.from_pretrained(folder, **CODE)
        if (
            type(config) in MODEL_FOR_TEXT_TO_SPECTROGRAM_MAPPING
            and config.model_type != "fastspeech2_conformer_with_hifigan"
        ):
            raise Refused("This model makes spectrograms and needs a second one that makes sound of them.", 501)
        model = AutoModelForTextToWaveform.from_pretrained(folder, dtype=torch.float32, **SAFE).eval()
        self._vits = config.model_type == "vits"
        # a description is one thing, what is to be said has sentences
        self._music = config.model_type.startswith("musicgen")
        if self._vits:
            reader: dict[str, Any] = {"tokenizer": AutoTokenizer.from_pretrained(folder, **CODE)}
        else:
            processor = AutoProcessor.from_pretrained(folder, **CODE)
            reader = {"processor": processor, "tokenizer": getattr(processor, "tokenizer", processor)}
        self._pipe = TextToAudioPipeline(model=model, device=device(), **reader)
        self._language = ""
        if self._vits:
            self._prepare(reader["tokenizer"])

    def _prepare(self, tokenizer: Any) -> None:
        if getattr(tokenizer, "is_uroman", False):
            raise Refused("This model reads text in uroman's romanisation, which Corral does not have.", 501)
        if getattr(tokenizer, "phonemize", False):
            # by espeak-ng as a program: the library that transformers would take is GPL
            self._language = {"eng": "en-us", "en": "en-us"}.get(tokenizer.language or "en", tokenizer.language)
            tokenizer.phonemize = tokenizer.normalize = False

    def run(self, job: Job) -> Any:
        if job.op != "speak":
            raise Refused(f"This model cannot do {job.op!r}: it makes sound from text.")
        if job.params.get("seed") is not None:
            torch.manual_seed(job.params["seed"])
        with torch.inference_mode():
            return self._spoken(job) if self._vits else self._generated(job)

    def _spoken(self, job: Job) -> Any:
        unfit(job, *GENERATION)
        model = self._pipe.model
        options: dict[str, Any] = {}
        if speakers := voices.numbered(model.config.num_speakers):
            options["speaker_id"] = int(chosen(job, speakers))
        else:
            unfit(job, "voice")
        model.speaking_rate = model.config.speaking_rate * (job.params.get("speed") or 1.0)

        def say(sentence: str) -> Samples:
            if self._language:
                sentence = phonemes.ipa(sentence, self._language)
            if not self._pipe.tokenizer(sentence)["input_ids"]:
                return np.zeros(0, np.float32)
            done = self._pipe(sentence, forward_params=options)
            return np.asarray(done["audio"], np.float32).reshape(-1)

        return speak(job, self._pipe.sampling_rate, say)

    def _generated(self, job: Job) -> Any:
        unfit(job, "voice", "speed")
        options = given(job.params, *GENERATION)
        if self._music:
            most = options.get("max_new_tokens") or self._pipe.model.generation_config.max_length
            options["stopping_criteria"] = StoppingCriteriaList([_Watched(job, int(most))])

        def say(text: str) -> Samples:
            done = self._pipe(text, generate_kwargs=options)
            audio = np.asarray(done["audio"], np.float32)
            # several channels become one
            mixed: Samples = audio.reshape(-1, audio.shape[-1]).mean(0)
            return mixed

        return speak(job, self._pipe.sampling_rate, say, whole=self._music)


class _Watched(StoppingCriteria):  # type: ignore[misc]
    """Says after each token how far it is, and ends when nobody waits any more."""

    def __init__(self, job: Job, most: int) -> None:
        self._job, self._most, self._made = job, most, 0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self._made += 1
        if self._made % 10 == 0:
            self._job.progress(min(self._made, self._most), self._most, None)
        return torch.full((input_ids.shape[0],), self._job.cancelled.is_set(), device=input_ids.device)
