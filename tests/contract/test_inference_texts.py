"""Tasks about texts and tables over HTTP with the stock client, and as clients of text-embeddings-inference ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient

from building import models_text
from building.hub import Hub, Person

pytestmark = pytest.mark.slow

PATIENCE = 120
WAITS = {"x-wait-for-model": "true"}
FLOWERS: dict[str, list[Any]] = {"length": [1.4, 4.7, 6.0], "width": ["0.2", "1.4", "2.5"]}


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def repos(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folders = models_text.make_all(tmp_path_factory.mktemp("texts"), "inference", "order")
    folders["english"] = models_text.english()
    folders["flowers"] = flowers(tmp_path_factory.mktemp("flowers"))
    made = {}
    for kind, folder in folders.items():
        made[kind] = owner.api.create_repo(f"{owner.name}/{kind}").repo_id
        owner.api.upload_folder(repo_id=made[kind], folder_path=folder)
    return made


def flowers(folder: Path) -> Path:
    import skops.io
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier

    data, target = load_iris(return_X_y=True, as_frame=True)
    data = data.iloc[:, 2:].set_axis(list(FLOWERS), axis=1)
    names = target.map(["setosa", "versicolor", "virginica"].__getitem__)
    skops.io.dump(DecisionTreeClassifier(max_depth=3).fit(data, names), folder / "model.skops")
    (folder / "README.md").write_text("---\nlibrary_name: sklearn\npipeline_tag: tabular-classification\n---\n")
    return folder


def client(hub: Hub, repo: str) -> InferenceClient:
    return InferenceClient(model=f"{hub.url}/inference/{repo}", headers=WAITS, timeout=PATIENCE)


def test_rows_of_a_table(hub: Hub, repos: dict[str, str]) -> None:
    assert client(hub, repos["flowers"]).tabular_classification(FLOWERS) == ["setosa", "versicolor", "virginica"]
    url = f"{hub.url}/inference/{repos['flowers']}"
    told = httpx.get(url).json()
    assert (told["task"], told["library"], told["output"]) == ("tabular-classification", "sklearn", "table")
    refused = httpx.post(url, json={"inputs": {"data": {"length": [1]}}}, timeout=PATIENCE)
    assert refused.status_code == 422
    assert "'width'" in refused.json()["error"]


def test_labels_of_ones_own_and_the_models_own(hub: Hub, repos: dict[str, str]) -> None:
    asked = client(hub, repos["inference"])
    found = asked.zero_shot_classification("My phone is broken", ["phone", "tablet", "urgent"])
    assert {one.label for one in found} == {"phone", "tablet", "urgent"}
    assert sum(one.score for one in found) == pytest.approx(1, abs=1e-4)
    # the same model may be asked for its own labels, where the task is in the path
    body = {"inputs": {"text": "a cat sleeps", "text_pair": "an animal rests"}}
    url = f"{hub.url}/inference/{repos['inference']}"
    [own] = httpx.post(f"{url}/pipeline/text-classification", json=body, headers=WAITS, timeout=PATIENCE).json()
    assert {one["label"] for one in own} == {"contradiction", "neutral", "entailment"}
    assert httpx.post(f"{url}/rerank", json={"query": "a", "texts": ["b"]}).status_code == 422


def test_texts_in_order(hub: Hub, repos: dict[str, str]) -> None:
    url = f"{hub.url}/inference/{repos['order']}"
    body = {"query": "what to hear", "texts": ["a film", "about music"], "return_text": True}
    ranked = httpx.post(f"{url}/rerank", json=body, headers=WAITS, timeout=PATIENCE).json()
    assert [set(one) for one in ranked] == [{"index", "score", "text"}] * 2
    assert ranked[0]["score"] >= ranked[1]["score"]
    assert httpx.post(url, json=body, timeout=PATIENCE).json() == ranked
    seen = httpx.post(url, json=body, headers={"x-corral-events": "true"}, timeout=PATIENCE).text
    assert '"label":"about music"' in seen, "people are shown the texts, not their numbers"
    assert httpx.post(f"{url}/rerank", json={"query": "a"}).status_code == 400


def test_entities_of_a_real_pipeline(hub: Hub, repos: dict[str, str]) -> None:
    url = f"{hub.url}/inference/{repos['english']}"
    told = httpx.get(url).json()
    assert (told["task"], told["library"], told["output"]) == ("token-classification", "spacy", "spans")
    assert told["reason"] == "its meta.json names the component ner"
    text = "Tim Cook of Apple visited London."
    found = client(hub, repos["english"]).token_classification(text)
    assert [(one.entity_group, text[one.start : one.end]) for one in found] == [
        ("PERSON", "Tim Cook"),
        ("ORG", "Apple"),
        ("GPE", "London"),
    ]
    for body in (
        {"inputs": ""},
        {"inputs": 5},
        {"inputs": "a", "parameters": {"stride": 3}},
        {"inputs": "x" * 300_000},
    ):
        refused = httpx.post(url, json=body, timeout=PATIENCE)
        assert refused.status_code in (400, 422)
        assert refused.json()["error"].endswith(".")
    assert client(hub, repos["english"]).token_classification(text) == found, "the worker lives"
