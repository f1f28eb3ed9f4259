"""Sentence and token embeddings by a plain transformers encoder, pooled as the repository's sentence-transformers says.

Source: sentence-transformers' on-disk layout (`modules.json`, `1_Pooling/config.json`, `2_Normalize`, `2_Dense`,
`config_sentence_transformers.json`, `sentence_bert_config.json`), read here so that the library itself is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from corral.inference.engines.base import SAFE, Engine, Job, Refused, device, dtype_for

Layer = Callable[[torch.Tensor], torch.Tensor]
#: texts that go through the model at once
BATCH = 32


class Embedding(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        modules = _json(folder / "modules.json", [])
        root = folder / next((m["path"] for m in modules if m["type"].endswith("Transformer")), "")
        config = AutoConfig.from_pretrained(root, trust_remote_code=False)
        self._tokenizer = AutoTokenizer.from_pretrained(root, trust_remote_code=False)
        self._model = AutoModel.from_pretrained(root, dtype=dtype_for(getattr(config, "dtype", None)), **SAFE)
        self._model.eval().to(device())
        settings = _json(root / "sentence_bert_config.json", {})
        self._longest = min(
            settings.get("max_seq_length") or 10**9,
            getattr(config, "max_position_embeddings", None) or 10**9,
            self._tokenizer.model_max_length,
            8192,
        )
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

    def run(self, job: Job) -> Any:
        params = job.params
        with torch.inference_mode():
            match job.op:
                case "similarity":
                    vectors, _ = self._embed([params["source"], *params["sentences"]], {"normalize": True})
                    return (vectors[1:] @ vectors[0]).tolist()
                case "features" if self._pooling is None:
                    return [self._tokens(text, params) for text in params["texts"]]
                case "features":
                    return self._embed(params["texts"], params)[0].tolist()
                case "embed":
                    vectors, tokens = self._embed(params["texts"], params)
                    return {"vectors": vectors.tolist(), "tokens": tokens}
        raise Refused(f"This model cannot do {job.op!r}: it makes embeddings.")

    def _encode(self, texts: list[str], params: dict[str, Any]) -> Any:
        name = params.get("prompt_name")
        if name is not None and name not in self._prompts:
            known = ", ".join(sorted(self._prompts)) or "none"
            raise Refused(f"This model has no prompt {name!r}; it has: {known}.")
        prompt = self._prompts.get(name, "") if name else ""
        self._tokenizer.truncation_side = params.get("truncation_direction") or "right"
        batch = self._tokenizer(
            [prompt + text for text in texts],
            padding=True,
            truncation=params.get("truncate") is not False,
            max_length=self._longest,
            return_tensors="pt",
        )
        if batch["input_ids"].shape[1] > self._longest:
            raise Refused(
                f"A text is longer than this model's {self._longest} tokens: shorten it, or allow truncation."
            )
        return batch.to(self._model.device)

    def _tokens(self, text: str, params: dict[str, Any]) -> Any:
        """One vector for each token, as transformers' own feature-extraction pipeline gives."""
        return self._model(**self._encode([text], params)).last_hidden_state[0].float().tolist()

    def _embed(self, texts: list[str], params: dict[str, Any]) -> tuple[torch.Tensor, int]:
        """One vector for each text, in their order; and how many tokens that took."""
        tokens = 0
        # short texts beside short ones: less padding to compute
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts = []
        for start in range(0, len(order), BATCH):
            batch = self._encode([texts[i] for i in order[start : start + BATCH]], params)
            tokens += int(batch["attention_mask"].sum())
            output = self._model(**batch)
            parts.append(_pool(output, batch["attention_mask"], self._pooling or {"pooling_mode_mean_tokens": True}))
        vectors = torch.cat(parts).float()
        for layer in self._layers:
            vectors = layer(vectors)
        if wanted := params.get("dimensions"):
            if wanted > vectors.shape[1]:
                raise Refused(f"This model's vectors have {vectors.shape[1]} dimensions, fewer than {wanted}.")
            vectors = vectors[:, :wanted]
        if params.get("normalize"):
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order, dtype=torch.long)] = torch.arange(len(order))
        return vectors.cpu()[back], tokens


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
        last = hidden.shape[1] - 1 - mask.flip(1).argmax(1)
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
