"""spaCy pipelines: the real English one, one that tells kinds of texts, and configurations made to do harm."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from building import models_text
from building.asking import ask, job, refused

pytestmark = pytest.mark.slow

NEWS = "Apple is looking at buying a U.K. startup for $1 billion, said Tim Cook in San José."


@pytest.fixture(scope="module")
def english() -> Any:
    from corral.inference import engines

    return engines.load("spacy", models_text.english(), {})


def test_entities_of_the_real_english_pipeline(english: Any) -> None:
    found = ask(english, "token-classification", inputs=NEWS)
    assert [(one["entity_group"], one["word"]) for one in found] == [
        ("ORG", "Apple"),
        ("GPE", "U.K."),
        ("MONEY", "$1 billion"),
        ("PERSON", "Tim Cook"),
        ("GPE", "San José"),
    ]
    assert all(NEWS[one["start"] : one["end"]] == one["word"] for one in found)
    tokens = ask(english, "token-classification", inputs=NEWS, parameters={"aggregation_strategy": "none"})
    assert [one["entity"] for one in tokens if one["word"] in ("Tim", "Cook")] == ["B-PERSON", "I-PERSON"]
    some = ask(english, "token-classification", inputs=[NEWS, "a"], parameters={"ignore_labels": ["GPE", "MONEY"]})
    assert [[one["word"] for one in each] for each in some] == [["Apple", "Tim Cook"], []]
    refused(english, "text-classification", "no kinds of texts", inputs="a")
    refused(english, "token-classification", "leave 'stride' out", inputs="a", parameters={"stride": 5})


def test_only_what_is_asked_for_is_built(english: Any) -> None:
    assert english._nlp.pipe_names == ["ner"]


def test_jobs_together_get_what_each_gets_alone(english: Any) -> None:
    from corral.inference.engines.base import Refused

    jobs = [
        job("token-classification", inputs=NEWS),
        job("text-classification", inputs="a"),
        job("token-classification", inputs=["a", "London"], parameters={"aggregation_strategy": "none"}),
    ]
    first, wrong, last = english.run_many(jobs)
    assert isinstance(wrong, Refused)
    assert (first, last) == (english.run(jobs[0]), english.run(jobs[2]))


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline trained in a second to tell good from bad."""
    import spacy
    from spacy.training import Example

    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    said = [("good soup", 1.0), ("bad soup", 0.0), ("a good day", 1.0), ("a bad day", 0.0)]
    examples = [Example.from_dict(nlp.make_doc(text), {"cats": {"GOOD": good, "BAD": 1 - good}}) for text, good in said]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "FOOD", "pattern": "soup"}])
    folder = tmp_path_factory.mktemp("spacy") / "moods"
    nlp.to_disk(folder)
    return folder


def test_kinds_of_texts_and_rules(moods: Path) -> None:
    from corral.inference import engines

    engine = engines.load("spacy", moods, {})
    good, bad = ask(engine, "text-classification", inputs=["good soup", "a bad day"])
    assert (good[0]["label"], bad[0]["label"]) == ("GOOD", "BAD")
    assert sum(one["score"] for one in good) == pytest.approx(1, abs=1e-4)
    assert len(ask(engine, "text-classification", inputs="good", parameters={"top_k": 1})[0]) == 1
    [soup] = ask(engine, "token-classification", inputs="a good soup")
    assert (soup["entity_group"], soup["start"], soup["end"]) == ("FOOD", 7, 11)
    refused(engine, "text-classification", "leave the rest", inputs={"text": "a", "text_pair": "b"})


def changed(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = folder / "config.cfg"
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, new, 1))

    return change


CNN = '@architectures = "spacy.TextCatEnsemble.v2"'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed(CNN, '@architectures = "mine.Model.v1"'), "mine.Model.v1"),
        (changed(CNN, '@layers = "PyTorchWrapper.v1"'), "layers"),
        (changed(CNN, '@readers = "srsly.read_json.v1"\npath = "/etc/passwd"'), "read_json"),
        (changed(CNN, '@misc = "spacy.KBFromFile.v1"\nkb_path = "/etc/passwd"'), "KBFromFile"),
        (
            changed(CNN, '@architectures = "spacy.TorchBiLSTMEncoder.v1"\nwidth = 8\ndepth = 1\ndropout = 0'),
            "TorchBiLSTM",
        ),
        (changed("[paths]", f"[paths]\nhidden = {CNN.partition('= ')[2].replace('spacy', 'mine')}"), ""),
        (changed('factory = "textcat"', 'factory = "transformer"'), ""),
        (changed('"textcat", "entity_ruler"', '"x"'), "finds no entities"),
        (changed('"textcat", "entity_ruler"', '"/etc"'), "finds no entities"),
        (changed('lang = "en"', 'lang = "en.examples"'), "language"),
        (changed('lang = "en"', 'lang = "zz"'), "language"),
        (changed("spacy.Tokenizer.v1", "spacy.zh.ChineseTokenizer"), "tokenizer"),
        (changed("spacy.Vectors.v1", "mine.Vectors.v1"), "vectors"),
    ],
)
def test_a_configuration_builds_nothing_but_spacys_own(
    moods: Path, tmp_path: Path, change: Callable[[Path], None], says: str
) -> None:
    from corral.inference import engines
    from corral.inference.engines.base import Refused

    folder = tmp_path / "model"
    shutil.copytree(moods, folder)
    change(folder)
    if not says:
        # what is not needed is left out and does no harm
        engine = engines.load("spacy", folder, {})
        assert set(engine._nlp.pipe_names) <= {"textcat", "entity_ruler"}  # type: ignore[attr-defined]
        return
    with pytest.raises(Refused, match=says) as caught:
        engines.load("spacy", folder, {})
    assert caught.value.status == 501


def test_functions_that_are_called_around_the_building_are_not(moods: Path, tmp_path: Path) -> None:
    """Callbacks, and what lies in the repository beside the data, are never run."""
    from corral.inference import engines

    folder = tmp_path / "model"
    shutil.copytree(moods, folder)
    for when in ("before_creation", "after_creation", "after_pipeline_creation"):
        changed(f"{when} = null", f'{when} = {{"@callbacks":"mine.run.v1"}}')(folder)
    changed("[initialize]", '[initialize]\nx = {"@readers":"mine.run.v1"}')(folder)
    (folder / "functions.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (folder / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert ask(engines.load("spacy", folder, {}), "text-classification", inputs="good")
    assert not (tmp_path / "ran").exists()
