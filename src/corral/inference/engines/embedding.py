"""Sentence and token embeddings by a plain transformers encoder, pooled as the repository's sentence-transformers says.

Source: sentence-transformers' on-disk layout (`modules.json`, `1_Pooling/config.json`, `2_Normalize`, `2_Dense`,
`config_sentence_transformers.json`, `sentence_bert_config.json`), read here so that the library itself is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModel

from corral.inference.engines.base import Job, Refused
from corral.inference.engines.texts import Part, TextEngine, Texts

Layer = Callable[[torch.Tensor], torch.Tensor]


class Embedding(TextEngine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        modules = _json(folder / "modules.json", [])
        root = folder / next((m["path"] for m in modules if m["type"].endswith("Transformer")), "")
        self.texts = Texts(root, AutoModel)
        settings = _json(root / "sentence_bert_config.json", {})
        self.texts.longest = min(self.texts.longest, settings.get("max_seq_length") or self.texts.longest)
        self._prompts: dict[str, str] = _json(folder / "config_sentence_transformers.json", {}).get("prompts", {})
        self._pooling: dict[str, Any] | None = None
        self._layers: list[Layer] = []
        for module in modules:
            self._add(module["type"].rpartition(".")[2], folder / module["path"])

    def _add(self, kind: str, folder: Path) -> None:
        match kind:
            case "Transformer":
                pass
            case "Pooling":
                self._pooling = _json(folder / "config.json", {})
            case "Normalize":
                self._layers.append(lambda x: torch.nn.functional.normalize(x, dim=-1))
            case "Dense":
                self._layers.append(_dense(folder))
            case _:
                raise Refused(f"This model has a layer {kind!r}, which Corral cannot run yet.", 501)

    def read(self, job: Job) -> list[Part]:
        params = job.params
        match job.op:
            case "similarity":
                texts = [params["source"], *params["sentences"]]
            case "features" | "embed":
                texts = params["texts"]
            case _:
                raise Refused(f"This model cannot do {job.op!r}: it makes embeddings.")
        name = params.get("prompt_name")
        if name is not None and name not in self._prompts:
            known = ", ".join(sorted(self._prompts)) or "none"
            raise Refused(f"This model has no prompt {name!r}; it has: {known}.")
        prompt = self._prompts.get(name, "") if name else ""
        self.texts.tokenizer.truncation_side = params.get("truncation_direction") or "right"
        rows = self.texts.rows([prompt + text for text in texts], truncation=params.get("truncate") is not False)
        longest = self.texts.longest
        if any(len(row["input_ids"]) > longest for row in rows):
            raise Refused(f"A text is longer than this model's {longest} tokens: shorten it, or allow truncation.")
        return [Part(row) for row in rows]

    def keep(self, op: str, output: Any, mask: torch.Tensor) -> Iterable[torch.Tensor]:
        if self._pooling is None and op == "features":
            # one vector for each token, as transformers' own feature-extraction pipeline gives
            return [hidden[m] for hidden, m in zip(output.last_hidden_state, mask, strict=True)]
        vectors: Iterable[torch.Tensor] = _pool(output, mask, self._pooling or {"pooling_mode_mean_tokens": True})
        return vectors

    def answer(self, job: Job, parts: list[Part], kept: list[torch.Tensor]) -> Any:
        params = job.params
        if self._pooling is None and job.op == "features":
            return [one.tolist() for one in kept]
        vectors = torch.stack(kept)
        for layer in self._layers:
            vectors = layer(vectors)
        if wanted := params.get("dimensions"):
            if wanted > vectors.shape[1]:
                raise Refused(f"This model's vectors have {vectors.shape[1]} dimensions, fewer than {wanted}.")
            vectors = vectors[:, :wanted]
        if params.get("normalize") or job.op == "similarity":
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        match job.op:
            case "similarity":
                return (vectors[1:] @ vectors[0]).tolist()
            case "embed":
                return {"vectors": vectors.tolist(), "tokens": sum(len(part.row["input_ids"]) for part in parts)}
        return vectors.tolist()


def _pool(output: Any, mask: torch.Tensor, modes: dict[str, Any]) -> torch.Tensor:
    hidden: torch.Tensor = output.last_hidden_state
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    parts: list[torch.Tensor] = []
    if modes.get("pooling_mode_cls_token"):
        parts.append(hidden[:, 0])
    if modes.get("pooling_mode_max_tokens"):
        parts.append(hidden.masked_fill(weights == 0, float("-inf")).amax(1))
    if modes.get("pooling_mode_mean_tokens"):
        parts.append((hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9))
    if modes.get("pooling_mode_mean_sqrt_len_tokens"):
        parts.append((hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9).sqrt())
    if modes.get("pooling_mode_weightedmean_tokens"):
        graded = weights * torch.arange(1, hidden.shape[1] + 1, device=hidden.device).view(1, -1, 1)
        parts.append((hidden * graded).sum(1) / graded.sum(1).clamp(min=1e-9))
    if modes.get("pooling_mode_lasttoken"):
        last = hidden.shape[1] - 1 - mask.long().flip(1).argmax(1)
        parts.append(hidden[torch.arange(len(hidden), device=hidden.device), last])
    if not parts:
        raise Refused("This model's pooling is of a kind that Corral does not know.", 501)
    return torch.cat(parts, 1)


def _dense(folder: Path) -> Layer:
    config = _json(folder / "config.json", {})
    weights = load_file(folder / "model.safetensors")
    name = config.get("activation_function", "torch.nn.modules.linear.Identity").rpartition(".")[2]
    activations: dict[str, Layer] = {"Identity": lambda x: x, "Tanh": torch.tanh, "ReLU": torch.relu}
    if name not in activations:
        raise Refused(f"This model has an activation {name!r}, which Corral cannot run yet.", 501)
    weight, bias = weights["linear.weight"].float(), weights.get("linear.bias")
    return lambda x: activations[name](
        torch.nn.functional.linear(x.cpu(), weight, None if bias is None else bias.float())
    )


def _json(file: Path, default: Any) -> Any:
    return json.loads(file.read_text()) if file.is_file() else default
