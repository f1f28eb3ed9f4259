"""Many texts, of several jobs, through one transformers model: those of like length together, for little padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from corral.inference.engines.base import SAFE, Job, Refused, device, dtype_for

#: texts that go through the model at once, and their tokens with the padding (bounds what a batch takes of memory)
BATCH = 64
TOKENS = 16_384
#: how many tokens of padding cost about as much as one more pass through the model
PASS = {"cpu": 32, "cuda": 4096}
#: no text has more tokens than this, whatever the model allows
LONGEST = 8192

Row = dict[str, list[int]]


class Texts:
    """`kind` is the Auto class of transformers that loads the model; `root` the folder with its files."""

    def __init__(self, root: Path, kind: Any) -> None:
        config = AutoConfig.from_pretrained(root, trust_remote_code=False)
        self.tokenizer = AutoTokenizer.from_pretrained(root, trust_remote_code=False)
        self.model = kind.from_pretrained(root, dtype=dtype_for(getattr(config, "dtype", None)), **SAFE)
        self.model.eval().to(device())
        if self.tokenizer.pad_token is None:
            # decoders have none, and need one for batches
            self.tokenizer.pad_token = self.tokenizer.eos_token
            self.model.config.pad_token_id = self.tokenizer.pad_token_id
        self.longest = min(_positions(self.model), self.tokenizer.model_max_length, LONGEST)

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

    def run(
        self, rows: Sequence[Row], jobs: Sequence[Job], keep: Callable[[Any, torch.Tensor], Iterable[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """For each of `rows`, in their order, what `keep` makes of the output of its batch and the attention mask.

        Ends early (with 499) when nobody waits for any of `jobs` any more.
        """
        found: list[torch.Tensor] = [torch.empty(0)] * len(rows)
        with torch.inference_mode():
            for chosen in batches([len(row["input_ids"]) for row in rows]):
                if all(job.cancelled.is_set() for job in jobs):
                    raise Refused("The callers went away.", 499)
                batch = self.tokenizer.pad([rows[i] for i in chosen], return_tensors="pt").to(self.model.device)
                kept = keep(self.model(**batch), batch["attention_mask"])
                for i, one in zip(chosen, kept, strict=True):
                    found[i] = one.float().cpu()
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


def _positions(model: Any) -> int:
    """How many tokens the model has positions for."""
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            # RoBERTa and its kin count from behind the padding's
            return int(part.num_embeddings - part.padding_idx - 1)
    return getattr(model.config, "max_position_embeddings", None) or LONGEST
