"""What repositories of texts and tables are for, told by their own files."""

from __future__ import annotations

from typing import Any

import pytest

from corral.inference.detect import Detection, detect

WEIGHTS = "model.safetensors"


def look(card: dict[str, Any] | None = None, files: tuple[str, ...] = (WEIGHTS,), **configs: Any) -> Detection:
    named = {f"{name}.json": value for name, value in configs.items()}
    return detect(card or {}, named, (*files, *named))


def verdict(*labels: str, kind: str = "BertForSequenceClassification") -> dict[str, Any]:
    return {"architectures": [kind], "model_type": "bert", "id2label": {str(i): name for i, name in enumerate(labels)}}


SKOPS = {"sklearn": {"task": "tabular-regression", "model": {"file": "b.skops"}, "columns": ["x"]}}


@pytest.mark.parametrize(
    ("configs", "task", "engine", "says"),
    [
        ({"config": verdict("NEGATIVE", "POSITIVE")}, "text-classification", "sequence-classification", "BertFor"),
        ({"config": {"architectures": ["BertForSequenceClassification"]}}, "text-classification",
         "sequence-classification", "BertFor"),
        ({"config": verdict("LABEL_0")}, "text-ranking", "sequence-classification", "single label"),
        ({"config": verdict("CONTRADICTION", "NEUTRAL", "ENTAILMENT")}, "zero-shot-classification",
         "sequence-classification", "label ENTAILMENT"),
        ({"config": verdict("not_entailment", "entailment", kind="DebertaV2ForSequenceClassification")},
         "zero-shot-classification", "sequence-classification", "label entailment"),
        ({"config": {"architectures": ["XLMRobertaForMaskedLM"]}}, "fill-mask", "fill-mask", "XLMRobertaForMaskedLM"),
        ({"config": {"architectures": ["BertForTokenClassification"]}}, "token-classification",
         "token-classification", "BertForTokenClassification"),
        ({"config": {"architectures": ["RobertaForQuestionAnswering"]}}, "question-answering", "question-answering",
         "RobertaForQuestionAnswering"),
        ({"config": {"architectures": ["TapasForQuestionAnswering"], "model_type": "tapas"}},
         "table-question-answering", "table-question-answering", "TapasForQuestionAnswering"),
        ({"config": {"architectures": ["MarianMTModel"], "model_type": "marian"}}, "translation", "text-to-text",
         "type marian"),
        ({"config": {"architectures": ["M2M100ForConditionalGeneration"], "model_type": "m2m_100"}}, "translation",
         "text-to-text", "type m2m_100"),
        ({"config": {"architectures": ["PegasusForConditionalGeneration"], "model_type": "pegasus"}}, "summarization",
         "text-to-text", "type pegasus"),
        ({"config": {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}}, "text2text-generation",
         "text-to-text", "type t5"),
        ({"config": verdict("LABEL_0"), "config_sentence_transformers": {"model_type": "CrossEncoder"},
          "modules": []}, "text-ranking", "sequence-classification", "CrossEncoder"),
    ],
)  # fmt: skip
def test_what_a_model_of_texts_is_for(configs: dict[str, Any], task: str, engine: str, says: str) -> None:
    found = look(**configs)
    assert (found.task, found.engine, found.problem) == (task, engine, "")
    assert says in found.reason


def test_a_bart_that_chooses_among_labels_is_not_for_text_to_text() -> None:
    found = look(config=verdict("contradiction", "entailment") | {"model_type": "bart"})
    assert found.task == "zero-shot-classification"


def test_a_cross_encoder_is_known_by_its_card_too() -> None:
    card = {"library_name": "sentence-transformers", "pipeline_tag": "text-ranking"}
    found = look(card, config=verdict("LABEL_0"))
    assert (found.library, found.engine) == ("sentence-transformers", "sequence-classification")


@pytest.mark.parametrize(
    ("pipeline", "task"),
    [
        (["tok2vec", "tagger", "ner"], "token-classification"),
        (["entity_ruler"], "token-classification"),
        (["textcat_multilabel"], "text-classification"),
        (["textcat", "ner"], "token-classification"),
        (["tagger"], None),
        ("ner", None),
    ],
)
def test_what_a_spacy_pipeline_is_for(pipeline: Any, task: str | None) -> None:
    found = look(files=("config.cfg", "ner/model", "vocab/strings.json"), meta={"pipeline": pipeline})
    assert (found.library, found.task) == ("spacy", task)
    assert found.engine == (None if task is None else "spacy")


def test_a_model_of_scikit_learn_by_what_skops_wrote_beside_it() -> None:
    found = look(files=("a.skops", "b.skops"), config=SKOPS)
    assert (found.library, found.task, found.engine) == ("sklearn", "tabular-regression", "tabular")
    assert "task: tabular-regression" in found.reason
    assert dict(found.options) == {"skops": "b.skops"}
    alone = look(files=("model.skops",))
    assert (alone.task, alone.engine, dict(alone.options)) == (
        "tabular-classification",
        "tabular",
        {"skops": "model.skops"},
    )


@pytest.mark.parametrize("file", ["model.pkl", "model.joblib"])
def test_a_pickled_model_of_scikit_learn_is_refused_with_the_way_out(file: str) -> None:
    found = look({"library_name": "sklearn", "pipeline_tag": "tabular-classification"}, files=(file,))
    assert found.engine is None
    assert "can run code" in found.problem
    assert "skops" in found.problem


@pytest.mark.parametrize(
    ("tokens", "source", "target"),
    [
        (["ace_Arab", "eng_Latn", "fra_Latn"], "eng_Latn", "fra_Latn"),
        (["__af__", "__en__", "__fr__"], "en", "fr"),
        (["ar_AR", "cs_CZ", "en_XX"], "en_XX", "ar_AR"),
    ],
)
def test_a_model_of_many_languages_offers_them(tokens: list[str], source: str, target: str) -> None:
    config = {"architectures": ["M2M100ForConditionalGeneration"], "model_type": "m2m_100"}
    found = look(config=config, tokenizer_config={"additional_special_tokens": ["<mask>", *tokens]})
    choices = dict(found.choices)
    assert (choices["src_lang"][0], choices["tgt_lang"][0]) == (source, target)
    assert len(choices["src_lang"]) == 3


@pytest.mark.parametrize(
    "configs",
    [
        {"config": {"sklearn": []}},
        {"config": {"sklearn": {"task": ["a"], "model": "x"}}},
        {"config": verdict() | {"id2label": ["a"]}},
        {"config": verdict("a", "b") | {"id2label": {"0": None}}},
        {"meta": [], "config_sentence_transformers": 3},
        {"config": {"architectures": ["MarianMTModel"], "model_type": "marian"},
         "tokenizer_config": {"extra_special_tokens": {"a": 1}, "additional_special_tokens": 5}},
    ],
)  # fmt: skip
def test_files_of_any_form_are_survived(configs: dict[str, Any]) -> None:
    assert look(files=("config.cfg", "x.skops", WEIGHTS), **configs).reason
