"""What the tasks of sound take, refuse and give back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from corral.api import openai_audio
from corral.core.errors import HubError
from corral.inference import voices
from corral.inference.calls import Request
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import Body

SOUND = base64.b64encode(b"sound").decode()
SPEECH, HEARING, SAYING = "automatic-speech-recognition", "audio-classification", "text-to-speech"


def ask(name: str, inputs: Any = SOUND, /, **parameters: Any) -> Request:
    return TASKS[name].request(Body({"inputs": inputs, "parameters": parameters}))


@pytest.mark.parametrize(
    ("task", "inputs", "parameters", "status", "says"),
    [
        (SPEECH, None, {}, 400, "Send a sound"),
        (SPEECH, "no base64!", {}, 400, "base64"),
        (SPEECH, SOUND, {"return_timestamps": "line"}, 400, "'return_timestamps'"),
        (SPEECH, SOUND, {"return_timestamps": 1.5}, 400, "'return_timestamps'"),
        (SPEECH, SOUND, {"return_timestamps": ["word"]}, 400, "'return_timestamps'"),
        (SPEECH, SOUND, {"task": "sing"}, 400, "transcribe, translate"),
        (SPEECH, SOUND, {"language": 5}, 400, "'language'"),
        (SPEECH, SOUND, {"generation_parameters": []}, 400, "'generation_parameters'"),
        (SPEECH, SOUND, {"generation_parameters": {"num_beams": 1000}}, 400, "'num_beams'"),
        (HEARING, SOUND, {"function_to_apply": "max"}, 400, "softmax"),
        (SAYING, "", {}, 400, "empty"),
        (SAYING, " \n", {}, 400, "empty"),
        (SAYING, ["a"], {}, 400, "must be text"),
        (SAYING, "x" * 20_001, {}, 422, "several requests"),
        (SAYING, "a", {"speed": 5}, 400, "from 0.25 to 4"),
        (SAYING, "a", {"voice": 5}, 400, "'voice'"),
        (SAYING, "a", {"format": "aac"}, 400, "wav, flac, mp3, opus, pcm"),
        (SAYING, "a", {"generate_kwargs": 1}, 400, "'generate_kwargs'"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(
    task: str, inputs: Any, parameters: dict[str, Any], status: int, says: str
) -> None:
    with pytest.raises(HubError) as caught:
        ask(task, inputs, **parameters)
    assert says in caught.value.message
    assert caught.value.status == status


def test_a_sound_comes_as_bytes_or_base64_with_parameters() -> None:
    assert TASKS[SPEECH].request(Body(data=b"sound")).files == (b"sound",)
    asked = ask(SPEECH, language="en", return_timestamps=True, generation_parameters={"task": "translate"})
    assert asked.files == (b"sound",)
    assert (asked.params["language"], asked.params["task"]) == ("en", "translate")
    assert asked.params["timestamps"] == ["segment"]


def test_chunks_come_only_where_asked_for_and_are_of_the_kind_asked_for() -> None:
    word = {"text": "hi", "start": 0.0, "end": 0.5}
    segment = {"text": "hi there", "start": 0.0, "end": 1.0, "tokens": [1]}
    result = {"text": "hi there", "segments": [segment], "words": [word]}
    answer = TASKS[SPEECH].answer
    assert answer(ask(SPEECH), result) == {"text": "hi there"}
    chunk = {"text": "hi there", "timestamp": [0.0, 1.0]}
    assert answer(ask(SPEECH, return_timestamps=True), result)["chunks"] == [chunk]
    assert answer(ask(SPEECH, return_timestamps="word"), result)["chunks"] == [{"text": "hi", "timestamp": [0.0, 0.5]}]
    no_segments = result | {"segments": []}
    assert answer(ask(SPEECH, return_timestamps=True), no_segments)["chunks"][0]["text"] == "hi"


def test_subtitles_are_numbered_timed_and_made_of_words_where_there_are_no_segments() -> None:
    said = [("One", 0.0, 0.4), ("two.", 0.5, 1.0), ("Three", 3661.25, 3662.0)]
    words = [{"text": text, "start": start, "end": end} for text, start, end in said]
    result = {"text": "One two. Three", "segments": [], "words": words}
    first, second = "00:00:00,000 --> 00:00:01,000", "01:01:01,250 --> 01:01:02,000"
    assert openai_audio._srt(result) == f"1\n{first}\nOne two.\n\n2\n{second}\nThree\n\n"
    assert openai_audio._vtt(result).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nOne two.\n")
    tricky = {"text": "", "words": [], "segments": [{"text": "a --> b", "start": 0, "end": 59.9996}]}
    assert "00:00:00,000 --> 00:01:00,000\na -> b" in openai_audio._srt(tricky)


def test_voices_come_in_the_order_in_which_they_are_offered() -> None:
    names = ["voices/bf_emma.bin", "voices/af_heart.bin", "voices/af_alloy.bin", "voices/../x.bin", "af_sky.bin"]
    assert list(voices.kokoro(names)) == ["af_heart", "af_alloy", "bf_emma"]
    assert voices.piper(["x/a.onnx.json", "x/a.onnx", "b.onnx.json"]) == {"a": "x/a.onnx"}
    assert voices.numbered(True) == voices.numbered("3") == voices.numbered(1) == ()
