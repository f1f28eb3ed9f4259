"""Workers as real processes with real (tiny) models: loading, memory, turns, and every way in which one can fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from building import models
from building.hub import Hub, Person
from corral.catalogue import cards
from corral.cluster.runner import LocalRunner
from corral.core.errors import Busy, HubError, NotSupported
from corral.core.ids import RepoId, RepoType
from corral.inference.calls import Call, Event, Request, Token
from corral.inference.models import RUNTIME, Model
from corral.inference.service import InferenceService, Limits

pytestmark = pytest.mark.slow

#: seconds that a tiny model may take to load on a busy machine
PATIENCE = 120
LONG = Request("generate", {"prompt": "Once", "max_new_tokens": 4000, "stream": True}, stream=True)
SHORT = Request("generate", {"prompt": "Once", "max_new_tokens": 3})
PAIR = Request("similarity", {"source": "a cat", "sentences": ["a cat", "a dog"]})


@pytest.fixture(scope="module")
def repos(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A repository for each kind of tiny model, and one whose weights are damaged."""
    owner = hub.person()
    made: dict[str, str] = {}
    for kind in models.KINDS:
        folder = models.make(kind, tmp_path_factory.mktemp(kind) / "model")
        made[kind] = _upload(owner, kind, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    made["damaged"] = _upload(owner, "damaged", folder)
    return made


def _upload(owner: Person, name: str, folder: Path) -> str:
    repo: str = owner.api.create_repo(f"{owner.name}/{name}").repo_id
    owner.api.upload_folder(repo_id=repo, folder_path=folder)
    return repo


class Place:
    """A service, and how to ask it."""

    def __init__(self, hub: Hub, repos: dict[str, str], service: InferenceService) -> None:
        self.hub, self.repos, self.service = hub, repos, service

    def model(self, kind: str) -> Model:
        return self.service.models.find(self.hub.ctx, RepoId.parse(RepoType.MODEL, self.repos[kind]))

    def ask(self, kind: str, request: Request, caller: str = "someone", wait: bool = True) -> Call:
        return self.service.submit(self.hub.ctx, self.model(kind), request, caller=caller, wait=wait)

    def result(self, kind: str, request: Request) -> Any:
        return self.ask(kind, request).result(PATIENCE)

    def state(self, kind: str) -> str:
        return self.service.state(self.model(kind))[0]

    def pid(self, kind: str) -> int:
        run = self.service._workers[self.model(kind).key]._run
        assert run is not None
        return run.pid  # type: ignore[attr-defined, no-any-return]


Open = Callable[..., Place]


@pytest.fixture
def open_place(hub: Hub, repos: dict[str, str], tmp_path: Path) -> Iterator[Open]:
    opened: list[InferenceService] = []

    def make(memory: int = 8 * 2**30, **limits: Any) -> Place:
        settings = replace(hub.settings, data=tmp_path, inference_memory=memory)
        service = InferenceService(
            settings, LocalRunner(), lambda raw: cards.parse(raw).meta, Limits(**{"tick": 0.1} | limits)
        )
        service.start()
        opened.append(service)
        return Place(hub, repos, service)

    yield make
    for service in opened:
        service.close()


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def first_token(call: Call) -> list[Event]:
    """Wait for it; the list goes on growing."""
    heard: list[Event] = []
    call.listen(heard.append)
    until(lambda: bool(heard))
    assert isinstance(heard[0], Token), heard[0]
    return heard


def test_a_cold_model_says_when_it_will_answer_and_then_does(open_place: Open) -> None:
    place = open_place()
    assert place.state("embedding") == "cold"
    with pytest.raises(Busy) as caught:
        place.ask("embedding", PAIR, wait=False)
    error = caught.value
    assert error.status == 503
    assert error.message == f"Model {place.repos['embedding']} is currently loading"
    assert isinstance(error.extra["estimated_time"], float)
    assert int(error.headers["Retry-After"]) >= 1
    assert place.state("embedding") == "loading"
    until(lambda: place.state("embedding") == "ready")
    same, other = place.ask("embedding", PAIR, wait=False).result(PATIENCE)
    assert same == pytest.approx(1, abs=1e-5)
    assert -1 <= other < same


def test_every_engine_answers(open_place: Open) -> None:
    place = open_place()
    vectors = place.result("embedding", Request("features", {"texts": ["one", "a longer text"], "single": False}))
    assert [len(v) for v in vectors] == [32, 32]
    assert sum(x * x for x in vectors[0]) == pytest.approx(1, abs=1e-4), "2_Normalize was obeyed"
    [tokens] = place.result("encoder", Request("features", {"texts": ["abc"], "single": True}))
    assert len(tokens) == 3, "without a pooling: a vector for each token"
    text = place.result("chat", Request("chat", {"messages": [{"role": "user", "content": "hi"}], "max_new_tokens": 5}))
    assert len(text["tokens"]) <= 5
    assert text["input_length"] == len("user: hi\nassistant: ")
    picture = Path(__file__).parents[2] / "zoo" / "examples" / "cat.jpg"
    found = place.result("classifier", Request("classify", {}, (picture.read_bytes(),)))
    assert {f["label"] for f in found} == {"a cat", "a dog", "a boat"}
    assert sum(f["score"] for f in found) == pytest.approx(1, abs=1e-4)
    with pytest.raises(HubError, match="not a picture") as caught:
        place.result("classifier", Request("classify", {}, (b"text",)))
    assert caught.value.status == 422
    with pytest.raises(HubError, match="no prompt 'passage'"):
        place.result("embedding", Request("features", {"texts": ["a"], "prompt_name": "passage"}))


def test_what_is_generated_is_the_same_streamed_and_whole_and_stops_where_it_should(open_place: Open) -> None:
    place = open_place()
    whole = place.result("chat", Request("generate", {"prompt": "Once", "max_new_tokens": 40}))
    call = place.ask("chat", Request("generate", {"prompt": "Once", "max_new_tokens": 40, "stream": True}, stream=True))
    heard: list[Event] = []
    call.listen(heard.append)
    streamed = call.result(PATIENCE)
    assert "".join(e.value["text"] for e in heard if isinstance(e, Token)) == streamed["text"] == whole["text"]
    stop = whole["text"][5:8]
    before = place.result("chat", Request("generate", {"prompt": "Once", "max_new_tokens": 40, "stop": [stop]}))
    assert before["text"] == whole["text"][: whole["text"].index(stop)]
    assert before["finish_reason"] == "stop_sequence"
    with_it = {"prompt": "Once", "max_new_tokens": 40, "stop": [stop], "include_stop": True}
    assert place.result("chat", Request("generate", with_it))["text"] == before["text"] + stop
    sample = {"prompt": "Once", "max_new_tokens": 20, "temperature": 1.0, "seed": 5}
    one, two = (place.result("chat", Request("generate", sample))["text"] for _ in range(2))
    assert one == two
    with pytest.raises(HubError, match="shorten"):
        place.result("chat", Request("generate", {"prompt": "x" * 5000}))


def test_a_worker_that_dies_is_replaced_and_its_caller_told(open_place: Open) -> None:
    place = open_place()
    dying, waiting = place.ask("alone", LONG), place.ask("alone", SHORT)
    first_token(dying)
    before = place.pid("alone")
    os.kill(before, signal.SIGKILL)
    with pytest.raises(HubError, match="ended unexpectedly") as caught:
        dying.result(PATIENCE)
    assert caught.value.status == 500
    # who had not had a turn gets one from the replacement
    assert waiting.result(PATIENCE)["text"]
    assert place.pid("alone") != before


def test_a_worker_that_is_stuck_is_replaced_and_its_caller_told(open_place: Open) -> None:
    place = open_place(stuck=1.5)
    call = place.ask("chat", LONG)
    first_token(call)
    before = place.pid("chat")
    os.killpg(before, signal.SIGSTOP)
    with pytest.raises(HubError, match="no sign of life") as caught:
        call.result(PATIENCE)
    assert caught.value.status == 503
    assert place.result("chat", SHORT)["text"]
    assert place.pid("chat") != before


def test_a_caller_who_goes_away_frees_the_worker(open_place: Open) -> None:
    place = open_place()
    leaving, never = place.ask("alone", LONG), place.ask("alone", LONG)
    heard = first_token(leaving)
    never.cancel()
    with pytest.raises(HubError, match="went away"):
        never.result(1)
    leaving.cancel()
    assert place.result("alone", SHORT)["text"]
    assert len(heard) < 3000, "the computation was cut off"


def test_callers_take_turns(open_place: Open) -> None:
    place = open_place()
    first_token(place.ask("alone", LONG, caller="greedy"))
    greedy = [place.ask("alone", SHORT, caller="greedy") for _ in range(3)]
    modest = place.ask("alone", SHORT, caller="modest")
    order: list[str] = []
    for number, call in enumerate(greedy):
        call.listen(lambda _, name=f"greedy {number}": order.append(name))  # type: ignore[misc]
    modest.listen(lambda _: order.append("modest"))
    until(lambda: len(order) == 4)
    assert order.index("modest") <= 1


def test_too_many_that_wait_are_refused_early(open_place: Open) -> None:
    place = open_place(queue=2)
    first_token(place.ask("alone", LONG))
    place.ask("alone", LONG)
    with pytest.raises(Busy, match="Too many requests wait") as caught:
        place.ask("alone", SHORT)
    assert "Retry-After" in caught.value.headers


def test_memory_is_kept_by_unloading_what_was_used_longest_ago(open_place: Open) -> None:
    # two tiny workers fit, three do not
    place = open_place(memory=int(2.4 * RUNTIME))
    place.result("embedding", PAIR)
    place.result("chat", SHORT)
    place.result("embedding", PAIR)
    place.result("encoder", Request("features", {"texts": ["a"], "single": True}))
    assert [place.state(kind) for kind in ("chat", "embedding", "encoder")] == ["cold", "ready", "ready"]


def test_models_that_do_not_fit_together_take_turns_and_nobody_is_refused(open_place: Open) -> None:
    place = open_place(memory=int(1.1 * RUNTIME), turn=0.3)
    busy = place.ask("alone", LONG, caller="first")
    first_token(busy)
    behind = place.ask("alone", SHORT, caller="second")
    with pytest.raises(Busy) as caught:
        place.ask("embedding", PAIR, wait=False)
    assert caught.value.extra["estimated_time"] > 0
    patient = place.ask("embedding", PAIR, caller="third")
    until(lambda: place.state("alone") != "ready", 30)
    assert not busy.done, "what computes is not cut off"
    busy.cancel()
    assert patient.result(PATIENCE)
    assert behind.result(PATIENCE)["text"], "who waited for the model that gave way gets it back"
    assert place.state("embedding") == "cold"


def test_who_is_told_to_come_back_finds_the_model_there(open_place: Open) -> None:
    place = open_place(memory=int(1.1 * RUNTIME))
    with pytest.raises(Busy):
        place.ask("alone", SHORT, wait=False)
    with pytest.raises(Busy):
        place.ask("embedding", PAIR, wait=False)
    until(lambda: place.state("alone") == "ready")
    time.sleep(0.5)
    assert place.ask("alone", SHORT, wait=False).result(PATIENCE)["text"]
    until(lambda: place.state("embedding") == "ready")


def test_a_caller_sees_the_place_in_the_queue(open_place: Open) -> None:
    place = open_place()
    model = place.model("alone")
    running = place.ask("alone", LONG)
    first_token(running)
    second, third = place.ask("alone", SHORT), place.ask("alone", SHORT)
    places = [place.service.place(model, call) for call in (running, second, third)]
    assert [(p.number, p.of) for p in places if p] == [(0, 3), (2, 3), (3, 3)]
    running.cancel()
    third.result(PATIENCE)
    assert place.service.place(model, third) is None


def test_one_caller_cannot_fill_the_queue(open_place: Open) -> None:
    place = open_place(queue_each=2)
    first_token(place.ask("alone", LONG, caller="greedy"))
    for _ in range(2):
        place.ask("alone", SHORT, caller="greedy")
    with pytest.raises(Busy, match="Too many requests wait"):
        place.ask("alone", SHORT, caller="greedy")
    place.ask("alone", SHORT, caller="modest")


def test_a_model_that_never_fits_is_refused_with_the_way_out(open_place: Open) -> None:
    place = open_place(memory=RUNTIME // 2)
    with pytest.raises(NotSupported, match="CORRAL_INFERENCE_MEMORY"):
        place.ask("embedding", PAIR)


def test_a_worker_that_grows_past_the_memory_is_stopped(open_place: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    place = open_place()
    call = place.ask("chat", LONG)
    first_token(call)
    # the budget shrinks instead of the worker growing: the same comparison
    monkeypatch.setattr(place.service, "budget", 100 * 2**20)
    with pytest.raises(HubError, match="more memory") as caught:
        call.result(PATIENCE)
    assert caught.value.code == "OutOfMemory"


def test_a_chat_template_that_never_ends_is_ended(open_place: Open, hub: Hub, tmp_path: Path) -> None:
    folder = models.make("chat", tmp_path / "model")
    spins = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}"
    (folder / "chat_template.jinja").write_text(spins + "{% endfor %}{% endfor %}")
    place = open_place(stuck=1.5)
    place.repos = {"spinning": _upload(hub.person(), "spinning", folder)}
    with pytest.raises(HubError, match="no sign of life"):
        place.result("spinning", Request("chat", {"messages": [{"role": "user", "content": "hi"}]}))
    assert place.result("spinning", SHORT)["text"], "the model is there again for whoever does not chat"


def test_what_nobody_uses_is_unloaded(open_place: Open) -> None:
    place = open_place(idle=0.5)
    place.result("embedding", PAIR)
    pid = place.pid("embedding")
    until(lambda: place.state("embedding") == "cold", 10)
    until(lambda: not Path(f"/proc/{pid}").exists(), 10)


def test_a_model_that_cannot_be_loaded_says_why_and_is_not_tried_at_once_again(open_place: Open) -> None:
    place = open_place()
    with pytest.raises(HubError, match="could not be loaded") as caught:
        place.result("damaged", Request("classify", {}, (b"",)))
    assert caught.value.status == 500
    assert str(place.hub.folder) not in caught.value.message, "the hub's paths are nobody's business"
    assert "/cache/models/" not in caught.value.message
    until(lambda: place.state("damaged") == "failed", 5)
    with pytest.raises(HubError, match="could not be loaded"):
        place.ask("damaged", Request("classify", {}, (b"",)))
    assert place.state("damaged") == "failed"


def test_closing_ends_every_worker_and_call(open_place: Open) -> None:
    place = open_place()
    call = place.ask("chat", LONG)
    first_token(call)
    pid = place.pid("chat")
    place.service.close()
    with pytest.raises(HubError):
        call.result(5)
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(Busy, match="shutting down"):
        place.ask("chat", SHORT)
