"""What engines that speak share: a long text goes sentence by sentence, and becomes one sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from corral.inference.calls import Media
from corral.inference.engines import phonemes
from corral.inference.engines.base import Job, Refused
from corral.inference.engines.sounds import RATES, Samples, encoded

#: seconds of silence between two sentences
PAUSE = 0.25


def speak(job: Job, rate: int, say: Callable[[str], Samples], *, whole: bool = False) -> Media:
    """The text of `job` as a sound. `say` gives the samples (full scale is 1) of a sentence, or of the `whole` text."""
    if not RATES[0] <= rate <= RATES[1]:
        raise Refused(f"This model's sound has {rate} samples a second, which no player can play.", 501)
    parts = [job.params["text"]] if whole else phonemes.sentences(job.params["text"])
    pause = np.zeros(int(PAUSE * rate), np.float32)
    said: list[Samples] = []
    for number, part in enumerate(parts):
        if job.cancelled.is_set():
            raise Refused("The caller went away.", 499)
        if len(parts) > 1:
            job.progress(number, len(parts), None)
        samples = say(part)
        if len(samples):
            said += [samples, pause]
    if not said:
        raise Refused("There is nothing in this text that the model can say: write words of its language.")
    return encoded(np.concatenate(said[:-1]), rate, job.params["format"])


def chosen(job: Job, voices: Iterable[str]) -> str:
    """The voice that `job` asks for, or the first. Raises Refused with the list where there is no such voice.

    The last part of a name will do: OpenAI's voices are called alloy and nova, Kokoro's af_alloy and af_nova.
    """
    names = list(voices)
    wanted = job.params.get("voice") or names[0]
    for name in names:
        if wanted in (name, name.rpartition("_")[2]):
            return name
    raise Refused(f"This model has no voice {wanted!r}; it has: {', '.join(names)}.")


def session(file: Path) -> onnxruntime.InferenceSession:
    """An ONNX model, on the GPU where onnxruntime has one."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = os.cpu_count() or 1
    # threads that wait must sleep, as in the worker's other libraries
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    known = onnxruntime.get_available_providers()
    wanted = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in known]
    return onnxruntime.InferenceSession(str(file), settings, providers=wanted)


def unfit(job: Job, *names: str) -> None:
    """Raise Refused where one of these parameters is given, which the model does not have."""
    for name in names:
        if job.params.get(name) is not None:
            raise Refused(f"This model has no '{name}': leave it out.")


def given(params: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: params[name] for name in names if params.get(name) is not None}
