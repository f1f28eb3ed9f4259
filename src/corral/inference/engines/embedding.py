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

#: ways to make one vector of those of all tokens, by the flags of sentence-transformers before 6
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class Embedding(TextEngine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        modules = _json(folder / "modules.json", [])
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        if kinds and "Transformer" not in kinds:
            raise Refused(f"This model has no transformer: Corral cannot run its {', '.join(kinds)} yet.", 501)
        root = _within(folder, next((m["path"] for m in modules if m["type"].endswith("Transformer")), ""))
        self.texts = Texts(root, AutoModel)
        settings = _json(root / "sentence_bert_config.json", {})
        self.texts.longest = min(self.texts.longest, settings.get("max_seq_length") or self.texts.longest)
        own = _json(folder / "config_sentence_transformers.json", {})
        self._prompts: dict[str, str] = own.get("prompts") or {}
        self._default = own.get("default_prompt_name")
        self._pooling: list[str] | None = None
        self._layers: list[Layer] = []
        for module in modules:
            self._add(module["type"].rpartition(".")[2], _within(folder, module["path"]))

    def _add(self, kind: str, folder: Path) -> None:
        match kind:
            case "Transformer":
                pass
            case "Pooling":
                self._pooling = _poolings(_json(folder / "config.json", {}))
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
        prompt = self._prompts.get(name or self._default or "", "")
        self.texts.tokenizer.truncation_side = params.get("truncation_direction") or "right"
        rows = self.texts.rows([prompt + text for text in texts], truncation=params.get("truncate") is not False)
        longest = self.texts.longest
        if any(len(row["input_ids"]) > longest for row in rows):
            raise Refused(f"A text is longer than this model's {longest} tokens: shorten it, or allow truncation.")
        return [Part(row) for row in rows]

    def keep(self, op: str, output: Any, mask: torch.Tensor) -> Iterable[torch.Tensor]:
        if self._pooling is None and op == "features":
            # one vector for each token, as transformers' own feature-extraction pipeline gives
            return [one[kept] for one, kept in zip(output.last_hidden_state.float().cpu(), mask.cpu(), strict=True)]
        vectors: Iterable[torch.Tensor] = _pool(output, mask, self._pooling or ["mean"])
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


def _within(folder: Path, path: str) -> Path:
    place = (folder / path).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise Refused(f"This model's modules.json names {path!r}, which is outside of it.", 501)
    return place


def _poolings(config: dict[str, Any]) -> list[str]:
    named = config.get("pooling_mode") or [name for flag, name in _POOLINGS.items() if config.get(flag)]
    modes = [named] if isinstance(named, str) else list(named)
    if not modes or set(modes) - set(_POOLINGS.values()):
        raise Refused("This model's pooling is of a kind that Corral does not know.", 501)
    return modes


def _pool(output: Any, mask: torch.Tensor, modes: list[str]) -> torch.Tensor:
    return torch.cat([_pooled(output.last_hidden_state, mask, mode) for mode in modes], 1)


def _pooled(hidden: torch.Tensor, mask: torch.Tensor, mode: str) -> torch.Tensor:
    rows = torch.arange(len(hidden), device=hidden.device)
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    match mode:
        case "cls":
            return hidden[rows, mask.long().argmax(1)]
        case "lasttoken":
            return hidden[rows, hidden.shape[1] - 1 - mask.long().flip(1).argmax(1)]
        case "max":
            return hidden.masked_fill(weights == 0, float("-inf")).amax(1)
        case "weightedmean":
            places = torch.arange(1, hidden.shape[1] + 1, device=hidden.device) - mask.long().argmax(1, keepdim=True)
            weights = weights * places.unsqueeze(-1)
    total = weights.sum(1).clamp(min=1e-9)
    return (hidden * weights).sum(1) / (total.sqrt() if mode == "mean_sqrt_len_tokens" else total)


def _dense(folder: Path) -> Layer:
    config = _json(folder / "config.json", {})
    weights = load_file(folder / "model.safetensors")
    name = config.get("activation_function", "torch.nn.modules.linear.Identity").rpartition(".")[2]
    activations: dict[str, Layer] = {
        "Identity": lambda x: x,
        "Tanh": torch.tanh,
        "ReLU": torch.relu,
        "GELU": torch.nn.functional.gelu,
        "SiLU": torch.nn.functional.silu,
    }
    if name not in activations:
        raise Refused(f"This model has an activation {name!r}, which Corral cannot run yet.", 501)
    if config.get("use_residual"):
        raise Refused("This model has a dense layer with a residual, which Corral cannot run yet.", 501)
    weight, bias = weights["linear.weight"].float(), weights.get("linear.bias")
    return lambda x: activations[name](
        torch.nn.functional.linear(x.cpu(), weight, None if bias is None else bias.float())
    )


def _json(file: Path, default: Any) -> Any:
    return json.loads(file.read_text()) if file.is_file() else default
