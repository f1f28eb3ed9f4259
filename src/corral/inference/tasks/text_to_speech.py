"""Text to sound: speech in a voice of the model's, or music and noises from a description. The answer is a sound.

Parameters beside the specification's `generation_parameters`: `voice` (the model's page and every refusal list them),
`speed` (1 is the voice's own), `seed`, and `format`, the kind of file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

#: characters: about twenty minutes of speech
MAX_TEXT = 20_000
FORMATS = ("wav", "flac", "mp3", "opus", "pcm")
SPEEDS = (0.25, 4.0)


def _request(body: base.Body) -> Request:
    values = dict(body.parameters)
    for inner in ("generation_parameters", "generate_kwargs"):
        given = values.get(inner)
        if given is not None and not isinstance(given, Mapping):
            raise BadRequest(f"'{inner}' must be an object.")
        values = dict(given or {}) | values
    form = base.choice(values, "format", FORMATS) or "wav"
    return request(body.value.get("inputs"), "'inputs'", values, form)


def request(text: Any, where: str, values: Mapping[str, Any], form: str) -> Request:
    """What OpenAI's endpoint asks, too. `form` is one of `FORMATS`."""
    if isinstance(text, str) and len(text) > MAX_TEXT:
        raise Unprocessable(f"{where} is longer than {MAX_TEXT} characters: send it in several requests.")
    spoken = base.text(text, where).strip()
    if not spoken:
        raise BadRequest(f"{where} is empty: write what is to be heard.")
    params = base.numbered(
        values,
        speed=SPEEDS,
        seed=(0, 2**32 - 1),
        temperature=(0.0, 100.0),
        top_k=(1, 1_000_000),
        top_p=(0.000_001, 1.0),
        max_new_tokens=(1, 2048),
    )
    voice = values.get("voice")
    return Request(
        "speak",
        params
        | {
            "text": spoken,
            "voice": base.text(voice, "'voice'")[:200] if voice is not None else None,
            "do_sample": base.flag(values, "do_sample"),
            "format": form,
        },
    )


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "Welcome to the hub. Pick a voice, write a line, and listen."},
        {"inputs": "The quick brown fox jumps over the lazy dog."},
    ]


def _music(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "A calm piano piece with soft rain in the background"},
        {"inputs": "An upbeat jazz trio with a walking bass"},
    ]


TASK = base.Task(
    "text-to-speech",
    "Text to speech",
    (base.Input("inputs", "area", "What to say"),),
    "sound",
    _request,
    _examples,
    knobs=(
        base.Knob("voice", "Voice", libraries=("kokoro",)),
        base.Knob("speed", "Speed", 0.5, 2, 0.05, 1, libraries=("kokoro", "piper", "transformers")),
    ),
    client='client.text_to_speech("Welcome to the hub.")',
)
#: the same call: models that speak and those that play are told apart by their words only
TEXT_TO_AUDIO = base.Task(
    "text-to-audio",
    "Text to audio",
    (base.Input("inputs", "area", "What to hear"),),
    "sound",
    _request,
    _music,
    knobs=(base.Knob("max_new_tokens", "Longest sound, in tokens", 1, 1500, 1),),
)
