"""The core of the zoo: put on a hub from its packages by the stock client, loaded back, and true to its cards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zoo
from huggingface_hub import InferenceClient
from zoo.base import Recipe
from zoo.put import put
from zoo.sources import Unavailable, fetch

from building.hub import Hub, Person
from corral.core.actor import OrgRole

pytestmark = pytest.mark.slow

#: downloads are kept between runs
CACHE = Path.home() / ".cache" / "corral-tests" / "starter"
CORE = [recipe for recipe in zoo.RECIPES if recipe.core]
NAMES = [recipe.name for recipe in CORE]


@pytest.fixture(scope="module")
def curator(hub: Hub) -> Person:
    person = hub.person()
    hub.organization("corral", **{person.name: OrgRole.ADMIN})
    return person


@pytest.fixture(scope="module")
def told(hub: Hub, curator: Person) -> list[tuple[str, str]]:
    """What was told while the hub was filled."""
    said: list[tuple[str, str]] = []
    for recipe in CORE:
        for source in recipe.sources:
            try:
                fetch(source, CACHE)
            except Unavailable as error:
                pytest.skip(str(error))

    def tell(recipe: Recipe, words: str) -> None:
        said.append((recipe.repo, words))

    # what was downloaded is kept for the next run: `put` itself cleans up
    cache = CACHE.with_name("starter-run")
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(CACHE, cache, copy_function=os.link)
    assert put(hub.url, curator.token, NAMES, tell, cache) == {}
    left = [source.unpacked for recipe in CORE for source in recipe.sources if (cache / source.unpacked).exists()]
    assert left == []
    return said


def test_the_core_is_quickly_had() -> None:
    assert sum(recipe.megabytes for recipe in CORE) <= 250


def test_all_of_it_stands_and_a_second_run_changes_nothing(
    hub: Hub, curator: Person, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert [repo for repo, words in told if words == "done"] == [recipe.repo for recipe in CORE]
    before = {r.repo: curator.api.repo_info(r.repo, repo_type=r.type).sha for r in CORE}
    again: list[str] = []
    assert put(hub.url, curator.token, NAMES, lambda _, words: again.append(words), tmp_path) == {}
    assert again == ["is there"] * len(CORE)
    assert before == {r.repo: curator.api.repo_info(r.repo, repo_type=r.type).sha for r in CORE}


def test_the_embedding_model_knows_cats_from_stocks(hub: Hub, told: list[tuple[str, str]]) -> None:
    client = InferenceClient(
        model=f"{hub.url}/inference/corral/all-MiniLM-L6-v2", headers={"x-wait-for-model": "true"}, timeout=120
    )
    kitten, stocks = client.sentence_similarity("a cat", ["a kitten", "the stock market"])
    # as sentence-transformers itself gives them
    assert kitten == pytest.approx(0.766, abs=0.002)
    assert stocks == pytest.approx(0.135, abs=0.002)


def test_the_chat_model_knows_paris(hub: Hub, told: list[tuple[str, str]]) -> None:
    client = InferenceClient(base_url=f"{hub.url}/v1", timeout=180)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    answer = client.chat_completion(question, model="corral/SmolLM2-135M-Instruct", max_tokens=20, temperature=0)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_the_classifier_sees_a_cat_and_an_espresso(hub: Hub, told: list[tuple[str, str]]) -> None:
    client = InferenceClient(
        model=f"{hub.url}/inference/corral/efficientnet-lite0", headers={"x-wait-for-model": "true"}, timeout=120
    )
    examples = zoo.HERE / "examples"
    assert "Egyptian Mau" in client.image_classification(examples / "cat.jpg")[0].label
    assert client.image_classification(examples / "coffee.jpg")[0].label == "espresso"


def test_the_stock_libraries_load_it(curator: Person, told: list[tuple[str, str]], home: Path) -> None:
    code = """
import datasets, transformers
emoji = datasets.load_dataset("corral/emoji", split="train")
assert len(emoji) == 1594 and emoji[0]["text"] == "grinning face" and emoji[0]["image"].size == (128, 128)
classify = transformers.pipeline("image-classification", "corral/efficientnet-lite0")
assert len(classify(emoji[0]["image"].convert("RGB"))) == 5
tokenizer = transformers.AutoTokenizer.from_pretrained("corral/SmolLM2-135M-Instruct")
assert tokenizer.tokenize("In 1234") == ["In", "Ġ", "1", "2", "3", "4"]
model = transformers.AutoModelForCausalLM.from_pretrained("corral/SmolLM2-135M-Instruct")
assert model.num_parameters() == 134_515_008
transformers.AutoModel.from_pretrained("corral/all-MiniLM-L6-v2")
"""
    environment = curator.environment(home) | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
