"""Many texts, of several jobs, through one transformers model: those of like length together, for little padding."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device, dtype_for

#: texts that go through the model at once, and their tokens with the padding (bounds what a batch takes of memory)
BATCH = 64
TOKENS = 16_384
#: how many tokens of padding cost about as much as one more pass through the model
PASS = {"cpu": 32, "cuda": 4096}
#: seconds after which those who wait hear how far it is, and the hub that the worker lives
SIGN = 1.0
#: no text has more tokens than this, whatever the model allows
LONGEST = 8192

Row = dict[str, list[int]]


class Texts:
    """`kind` is the Auto class of transformers that loads the model; `root` the folder with its files."""

    def __init__(self, root: Path, kind: Any) -> None:
        config = AutoConfig.from_pretrained(root, **CODE)
        self.tokenizer = AutoTokenizer.from_pretrained(root, **CODE)
        self.model = kind.from_pretrained(root, dtype=dtype_for(getattr(config, "dtype", None)), **SAFE)
        self.model.eval().to(device())
        if self.tokenizer.pad_token is None:
            # decoders have none, and need one for batches
            self.tokenizer.pad_token = self.tokenizer.eos_token
            self.model.config.pad_token_id = self.tokenizer.pad_token_id
        self.longest = min(positions(self.model), self.tokenizer.model_max_length, LONGEST)

    def rows(self, firsts: list[str], seconds: list[str] | None = None, **options: Any) -> list[Row]:
        """The tokens of each text, or of each pair; `options` are those of the tokenizer's `__call__`."""
        options.setdefault("max_length", self.longest)
        try:
            read = self.tokenizer(firsts, seconds, **options)
        except Exception as error:
            if "too short" not in str(error):
                raise
            raise Refused(
                f"What stands beside the text leaves no room for it in this model's {self.longest} tokens: shorten it."
            ) from None
        rows = [
            {key: read[key][i] for key in self.tokenizer.model_input_names if key in read} for i in range(len(firsts))
        ]
        if not all(row["input_ids"] for row in rows):
            raise Refused("A text is empty for this model, which knows none of its characters.")
        return rows


@dataclass(frozen=True, slots=True)
class Part:
    """What the model reads at once: its tokens, and what the engine knows of them besides."""

    row: Row
    about: Any = None


class TextEngine(Engine):
    """An engine for which jobs are texts to read: all that several jobs are about goes through the model together."""

    batch = 32
    texts: Texts

    def read(self, job: Job) -> list[Part]:
        """What the job is about. Raises Refused."""
        raise NotImplementedError

    def keep(self, op: str, output: Any, mask: torch.Tensor) -> Iterable[torch.Tensor]:
        """What is wanted of the model's output, for each row of a batch; `mask` is False where it is padding."""
        raise NotImplementedError

    def answer(self, job: Job, parts: list[Part], kept: list[torch.Tensor]) -> Any:
        """The job's result, from what was kept of each of its parts. Raises Refused."""
        raise NotImplementedError

    def run(self, job: Job) -> Any:
        [result] = self.run_many([job])
        if isinstance(result, Exception):
            raise result
        return result

    def run_many(self, jobs: Sequence[Job]) -> list[Any]:
        read: list[list[Part] | Refused] = []
        for job in jobs:
            try:
                read.append(self.read(job))
            except Refused as error:
                read.append(error)
        made = iter(self._run([part.row for one in read if not isinstance(one, Refused) for part in one], jobs))
        results: list[Any] = []
        for job, one in zip(jobs, read, strict=True):
            try:
                results.append(one if isinstance(one, Refused) else self.answer(job, one, [next(made) for _ in one]))
            except Refused as error:
                results.append(error)
        return results

    def _run(self, rows: Sequence[Row], jobs: Sequence[Job]) -> list[torch.Tensor]:
        """What `keep` keeps, on the processor. Ends early (with 499) when nobody waits for any of `jobs` any more."""
        model, tokenizer = self.texts.model, self.texts.tokenizer
        found: list[torch.Tensor] = [torch.empty(0)] * len(rows)
        done, told = 0, time.monotonic()
        with torch.inference_mode():
            for chosen in batches([len(row["input_ids"]) for row in rows]):
                if all(job.cancelled.is_set() for job in jobs):
                    raise Refused("The callers went away.", 499)
                if time.monotonic() - told > SIGN:
                    told = time.monotonic()
                    for job in jobs:
                        job.progress(done, len(rows), None)
                batch = tokenizer.pad([rows[i] for i in chosen], return_tensors="pt").to(model.device)
                kept = self.keep(jobs[0].op, model(**batch), batch["attention_mask"].bool())
                if isinstance(kept, torch.Tensor):
                    # all of them at once: from a graphics card each move takes its time
                    kept = kept.float().cpu()
                for i, one in zip(chosen, kept, strict=True):
                    found[i] = one.float().cpu()
                done += len(chosen)
        return found


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of `lengths`, those of like lengths together: each batch within `BATCH` and `TOKENS`."""
    batch: list[int] = []
    filled = 0
    worth = PASS[device().type]
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        # the last one is the longest so far
        size = (len(batch) + 1) * lengths[i]
        if batch and (len(batch) == BATCH or size > TOKENS or size - filled - lengths[i] > worth):
            yield batch
            batch, filled = [], 0
        batch.append(i)
        filled += lengths[i]
    if batch:
        yield batch


def positions(model: Any) -> int:
    """How many tokens the model has positions for."""
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            # RoBERTa and its kin count from behind the padding's
            return int(part.num_embeddings - part.padding_idx - 1)
    return getattr(model.config, "max_position_embeddings", None) or LONGEST
