"""The engines for texts on tiny models: they answer as transformers' own pipelines do, alone and in batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from building import models_text
from building.asking import ask, job, refused, same

if TYPE_CHECKING:
    from corral.inference.engines.base import Engine

pytestmark = pytest.mark.slow

LETTERS = "I like the way she sings. The film was long, and nobody laughed. Good food, bad service."
ENGINES = {
    "kinds": "sequence-classification",
    "inference": "sequence-classification",
    "order": "sequence-classification",
    "masked": "fill-mask",
    "names": "token-classification",
    "answers": "question-answering",
    "t5": "text-to-text",
    "marian": "text-to-text",
    "m2m": "text-to-text",
    "tapas": "table-question-answering",
}
Load = Callable[[str], "Engine"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return models_text.make_all(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def load(folders: dict[str, Path]) -> Load:
    from corral.inference import engines

    return cache(lambda kind: engines.load(ENGINES[kind], folders[kind], {}))


def pipeline(kind: str, folder: Path) -> Any:
    from transformers import pipeline as make

    return make(kind, model=str(folder))


def test_kinds_of_texts_are_those_of_the_pipeline(load: Load, folders: dict[str, Path]) -> None:
    engine, theirs = load("kinds"), pipeline("text-classification", folders["kinds"])
    texts = [LETTERS[:n] for n in (80, 3, 40)]
    same(ask(engine, "text-classification", inputs=texts), [theirs(text, top_k=None) for text in texts])
    same(ask(engine, "text-classification", inputs=LETTERS), [theirs(LETTERS, top_k=None)])
    pair = {"text": "a", "text_pair": "b"}
    for function in ("sigmoid", "none"):
        same(
            ask(engine, "text-classification", inputs=pair, parameters={"function_to_apply": function, "top_k": 2}),
            [theirs(pair, top_k=2, function_to_apply=function)],
        )
    # cut to what the model reads
    assert len(ask(engine, "text-classification", inputs=LETTERS * 100)[0]) == 3


@pytest.mark.parametrize("several", [False, True])
def test_labels_of_ones_own_are_chosen_as_the_pipeline_does(
    load: Load, folders: dict[str, Path], several: bool
) -> None:
    engine, theirs = load("inference"), pipeline("zero-shot-classification", folders["inference"])
    labels = ["music", "film", "food and drink"]
    parameters = {"candidate_labels": labels, "multi_label": several, "hypothesis_template": "It is about {}!"}
    wanted = theirs(LETTERS, labels, multi_label=several, hypothesis_template="It is about {}!")
    found = ask(engine, "zero-shot-classification", inputs=LETTERS, parameters=parameters)
    same(found, [{"label": a, "score": b} for a, b in zip(wanted["labels"], wanted["scores"], strict=True)])
    assert ask(engine, "zero-shot-classification", inputs=[LETTERS], parameters=parameters) == [found]


def test_models_without_entailment_or_room_refuse(load: Load) -> None:
    labels = {"candidate_labels": ["a", "b"]}
    refused(load("kinds"), "zero-shot-classification", "'entailment'", inputs="a", parameters=labels)
    long = {"candidate_labels": ["a", "b" * 300]}
    refused(load("inference"), "zero-shot-classification", "shorten it", inputs="a", parameters=long)
    refused(load("kinds"), "text-ranking", "more than two", query="a", texts=["b"])


def test_texts_are_put_in_order_as_text_embeddings_inference_does(load: Load, folders: dict[str, Path]) -> None:
    engine, theirs = load("order"), pipeline("text-classification", folders["order"])
    texts = ["about music", "b", "a film that is long"]
    found = ask(engine, "text-ranking", query="what to hear", texts=texts, return_text=True)
    assert [one["text"] for one in found] == [texts[one["index"]] for one in found]
    for one in found:
        # a single label's score is its sigmoid
        wanted = theirs({"text": "what to hear", "text_pair": one["text"]})
        assert one["score"] == pytest.approx(wanted["score"], abs=1e-5)
    raw = ask(engine, "text-ranking", query="what to hear", texts=texts, raw_scores=True)
    assert [one["index"] for one in raw] == [one["index"] for one in found]
    assert [1 / (1 + math.exp(-one["score"])) for one in raw] == pytest.approx([one["score"] for one in found])
    assert [one["score"] for one in raw] == sorted((one["score"] for one in raw), reverse=True)
    refused(engine, "text-ranking", "allow truncation", query="a", texts=["b" * 200], truncate=False)


def test_missing_words_are_those_of_the_pipeline(load: Load, folders: dict[str, Path]) -> None:
    engine, theirs = load("masked"), pipeline("fill-mask", folders["masked"])
    same(ask(engine, "fill-mask", inputs="Par[MASK]s"), theirs("Par[MASK]s"))
    # the other way to write a mask, several of them, chosen words
    parameters = {"top_k": 2, "targets": ["a", "b", "c"]}
    same(ask(engine, "fill-mask", inputs="<mask>x<mask>", parameters=parameters), theirs("[MASK]x[MASK]", **parameters))
    refused(engine, "fill-mask", r"needs \[MASK\]", inputs="Paris")
    refused(engine, "fill-mask", "shorten it", inputs="x" * 200 + "[MASK]")


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
def test_names_are_those_of_the_pipeline(load: Load, folders: dict[str, Path], strategy: str) -> None:
    engine, theirs = load("names"), pipeline("token-classification", folders["names"])
    text = "My dog is Aaa, Bo is his friend"
    found = ask(engine, "token-classification", inputs=[text, "xyz"], parameters={"aggregation_strategy": strategy})
    wanted = [
        {k: float(v) if k == "score" else v for k, v in one.items()}
        for one in theirs(text, aggregation_strategy=strategy)
    ]
    same(found, [wanted, []])
    places = [(one["start"], one["end"], one.get("entity_group")) for one in found[0]]
    if strategy == "simple":
        assert places == [(10, 13, "PER"), (15, 16, "LOC")]
    ignoring = {"aggregation_strategy": strategy, "ignore_labels": ["PER", "B-PER", "I-PER", "O"]}
    only = ask(engine, "token-classification", inputs=text, parameters=ignoring)
    assert {one.get("entity", one.get("entity_group")) for one in only} <= {"LOC", "B-LOC"}


def test_a_text_longer_than_the_model_is_read_to_its_end(load: Load) -> None:
    text = "I know Aaa too. " * 60
    found = ask(load("names"), "token-classification", inputs=text)
    assert [text[one["start"] : one["end"]] for one in found] == ["Aaa"] * 60
    refused(load("names"), "token-classification", "'stride'", inputs=text, parameters={"stride": 100})


def test_answers_are_found_wherever_they_stand(load: Load) -> None:
    engine = load("answers")
    for before in ("", "bla " * 30, "bla bla " * 400):
        context = f"{before}I live in [Berlin] now, {'and on ' * 50}"
        found = ask(engine, "question-answering", inputs={"question": "Where?", "context": context})
        assert found["answer"] == context[found["start"] : found["end"]] == "[Berlin]"
        assert found["score"] > 0.99
    # the character is no byte
    context = "Ich wohne in Köln, äh, [Düsseldorf]"
    assert ask(engine, "question-answering", inputs={"question": "Wo?", "context": context})["answer"] == "[Düsseldorf]"


def test_no_answer_is_one_where_it_is_asked_for(load: Load) -> None:
    ask_for = {"handle_impossible_answer": True}
    nothing = {"question": "Where?", "context": "Nothing of that kind is here."}
    found = ask(load("answers"), "question-answering", inputs=nothing, parameters=ask_for)
    assert (found["answer"], found["start"], found["end"]) == ("", 0, 0)
    something = {"question": "Where?", "context": "I live in [Berlin] now"}
    assert ask(load("answers"), "question-answering", inputs=something, parameters=ask_for)["answer"] == "[Berlin]"


def test_several_answers_are_short_enough_and_differ(load: Load) -> None:
    parameters = {"top_k": 5, "max_answer_len": 3, "align_to_words": False}
    inputs = {"question": "Where?", "context": "I live in [Berlin]"}
    found = ask(load("answers"), "question-answering", inputs=inputs, parameters=parameters)
    assert len({(one["start"], one["end"]) for one in found}) == 5
    assert all(len(one["answer"]) <= 3 for one in found)
    refused(load("answers"), "question-answering", "shorten it", inputs=inputs | {"question": "why " * 100})
    cut = {"max_question_len": 5}
    ask(load("answers"), "question-answering", inputs=inputs | {"question": "why " * 100}, parameters=cut)


def test_texts_are_made_of_texts_as_generate_does(load: Load, folders: dict[str, Path]) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    engine, folder = load("t5"), folders["t5"]
    theirs, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

    def wanted(text: str, **settings: Any) -> str:
        ids = theirs.generate(**tokenizer(text, return_tensors="pt"), **settings)
        return str(tokenizer.decode(ids[0], skip_special_tokens=True)).strip()

    for settings in ({"max_new_tokens": 7}, {"num_beams": 3, "max_length": 9, "no_repeat_ngram_size": 2}):
        texts = ["abc", "a longer text than that"]
        found = ask(engine, "text2text-generation", inputs=texts, parameters={"generate_parameters": settings})
        assert [one["generated_text"] for one in found] == [wanted(text, **settings) for text in texts]
    # what config.json says of tasks: a prefix, and a length unless the caller gives one
    [summary] = ask(engine, "summarization", inputs=LETTERS)
    assert summary["summary_text"] == wanted("sum: " + LETTERS[:200], max_length=12)
    [german] = ask(
        engine, "translation", inputs="abc", parameters={"src_lang": "en", "tgt_lang": "de", "max_length": 9}
    )
    assert german["translation_text"] == wanted("to German: abc", max_length=9)
    refused(engine, "translation", "it knows: translation_en_to_de", inputs="a", src_lang="en", tgt_lang="xx")
    refused(engine, "summarization", "shorten it", inputs="x" * 300, parameters={"truncation": "do_not_truncate"})


def test_sampling_repeats_with_its_seed_and_words_are_shown_as_they_come(load: Load) -> None:
    engine = load("t5")
    heard: list[dict[str, Any]] = []
    asked = job("text2text-generation", inputs="abc", parameters={"max_new_tokens": 30, "temperature": 3.0, "seed": 5})
    from corral.inference.engines.base import Job

    one, two = (engine.run(Job(asked.op, asked.params, emit=heard.append)) for _ in range(2))
    assert one == two
    assert "".join(token["text"] for token in heard).startswith(one[0][:5])


def test_whoever_goes_away_stops_the_writing(load: Load) -> None:
    from corral.inference.engines.base import Refused

    asked = job("text2text-generation", inputs="abc", parameters={"max_new_tokens": 4000})
    asked.cancelled.set()
    with pytest.raises(Refused, match="went away"):
        load("t5").run(asked)


def test_languages_are_chosen_by_their_codes(load: Load, folders: dict[str, Path]) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    theirs = AutoModelForSeq2SeqLM.from_pretrained(folders["m2m"])
    tokenizer = AutoTokenizer.from_pretrained(folders["m2m"], src_lang="eng_Latn")

    def wanted(text: str, code: str) -> str:
        first = tokenizer.convert_tokens_to_ids(code)
        ids = theirs.generate(**tokenizer(text, return_tensors="pt"), forced_bos_token_id=first, max_new_tokens=40)
        return str(tokenizer.decode(ids[0], skip_special_tokens=True)).strip()

    [french] = ask(load("marian"), "translation", inputs="the house is small", tgt_lang="fra", max_new_tokens=5)
    [same_text] = ask(load("marian"), "translation", inputs=">>fra<< the house is small", max_new_tokens=5)
    assert french == same_text
    refused(load("marian"), "translation", "it knows: fra", inputs="a", tgt_lang="deu")
    many = load("m2m")
    codes = {"src_lang": "eng_Latn", "tgt_lang": "fra_Latn"}
    [found] = ask(many, "translation", inputs="the house", max_new_tokens=40, **codes)
    assert found["translation_text"] == wanted("the house", "fra_Latn") != wanted("the house", "deu_Latn")
    refused(many, "translation", "'src_lang' and 'tgt_lang'", inputs="a")
    refused(many, "translation", "no language 'xx'.*eng_Latn, fra_Latn", inputs="a", src_lang="eng_Latn", tgt_lang="xx")


def test_tables_answer_as_the_pipeline_does(load: Load, folders: dict[str, Path]) -> None:
    engine, theirs = load("tapas"), pipeline("table-question-answering", folders["tapas"])
    table: dict[str, list[Any]] = {"city": ["paris", "rome"], "rivers": [1, 2]}
    found = ask(engine, "table-question-answering", inputs={"query": "how many rivers", "table": table})
    wanted = theirs(table={"city": ["paris", "rome"], "rivers": ["1", "2"]}, query="how many rivers")
    assert found["cells"] == wanted["cells"]
    assert found["coordinates"] == [list(place) for place in wanted["coordinates"]]
    assert [[*table.values()][column][row] for row, column in found["coordinates"]]
    long = {name: column * 200 for name, column in table.items()}
    assert ask(engine, "table-question-answering", inputs={"query": "how many", "table": long})["cells"]
    refused(engine, "table-question-answering", "shorten it", inputs={"query": "how " * 100, "table": table})


@pytest.mark.parametrize(
    ("kind", "task", "body", "shape"),
    [
        ("kinds", "text-classification", {"inputs": "a"}, "TextClassificationOutputElement"),
        ("masked", "fill-mask", {"inputs": "[MASK]"}, "FillMaskOutputElement"),
        ("names", "token-classification", {"inputs": "Aa"}, "TokenClassificationOutputElement"),
        ("answers", "question-answering", {"inputs": {"question": "q", "context": "[a]"}},
         "QuestionAnsweringOutputElement"),
        ("tapas", "table-question-answering", {"inputs": {"query": "a", "table": {"b": ["c"]}}},
         "TableQuestionAnsweringOutputElement"),
        ("t5", "translation", {"inputs": "a"}, "TranslationOutput"),
        ("t5", "summarization", {"inputs": "a"}, "SummarizationOutput"),
    ],
)  # fmt: skip
def test_the_stock_client_reads_the_answer(load: Load, kind: str, task: str, body: dict[str, Any], shape: str) -> None:
    import huggingface_hub

    read = getattr(huggingface_hub, shape).parse_obj(ask(load(kind), task, **body))
    while isinstance(read, list):
        read = read[0]
    assert type(read).__name__ == shape
    given = {name: value for name, value in vars(read).items() if value is not None}
    assert given.keys() & {"score", "translation_text", "summary_text", "cells"}
