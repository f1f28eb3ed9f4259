"""Real voices and a real ear: what Kokoro and Piper say, Whisper base writes down again."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from building import models_audio
from building.hub import Hub
from building.models_audio import long_silence
from corral.catalogue import cards
from corral.cluster.runner import LocalRunner
from corral.core.errors import HubError
from corral.core.ids import RepoId, RepoType
from corral.inference.calls import Event, Media, Progress, Request
from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import Body

pytestmark = pytest.mark.slow

PATIENCE = 300
#: the program is optional: what it is needed for is tried where it is there
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def models(hub: Hub) -> Callable[[str], str]:
    """The zoo's model of that name, on the hub."""
    owner = hub.person()
    known: dict[str, str] = {}

    def put(name: str) -> str:
        if name not in known:
            folder = models_audio.real(name)
            known[name] = owner.api.create_repo(f"{owner.name}/{name}").repo_id
            owner.api.upload_folder(repo_id=known[name], folder_path=folder)
        return known[name]

    return put


@pytest.fixture(scope="module")
def service(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InferenceService]:
    settings = replace(hub.settings, data=tmp_path_factory.mktemp("service"), inference_memory=8 * 2**30)
    running = InferenceService(settings, LocalRunner(), lambda raw: cards.parse(raw).meta)
    running.start()
    yield running
    running.close()


@pytest.fixture(scope="module")
def find(hub: Hub, service: InferenceService, models: Callable[[str], str]) -> Callable[[str], Model]:
    return lambda name: service.models.find(hub.ctx, RepoId.parse(RepoType.MODEL, models(name)))


@pytest.fixture(scope="module")
def ask(hub: Hub, service: InferenceService, find: Callable[[str], Model]) -> Ask:
    """Ask the model of that name: a task, its body, where the events go."""

    def run(name: str, task: str, body: Body, heard: list[Event] | None = None) -> Any:
        request: Request = TASKS[task].request(body)
        call = service.submit(hub.ctx, find(name), request, caller="test", wait=True)
        if heard is not None:
            call.listen(heard.append)
        return TASKS[task].answer(request, call.result(PATIENCE))

    return run


def says(ask: Ask, model: str, text: str, heard: list[Event] | None = None, **parameters: Any) -> Media:
    said = ask(model, "text-to-speech", Body({"inputs": text, "parameters": parameters}), heard)
    assert isinstance(said, Media)
    return said


def with_parameters(sound: bytes, **parameters: Any) -> Body:
    return Body({"inputs": base64.b64encode(sound).decode(), "parameters": parameters})


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def test_whisper_writes_down_what_kokoro_says(ask: Ask, find: Callable[[str], Model]) -> None:
    model = find("kokoro")
    assert (model.detection.task, model.detection.engine) == ("text-to-speech", "kokoro")
    [(name, voices)] = model.detection.choices
    assert (name, voices[0]) == ("voice", "af_heart")
    assert len(voices) >= 40
    text = "The old man walked slowly to the river. He sat down, and looked at the water."
    progress: list[Event] = []
    said = says(ask, "kokoro", text, progress, voice="am_michael", format="flac")
    assert said.type == "audio/flac"
    assert said.about["voice"] == "am_michael"
    assert 3 < said.about["seconds"] < 9
    assert [(e.done, e.total) for e in progress if isinstance(e, Progress)] == [(0, 2), (1, 2)]
    heard = ask("whisper_base", "automatic-speech-recognition", Body(data=said.data))
    assert words(heard["text"]) == words(text)
    timed = with_parameters(said.data, return_timestamps="word", language="english")
    chunks = ask("whisper_base", "automatic-speech-recognition", timed)["chunks"]
    assert [w for c in chunks for w in words(c["text"])] == words(text)
    times = [t for c in chunks for t in c["timestamp"]]
    assert times == sorted(times)
    assert times[-1] <= said.about["seconds"]


@needs_espeak
def test_a_spanish_voice_is_understood_and_translated(ask: Ask) -> None:
    text = "Hola, buenos días a todos. Me gusta mucho la música."
    said = says(ask, "kokoro", text, voice="ef_dora", format="mp3")
    heard = ask("whisper_base", "automatic-speech-recognition", Body(data=said.data))["text"]
    assert {"hola", "buenos", "gusta", "mucho"} <= set(words(heard))
    spanish = with_parameters(said.data, task="translate", language="es")
    english = ask("whisper_base", "automatic-speech-recognition", spanish)["text"]
    assert {"good", "music"} <= set(words(english))


def test_piper_is_understood_and_speaks_as_quickly_as_asked(ask: Ask) -> None:
    text = "The weather is very nice this morning."
    said = says(ask, "piper_joe", text)
    heard = ask("whisper_base", "automatic-speech-recognition", Body(data=said.data))["text"]
    assert words(heard) == words(text)
    assert says(ask, "piper_joe", text, speed=2).about["seconds"] < 0.7 * said.about["seconds"]


def test_silence_is_no_speech_and_what_cannot_be_is_refused(ask: Ask) -> None:
    assert ask("whisper_base", "automatic-speech-recognition", Body(data=long_silence(1)))["text"] == ""
    with pytest.raises(HubError, match="has no voice 'nobody'; it has: af_heart, ") as caught:
        says(ask, "kokoro", "Hello", voice="nobody")
    assert caught.value.status == 422
    with pytest.raises(HubError, match="30 are the most"):
        ask("whisper_base", "automatic-speech-recognition", Body(data=long_silence(60)))
    with pytest.raises(HubError, match="knows no language 'klingon'"):
        strange = with_parameters(long_silence(1), language="klingon")
        ask("whisper_base", "automatic-speech-recognition", strange)
    assert says(ask, "kokoro", "Hello", voice="heart").about["voice"] == "af_heart"
