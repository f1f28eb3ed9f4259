"""OpenAI's endpoints about sound: `/v1/audio/transcriptions`, `/v1/audio/translations`, `/v1/audio/speech`.

`model` is a repository id. Shapes: OpenAI's API reference and its Python client (openai 3.57).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import PlainTextResponse, Response

from corral.api.calling import answered, json_object, outcome, told, wants_events, whole_body
from corral.api.deps import Ctx
from corral.api.forms import whole_form
from corral.api.openai import call_model, model_of
from corral.context import Context
from corral.core.errors import BadRequest, NotSupported
from corral.inference.tasks import automatic_speech_recognition, base, text_to_speech

router = APIRouter()

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
_GRANULARITIES = "timestamp_granularities[]"
#: a sentence made of words is cut where there are more characters: subtitles have two lines
_LINE = 80


@router.post("/v1/audio/transcriptions")
async def transcribe(request: Request, ctx: Ctx) -> Response:
    """What is said in a sound, in its language. Takes a form with `file` and `model`."""
    return await _written(request, ctx, "transcribe")


@router.post("/v1/audio/translations")
async def translate(request: Request, ctx: Ctx) -> Response:
    """What is said in a sound, in English. Takes a form with `file` and `model`."""
    return await _written(request, ctx, "translate")


@router.post("/v1/audio/speech")
async def speak(request: Request, ctx: Ctx) -> Response:
    """`input`, spoken in `voice`: the bytes of a sound. `voice` may be left out, or "default"."""
    body = json_object(await whole_body(request))
    if body.get("stream_format") not in (None, "audio"):
        raise NotSupported("'stream_format' other than \"audio\" is not supported: leave it out.")
    if body.get("instructions"):
        raise NotSupported("'instructions' are not supported: choose another voice instead.")
    form = base.choice(body, "response_format", text_to_speech.FORMATS) or "mp3"
    voice = None if body.get("voice") in ("", "default") else body.get("voice")
    asked = text_to_speech.request(body.get("input"), "'input'", dict(body) | {"voice": voice}, form)
    service, model, call = await call_model(request, ctx, model_of(body), asked)
    if wants_events(request):
        return await told(service, model, call, lambda result: result.value)
    result = await outcome(request, call)
    return answered(result, result.value)


async def _written(request: Request, ctx: Context, task: str) -> Response:
    form = await whole_form(request, holds="'file' and 'model'", files=1)
    values: dict[str, Any] = {k: v for k, v in form.items() if isinstance(v, str) and v}
    shape = base.choice(values, "response_format", FORMATS) or "json"
    if values.get("stream", "").lower() in ("true", "1"):
        raise NotSupported("'stream' is not supported here: leave it out.")
    for name in ("include[]", "known_speaker_names[]", "known_speaker_references[]"):
        if name in values:
            raise NotSupported(f"'{name.removesuffix('[]')}' is not supported: leave it out.")
    if "temperature" in values:
        values["temperature"] = _number(values["temperature"])
    times = _times(form, shape)
    params = {k: values.get(k) for k in ("language", "prompt", "temperature")} | {"task": task}
    asked = automatic_speech_recognition.request(await _file(form), params, times)
    service, model, call = await call_model(request, ctx, model_of(values), asked)
    if wants_events(request):
        return await told(service, model, call, lambda result: _verbose(result.value, times, task))
    result = await outcome(request, call)
    if shape in _TEXTS:
        return PlainTextResponse(_TEXTS[shape](result.value), headers={"x-compute-time": f"{result.seconds:.3f}"})
    whole = _verbose(result.value, times, task) if shape == "verbose_json" else {"text": result.value["text"]}
    return answered(result, whole)


def _times(form: FormData, shape: str) -> tuple[str, ...]:
    """Which timestamps the answer needs."""
    asked = [v for name in (_GRANULARITIES, "timestamp_granularities") for v in form.getlist(name)]
    if any(v not in ("segment", "word") for v in asked):
        raise BadRequest('\'timestamp_granularities\' must be "segment", "word" or both.')
    if asked and shape != "verbose_json":
        raise BadRequest("'timestamp_granularities' need 'response_format' to be \"verbose_json\".")
    if shape in ("json", "text"):
        return ()
    return tuple(str(v) for v in dict.fromkeys(asked)) or ("segment",)


async def _file(form: FormData) -> bytes:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise BadRequest("'file' must be a file of the form: a sound.")
    return await file.read()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequest("'temperature' must be a number.") from None


def _verbose(result: Mapping[str, Any], times: Sequence[str], task: str) -> dict[str, Any]:
    answer = {
        "task": task,
        "language": result["language"] or "unknown",
        "duration": result["seconds"],
        "text": result["text"],
        "usage": {"type": "duration", "seconds": result["seconds"]},
    }
    if "segment" in times:
        answer["segments"] = [{"id": i, "seek": 0} | s for i, s in enumerate(_segments(result))]
    if "word" in times:
        answer["words"] = [{"word": w["text"].strip()} | {k: w[k] for k in ("start", "end")} for w in result["words"]]
    return answer


def _segments(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The model's, or made of its words: up to the end of a sentence, or to what fits into a subtitle."""
    if result["segments"] or not result["words"]:
        return list(result["segments"])
    found: list[dict[str, Any]] = []
    for word in result["words"]:
        last = found[-1] if found else None
        if last and len(last["text"]) < _LINE and not last["text"].rstrip().endswith((".", "?", "!", "。")):
            gap = "" if word["text"][:1].isspace() else " "
            last.update(text=f"{last['text']}{gap}{word['text']}", end=word["end"])
        else:
            found.append(dict(word))
    return found


def _subtitles(result: Mapping[str, Any], mark: str) -> list[str]:
    return [
        f"{_time(s['start'], mark)} --> {_time(s['end'], mark)}\n{s['text'].strip().replace('-->', '->')}\n"
        for s in _segments(result)
    ]


def _time(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}{mark}{whole % 1000:03d}"


def _srt(result: Mapping[str, Any]) -> str:
    return "\n".join(f"{i}\n{entry}" for i, entry in enumerate(_subtitles(result, ","), 1)) + "\n"


def _vtt(result: Mapping[str, Any]) -> str:
    return "\n".join(["WEBVTT\n", *_subtitles(result, ".")]) + "\n"


_TEXTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "text": lambda result: f"{result['text']}\n",
    "srt": _srt,
    "vtt": _vtt,
}
