"""What several callers ask of a model for texts goes through it together, and each gets what it would get alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from building import models, models_text
from building.asking import job, same

if TYPE_CHECKING:
    from corral.inference.engines.base import Engine

pytestmark = pytest.mark.slow

LETTERS = "I like the way she sings. The film was long, and nobody laughed. Good food, bad service."
ENGINES = {
    "inference": "sequence-classification",
    "names": "token-classification",
    "answers": "question-answering",
}
Load = Callable[[str], "Engine"]


@pytest.fixture(scope="module")
def engines_of(tmp_path_factory: pytest.TempPathFactory) -> Load:
    from corral.inference import engines

    folders = models_text.make_all(tmp_path_factory.mktemp("texts"), *ENGINES)
    return cache(lambda kind: engines.load(ENGINES[kind], folders[kind], {}))


@pytest.mark.parametrize(
    ("kind", "task", "bodies"),
    [
        ("inference", "text-classification", [{"inputs": LETTERS[:n]} for n in (5, 80, 20)]),
        ("inference", "zero-shot-classification",
         [{"inputs": LETTERS[:n], "candidate_labels": labels} for n, labels in ((9, "a,b"), (60, "c"), (30, "d,e,f"))]),
        ("names", "token-classification",
         [{"inputs": "Aa " * n, "aggregation_strategy": how} for n, how in ((1, "simple"), (90, "max"), (9, "none"))]),
        ("answers", "question-answering",
         [{"inputs": {"question": "q", "context": "x" * n + "[y]"}, "top_k": k} for n, k in ((1, 1), (300, 3))]),
    ],
)  # fmt: skip
def test_jobs_together_get_what_each_gets_alone(
    engines_of: Load, kind: str, task: str, bodies: list[dict[str, Any]]
) -> None:
    from corral.inference.engines.base import Job, Refused

    engine = engines_of(kind)
    jobs = [job(task, **body) for body in bodies]
    alone = [engine.run(one) for one in jobs]
    # one of them cannot be answered, which is its own affair
    together = engine.run_many([*jobs, Job(jobs[0].op + "?", {})])
    assert isinstance(together.pop(), Refused)
    same(together, alone)


def test_texts_go_in_batches_with_little_padding() -> None:
    from corral.inference.engines.texts import BATCH, PASS, TOKENS, batches

    lengths = [*range(1, 200, 3), *([500] * 100), 8000, 8000, 8192]
    made = list(batches(lengths))
    assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[i] for i in batch)
        assert len(batch) <= BATCH
        assert len(batch) * longest <= max(TOKENS, longest)
        assert sum(longest - lengths[i] for i in batch) <= max(PASS.values())
    assert list(batches([])) == []


def test_vectors_of_several_callers_come_from_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from corral.inference import engines
    from corral.inference.engines.base import Refused

    engine: Any = engines.load("embedding", models.minilm(), {})
    passes: list[tuple[int, ...]] = []
    inner = engine.texts.model.forward
    monkeypatch.setattr(
        engine.texts.model, "forward", lambda **batch: passes.append(batch["input_ids"].shape) or inner(**batch)
    )
    sentences = ["A cat sleeps on the sofa", "A kitten naps on the couch", "Shares fell in London today"]
    jobs = [
        job("feature-extraction", inputs=sentences[0], normalize=True),
        job("feature-extraction", inputs="a text", prompt_name="unknown"),
        job("feature-extraction", inputs=sentences[1:], dimensions=5),
        job("sentence-similarity", inputs={"source_sentence": sentences[0], "sentences": sentences[1:]}),
    ]
    first, wrong, second = engine.run_many(jobs[:3])
    assert len(passes) == 1, "texts of like length go through together"
    assert isinstance(wrong, Refused)
    same(first, engine.run(jobs[0]))
    assert [len(vector) for vector in second] == [5, 5]
    near, far = engine.run(jobs[3])
    assert near > 0.5 > 0.2 > far
