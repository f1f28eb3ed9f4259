"""Entities and kinds of texts by spaCy pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.util import load_model_from_config

from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.spacy_config import reduced

#: spaCy does not say how sure it is of an entity
_SCORE = 1.0


class Spacy(Engine):
    batch = 32

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._nlp = load_model_from_config(reduced(folder))
        # the whole config is not read again
        self._nlp.from_disk(folder, exclude=["config.cfg"])

    def run(self, job: Job) -> Any:
        [result] = self.run_many([job])
        if isinstance(result, Exception):
            raise result
        return result

    def run_many(self, jobs: Sequence[Job]) -> list[Any]:
        refusals = [self._refusal(job) for job in jobs]
        texts = [text for job, no in zip(jobs, refusals, strict=True) if no is None for text in job.params["texts"]]
        # else each new word would stay in memory
        with self._nlp.memory_zone():
            docs = self._nlp.pipe(texts)
            return [
                no or [_answer(job, next(docs)) for _ in job.params["texts"]]
                for job, no in zip(jobs, refusals, strict=True)
            ]

    def _refusal(self, job: Job) -> Refused | None:
        parts = {name.rpartition(".")[2] for name in self._nlp.pipe_factories.values()}
        match job.op:
            case "entities":
                if not any("ner" in part or "ruler" in part for part in parts - {"attribute_ruler"}):
                    return Refused("This pipeline finds no entities.")
                if job.params.get("stride"):
                    return Refused("spaCy reads a text as a whole: leave 'stride' out.")
                return None
            case "classify":
                if not any("textcat" in part for part in parts):
                    return Refused("This pipeline tells no kinds of texts.")
                if job.params.get("pairs") or job.params.get("function_to_apply"):
                    return Refused("spaCy takes one text, and its scores are probabilities: leave the rest out.")
                return None
        return Refused(f"This pipeline cannot do {job.op!r}.")


def _answer(job: Job, doc: Any) -> list[dict[str, Any]]:
    params = job.params
    if job.op == "classify":
        best = sorted(doc.cats.items(), key=lambda one: -one[1])[: params.get("top_k")]
        return [{"label": label, "score": float(score)} for label, score in best]
    ignored = set(params.get("ignore_labels") or ())
    if params["strategy"] == "none":
        return [
            {
                "entity": f"{token.ent_iob_}-{token.ent_type_}",
                "score": _SCORE,
                "index": token.i,
                "word": token.text,
                "start": token.idx,
                "end": token.idx + len(token),
            }
            for token in doc
            if token.ent_type_ and not {token.ent_type_, f"{token.ent_iob_}-{token.ent_type_}"} & ignored
        ]
    return [
        {"entity_group": e.label_, "score": _SCORE, "word": e.text, "start": e.start_char, "end": e.end_char}
        for e in doc.ents
        if e.label_ not in ignored
    ]
