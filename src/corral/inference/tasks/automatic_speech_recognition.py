"""Speech to text: a sound -> `{"text"}`, with `chunks` (`[{"text", "timestamp": [start, end]}]`, seconds) where asked.

Parameters beside the specification's: `language` (a code or an English name), `task` (`transcribe`, or `translate` to
English) and `prompt`, which Whisper knows; `return_timestamps` may be "word" or "char" too, as in transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base

#: engines keep less than this of it
MAX_PROMPT = 5000
TIMESTAMPS = ("segment", "word", "char")


def _request(body: base.Body) -> Request:
    values = dict(body.parameters) if body.value else {}
    for inner in ("generation_parameters", "generate_kwargs"):
        given = values.get(inner)
        if given is not None and not isinstance(given, Mapping):
            raise BadRequest(f"'{inner}' must be an object.")
        values = dict(given or {}) | values
    wanted = values.get("return_timestamps") or ""
    if wanted is not True and wanted not in ("", *TIMESTAMPS):
        raise BadRequest('\'return_timestamps\' must be true, false, "word" or "char".')
    # a list under `timestamps`: one run may serve several
    return request(base.file(body, "sound"), values, ("segment" if wanted is True else wanted,))


def request(sound: bytes, values: Mapping[str, Any], timestamps: tuple[str, ...] = ()) -> Request:
    """What OpenAI's endpoints ask, too. `timestamps`: which of `TIMESTAMPS` the answer needs."""
    params: dict[str, Any] = base.numbered(
        values,
        temperature=(0.0, 10.0),
        num_beams=(1, 16),
        max_new_tokens=(1, 448),
        top_k=(1, 1_000_000),
        top_p=(0.000_001, 1.0),
    )
    for name in ("language", "prompt"):
        if values.get(name):
            params[name] = base.text(values[name], f"'{name}'")[:MAX_PROMPT]
    params["task"] = base.choice(values, "task", ("transcribe", "translate")) or "transcribe"
    params["do_sample"] = base.flag(values, "do_sample")
    params["timestamps"] = [t for t in timestamps if t]
    return Request("transcribe", params, (sound,))


def _answer(request: Request, result: dict[str, Any]) -> dict[str, Any]:
    answer = {"text": result["text"]}
    if wanted := request.params["timestamps"]:
        # models that know no segments give words
        pieces = (result["segments"] if "segment" in wanted else None) or result["words"]
        answer["chunks"] = [{"text": p["text"], "timestamp": [p["start"], p["end"]]} for p in pieces]
    return answer


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "src") or base.SOUNDS


TASK = base.Task(
    "automatic-speech-recognition",
    "Automatic speech recognition",
    (base.Input("inputs", "sound", "Speech"),),
    "text",
    _request,
    _examples,
    _answer,
    (
        base.Knob("task", "What to write", preset="transcribe", choices=("transcribe", "translate")),
        base.Knob("language", "Language spoken (en, de, ...); found out where empty"),
    ),
    client='client.automatic_speech_recognition("speech.flac")',
)
