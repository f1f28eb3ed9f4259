"""A model that brings program code: refused, then let run by its owner, and what the code can do then."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from building import models
from building.hub import Hub, Person
from corral.cluster import sandbox

pytestmark = pytest.mark.slow

#: what the code could do goes into the logits (9, else 1), since nothing else leaves the sandbox
MODEL = """
import os, socket
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

def can(action):
    try:
        action()
        return 9.0
    except OSError:
        return 1.0

class OddConfig(PretrainedConfig):
    model_type = "odd"

class OddModel(PreTrainedModel):
    config_class = OddConfig
    def __init__(self, config):
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.post_init()
    def forward(self, input_ids=None, **_):
        tried = [
            can(lambda: open(os.path.join(self.config.hub_folder, "corral.db"), "rb").read(1)),
            can(lambda: socket.create_connection(("127.0.0.1", self.config.hub_port), 3)),
            can(lambda: open(__file__, "a")) if "/modules/" not in __file__ else 1.0,
            can(lambda: open("/tmp/own", "w")),
        ]
        return SequenceClassifierOutput(logits=torch.tensor([tried] * len(input_ids)))
"""


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def odd(hub: Hub, owner: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = models.make("encoder", tmp_path_factory.mktemp("odd") / "model")
    labels = ["reads the database", "reaches the hub", "changes itself", "writes its own files"]
    config = {
        "architectures": ["OddModel"],
        "model_type": "odd",
        "auto_map": {"AutoConfig": "odd.OddConfig", "AutoModelForSequenceClassification": "odd.OddModel"},
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "hub_folder": str(hub.settings.data),
        "hub_port": int(hub.url.rpartition(":")[2]),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "odd.py").write_text(MODEL)
    (folder / "README.md").write_text("---\npipeline_tag: text-classification\nlibrary_name: transformers\n---\n")
    models.one_weight(folder / "model.safetensors")
    repo: str = owner.api.create_repo(f"{owner.name}/odd").repo_id
    owner.api.upload_folder(repo_id=repo, folder_path=folder)
    return repo


def ask(owner: Person, repo: str) -> httpx.Response:
    return httpx.post(
        f"{owner.url}/inference/{repo}",
        json={"inputs": "anything", "parameters": {"function_to_apply": "none", "top_k": 4}},
        headers={"x-wait-for-model": "true"},
        timeout=240,
    )


def test_code_runs_only_when_the_owner_lets_it_and_sees_nothing(owner: Person, odd: str) -> None:
    refused = ask(owner, odd)
    assert refused.status_code == 501
    assert "its owner can let it run" in refused.json()["error"]
    stranger = httpx.put(f"{owner.url}/api/models/{odd}/settings", json={"runsCode": True})
    assert stranger.status_code == 401
    settings = {"runsCode": True}
    told = httpx.put(f"{owner.url}/api/models/{odd}/settings", json=settings, headers=owner.headers).json()
    assert told["runsCode"] is True
    answer = ask(owner, odd)
    if weakness := sandbox.problem():
        assert answer.status_code == 501
        assert weakness in answer.json()["error"]
        return
    assert answer.status_code == 200, answer.text
    found = answer.json()
    could = {one["label"] for one in (found[0] if isinstance(found[0], list) else found) if one["score"] > 5}
    assert could == {"writes its own files"}
    httpx.put(f"{owner.url}/api/models/{odd}/settings", json={"runsCode": False}, headers=owner.headers)
    assert ask(owner, odd).status_code == 501


def test_a_gated_model_runs_for_those_who_may_download_it(owner: Person, hub: Hub, tmp_path: Path) -> None:
    repo = owner.api.create_repo(f"{owner.name}/gated").repo_id
    owner.api.upload_folder(repo_id=repo, folder_path=models.make("embedding", tmp_path / "model"))
    owner.api.update_repo_settings(repo, gated="manual")
    url, body = f"{owner.url}/inference/{repo}", {"inputs": {"source_sentence": "a", "sentences": ["a"]}}
    wait = {"x-wait-for-model": "true"}
    other = httpx.post(url, json=body, headers=hub.person().headers | wait, timeout=240)
    assert (other.status_code, other.headers["x-error-code"]) == (403, "GatedRepo")
    assert httpx.get(url).status_code == 200, "everybody may see what it is"
    assert httpx.post(url, json=body, headers=owner.headers | wait, timeout=240).status_code == 200
