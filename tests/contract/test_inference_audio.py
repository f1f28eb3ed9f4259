"""Sound over HTTP: the stock InferenceClient on each task, OpenAI's own client on its endpoints, and bad input."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile
from huggingface_hub import InferenceClient

from building import models_audio
from building.hub import Hub, Person
from building.models_audio import long_silence, tone, written

pytestmark = pytest.mark.slow

PATIENCE = 120
WAITS = {"x-wait-for-model": "true"}
#: what is asked of the tiny models: the less they write, the quicker
SHORT = {"max_new_tokens": 4, "num_beams": 1}


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def repos(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = {}
    for kind, folder in models_audio.make(tmp_path_factory.mktemp("audio")).items():
        made[kind] = owner.api.create_repo(f"{owner.name}/{kind}").repo_id
        owner.api.upload_folder(repo_id=made[kind], folder_path=folder)
    return made


@pytest.fixture(scope="module")
def web(hub: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def ai(hub: Hub, owner: Person) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{hub.url}/v1", api_key=owner.token, timeout=PATIENCE, max_retries=0) as client:
        yield client


def client(hub: Hub, repo: str) -> InferenceClient:
    return InferenceClient(model=f"{hub.url}/inference/{repo}", headers=WAITS, timeout=PATIENCE)


def heard(data: bytes) -> tuple[float, int]:
    """Seconds and rate of a sound."""
    found = soundfile.info(io.BytesIO(data))
    return found.duration, found.samplerate


def events_of(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    parts = [part.split("\n", 1) for part in answer.text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in parts]


def test_speech_recognition_with_the_stock_client(hub: Hub, repos: dict[str, str]) -> None:
    asked = client(hub, repos["ctc"])
    sound = tone(2)
    text = asked.automatic_speech_recognition(sound).text
    assert text
    words = asked.automatic_speech_recognition(sound, extra_body={"return_timestamps": "word"})
    assert words.text == text
    assert words.chunks is not None
    times = [time for chunk in words.chunks for time in chunk.timestamp]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= 2
    letters = asked.automatic_speech_recognition(sound, extra_body={"return_timestamps": "char"}).chunks
    assert letters is not None
    assert len(letters) >= len(words.chunks)
    assert asked.automatic_speech_recognition(sound, extra_body={"return_timestamps": True}).chunks == words.chunks
    spoken = client(hub, repos["whisper"]).automatic_speech_recognition(
        sound, extra_body={"language": "German", "return_timestamps": True, "generation_parameters": SHORT}
    )
    assert spoken.chunks is not None
    assert all(0 <= start <= end <= 2 for start, end in (c.timestamp for c in spoken.chunks))


def test_a_long_sound_is_heard_in_windows_and_says_how_far_it_is(repos: dict[str, str], web: httpx.Client) -> None:
    url = f"/inference/{repos['ctc']}"
    answer = web.post(url, content=tone(70), headers={"x-corral-events": "true"})
    events = events_of(answer)
    progress = [(v["done"], v["total"]) for k, v in events if k == "progress"]
    assert len(progress) > 2
    assert progress == sorted(progress)
    assert all(done < total == 71 for done, total in progress)
    assert events[-1][0] == "result"


def test_audio_classification_with_the_stock_client(hub: Hub, repos: dict[str, str]) -> None:
    for kind, labels in (("sounds", {"speech", "music", "a dog"}), ("waves", {"speech", "music"})):
        asked = client(hub, repos[kind])
        found = asked.audio_classification(tone())
        assert {f.label for f in found} == labels
        assert sum(f.score for f in found) == pytest.approx(1, abs=1e-4)
        assert asked.audio_classification(tone(), top_k=1) == found[:1]
        raw = asked.audio_classification(tone(format="WAV"), function_to_apply="none")
        assert sum(f.score for f in raw) != pytest.approx(1, abs=1e-4)


def test_text_to_speech_with_the_stock_client(hub: Hub, repos: dict[str, str], web: httpx.Client) -> None:
    asked = client(hub, repos["vits"])
    assert web.get(f"/inference/{repos['vits']}").json()["output"] == "sound"
    seconds, rate = heard(asked.text_to_speech("hello there", extra_body={"seed": 1}))
    assert rate == 16_000
    assert seconds > 0
    quick, slow = (
        heard(asked.text_to_speech("hello there my friends", extra_body={"seed": 1, "speed": speed}))[0]
        for speed in (4, 0.25)
    )
    assert quick < slow
    one, two = (asked.text_to_speech("hello", extra_body={"voice": voice, "seed": 1}) for voice in ("0", "1"))
    assert one != two
    flac = asked.text_to_speech("hello", extra_body={"format": "flac"})
    assert flac.startswith(b"fLaC")


def test_music_is_made_of_a_description_and_says_how_far_it_is(repos: dict[str, str], web: httpx.Client) -> None:
    url = f"/inference/{repos['music']}"
    assert web.get(url).json()["task"] == "text-to-audio"
    body = {"inputs": "A calm piano. Rain.", "parameters": {"max_new_tokens": 30, "do_sample": True, "seed": 1}}
    events = events_of(web.post(url, json=body, headers={"x-corral-events": "true"}))
    assert [(v["done"], v["total"]) for k, v in events if k == "progress"] == [(10, 30), (20, 30), (30, 30)]
    media = events[-1][1]["media"]
    assert media.startswith("data:audio/wav;base64,")
    seconds, rate = heard(base64.b64decode(media.partition(",")[2]))
    assert rate == 16_000
    assert 0.5 < seconds < 1.5


def test_openais_client_writes_down_speech(repos: dict[str, str], ai: openai.OpenAI) -> None:
    name, sound = repos["ctc"], ("speech.flac", tone(2))
    plain = ai.audio.transcriptions.create(model=name, file=sound)
    assert plain.text
    whole = ai.audio.transcriptions.create(
        model=name, file=sound, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert whole.text == plain.text
    assert whole.duration == pytest.approx(2, abs=0.01)
    assert whole.words
    assert whole.segments
    assert whole.segments[0].start == whole.words[0].start
    assert whole.segments[-1].end == whole.words[-1].end
    text = ai.audio.transcriptions.create(model=name, file=sound, response_format="text")
    assert text == f"{plain.text}\n"
    srt = ai.audio.transcriptions.create(model=name, file=sound, response_format="srt")
    assert srt.startswith("1\n00:00:0")
    assert " --> 00:00:0" in srt
    vtt = ai.audio.transcriptions.create(model=name, file=sound, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:0")
    english = ai.audio.translations.create(model=repos["whisper"], file=sound)
    assert isinstance(english.text, str)


def test_openais_client_speaks(repos: dict[str, str], ai: openai.OpenAI) -> None:
    name = repos["vits"]
    for form, start in (("wav", b"RIFF"), ("flac", b"fLaC"), ("mp3", b"\xff"), ("opus", b"OggS")):
        answer = ai.audio.speech.create(model=name, voice="1", input="hello there", response_format=form)
        assert answer.content.startswith(start), form
        assert heard(answer.content)[0] > 0
        assert answer.response.headers["content-type"].startswith("audio/")
    raw = ai.audio.speech.create(model=name, voice="default", input="hello", response_format="pcm", speed=0.5).content
    assert len(raw) % 2 == 0
    assert np.frombuffer(raw, "<i2").any()


BAD: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("ctc", b"", "Send a sound"),
    "text": ("ctc", b"no sound at all", "is not a sound that can be read: send WAV"),
    "half a FLAC": ("ctc", tone(2)[:-3000], "broken"),
    "half a WAV": ("ctc", tone(2, format="WAV")[:-3000], "cut off"),
    "64 channels": ("ctc", written(np.zeros((100, 64)), format="WAV"), "64 channels"),
    "no numbers": ("ctc", written(np.full(100, np.nan), format="WAV", subtype="FLOAT"), "not numbers"),
    "no samples": ("ctc", written(np.zeros(0), format="WAV"), "no samples"),
    "one a second": ("ctc", written(np.zeros(100), 1, format="WAV"), "1 samples a second"),
    "an hour": ("sounds", long_silence(60), "60 minutes, and 30 are the most"),
    "no WebM": ("sounds", b"\x1a\x45\xdf\xa3 and no more", "broken"),
    "no M4A": ("whisper", b"\0\0\0\x20ftypM4A and no more", "broken"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_fitting_sound_is_refused_and_the_worker_lives(
    what: str, repos: dict[str, str], web: httpx.Client
) -> None:
    kind, sound, says = BAD[what]
    url = f"/inference/{repos[kind]}"
    answer = web.post(url, content=sound, headers=WAITS)
    assert 400 <= answer.status_code < 500
    assert says in answer.json()["error"]
    inside = web.post(url, json={"inputs": base64.b64encode(sound).decode()}, headers=WAITS)
    assert 400 <= inside.status_code < 500
    assert web.get(url).json()["state"] == "ready"


@pytest.mark.parametrize(
    ("kind", "body", "status", "says"),
    [
        ("vits", {"inputs": ""}, 400, "empty"),
        ("vits", {"inputs": 5}, 400, "'inputs' must be text"),
        ("vits", {"inputs": "x" * 2**20}, 422, "longer than 20000 characters"),
        ("vits", {"inputs": "a", "parameters": {"voice": "nobody"}}, 422, "it has: 0, 1"),
        ("vits", {"inputs": "a", "parameters": {"speed": 0}}, 400, "'speed'"),
        ("vits", {"inputs": "a", "parameters": {"format": "aac"}}, 400, "wav, flac, mp3, opus, pcm"),
        ("vits", {"inputs": "a", "parameters": {"temperature": 1}}, 422, "no 'temperature'"),
        ("vits", {"inputs": "— …"}, 422, "nothing in this text"),
        ("whisper", {"inputs": "SOUND", "parameters": {"language": "klingon"}}, 422, "it knows: de, en"),
        ("whisper", {"inputs": "SOUND", "parameters": {"return_timestamps": "char"}}, 422, "words"),
        ("whisper", {"inputs": "SOUND", "parameters": {"return_timestamps": 3}}, 400, "'return_timestamps'"),
        ("whisper", {"inputs": "SOUND", "parameters": {"prompt": "<|en|>"}}, 422, "prompt"),
        ("ctc", {"inputs": "SOUND", "parameters": {"task": "translate"}}, 422, "does not translate"),
        ("ctc", {"inputs": "SOUND", "parameters": {"language": "en"}}, 422, "no 'language'"),
        ("sounds", {"inputs": "SOUND", "parameters": {"top_k": 0}}, 400, "'top_k'"),
    ],
)
def test_what_a_model_does_not_have_is_refused_with_what_it_has(
    kind: str, body: dict[str, Any], status: int, says: str, repos: dict[str, str], web: httpx.Client
) -> None:
    if body["inputs"] == "SOUND":
        body = body | {"inputs": base64.b64encode(tone()).decode()}
    answer = web.post(f"/inference/{repos[kind]}", json=body, headers=WAITS)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text


def test_bad_forms_are_refused_with_a_sentence(repos: dict[str, str], web: httpx.Client) -> None:
    sound, name = ("a.flac", tone()), repos["ctc"]
    url = "/v1/audio/transcriptions"
    for status, says, sent in (
        (400, "Send a form", {"json": {"model": name}}),
        (400, "cannot be read", {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}),
        (400, "cannot be read", {"content": b"x", "headers": {"content-type": "multipart/form-data"}}),
        (400, "'file'", {"data": {"model": name, "file": "text"}, "files": {"other": sound}}),
        (400, "'model'", {"files": {"file": sound}}),
        (400, "json, text, srt", {"data": {"model": name, "response_format": "docx"}, "files": {"file": sound}}),
        (400, "verbose_json", {"data": {"model": name, "timestamp_granularities[]": "word"}, "files": {"file": sound}}),
        (400, "'temperature'", {"data": {"model": name, "temperature": "hot"}, "files": {"file": sound}}),
        (501, "'stream'", {"data": {"model": name, "stream": "true"}, "files": {"file": sound}}),
        (422, "not a sound", {"data": {"model": name}, "files": {"file": ("a.wav", b"text")}}),
        (422, "cannot do 'transcribe'", {"data": {"model": repos["vits"]}, "files": {"file": sound}}),
        (413, "longer than", {"data": {"model": name}, "files": {"file": bytes(33 * 2**20)}}),
    ):
        answer = web.post(url, **sent)  # type: ignore[arg-type]
        assert answer.status_code == status, (says, answer.text)
        assert says in answer.json()["error"]
    for status, says, body in (
        (400, "'model'", {"input": "a", "voice": "1"}),
        (400, "'input'", {"model": repos["vits"], "voice": "1"}),
        (400, "wav, flac, mp3", {"model": repos["vits"], "input": "a", "response_format": "aac"}),
        (422, "it has: 0, 1", {"model": repos["vits"], "input": "a", "voice": "alloy"}),
        (501, "'instructions'", {"model": repos["vits"], "input": "a", "instructions": "whisper"}),
        (422, "cannot do 'speak'", {"model": name, "input": "a"}),
    ):
        answer = web.post("/v1/audio/speech", json=body)
        assert answer.status_code == status, (says, answer.text)
        assert says in answer.json()["error"]


def test_a_private_model_of_sound_answers_like_an_absent_one(owner: Person, web: httpx.Client) -> None:
    hidden = owner.api.create_repo(f"{owner.name}/hidden-sound", private=True).repo_id
    answers = []
    for name in (hidden, f"{owner.name}/absent"):
        form = web.post("/v1/audio/transcriptions", data={"model": name}, files={"file": tone()})
        speech = web.post("/v1/audio/speech", json={"model": name, "input": "a"})
        answers.append([(a.status_code, a.text.replace(name, "NAME")) for a in (form, speech)])
    assert answers[0] == answers[1]
    assert answers[0][0][0] in (401, 404)


def test_the_widget_is_told_the_voices_and_has_something_to_hear(repos: dict[str, str], web: httpx.Client) -> None:
    told = web.get(f"/inference/{repos['whisper']}").json()
    assert (told["output"], told["form"][0]["kind"]) == ("text", "sound")
    example = web.get(told["examples"][0]["inputs"]["src"], follow_redirects=True)
    assert heard(example.content)[0] > 1
    [speed, voice] = sorted(web.get(f"/inference/{repos['vits']}").json()["knobs"], key=lambda knob: knob["name"])
    assert (voice["choices"], voice["preset"]) == (["0", "1"], "0")
    assert (speed["low"], speed["high"]) == (0.5, 2)
