"""Text generation by transformers, for several callers together. It reads GGUF where llama.cpp cannot be had."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import llguidance.hf
import torch
from llguidance import LLMatcher, LLTokenizer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GgufConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from corral.inference.engines import responses, tools
from corral.inference.engines.base import SAFE, Engine, Job, Refused, device, dtype_for
from corral.inference.engines.batching import Batch, agrees
from corral.inference.engines.grammar import grammar
from corral.inference.engines.responses import Reader
from corral.inference.engines.room import Room
from corral.inference.engines.sampling import PARAMETERS, Sampler
from corral.inference.engines.writing import Writer

#: no answer is longer than this many tokens
MOST_NEW = 4096
#: callers at a time
CALLERS = 8
#: bytes for the keys and values of what callers read and write, at least
CACHE = 512 * 2**20
#: a prompt longer than this is read in pieces, and people are told how far it is
_LONG = 1024


class TextGeneration(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        # an adapter's folder may have a tokenizer of its own, with tokens that were added for it
        base = Path(options.get("base") or folder)
        words = folder if (folder / "tokenizer_config.json").exists() else base
        gguf = {"gguf_file": options["gguf"]} if options.get("gguf") else {}
        code = {"trust_remote_code": bool(options.get("code"))}
        self._tokenizer = AutoTokenizer.from_pretrained(words, **code, **gguf)
        self._model = _load(base, code, gguf)
        if base != folder:
            self._model = _adapted(self._model, folder, len(self._tokenizer))
        self._model.eval().to(device())
        config = self._model.config.get_text_config()
        cells = room_for(config, self._model)
        self._room = Room(cells)
        self._longest = min(getattr(config, "max_position_embeddings", None) or 4096, cells)
        defaults: GenerationConfig = self._model.generation_config
        self._defaults = {key: getattr(defaults, key, None) for key in PARAMETERS} if defaults.do_sample else {}
        ends = defaults.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        self._ends = frozenset(e for e in ends | {self._tokenizer.eos_token_id} if e is not None)
        self._how = responses.template(self._tokenizer)
        self._tools = self._how is not None and "tools" in str(self._tokenizer.chat_template)
        self._words: LLTokenizer | None = None
        self._lock = threading.Lock()
        self._batch = Batch(self._model, CALLERS) if agrees(self._model) else None
        self.parallel = CALLERS if self._batch else 1

    def run(self, job: Job) -> Any:
        params = job.params
        match job.op:
            case "generate":
                return self._generate(self._encoded(params["prompt"]), job, None)
            case "chat":
                must = params.get("tools") and (not self._tools or params["tool_choice"] == "required")
                if must:
                    return tools.understood(job, self._chat(tools.rewritten(job)))
                return self._chat(job)
        raise Refused(f"This model cannot do {job.op!r}: it generates text.")

    def _encoded(self, text: str) -> torch.Tensor:
        ids: torch.Tensor = self._tokenizer(text, return_tensors="pt")["input_ids"]
        return ids

    def _chat(self, job: Job) -> Any:
        ids = self._dialogue(job.params)
        reads = job.params.get("tools") or "<think>" in str(self._tokenizer.chat_template)
        reader = None
        if self._how and reads and not job.params.get("grammar"):
            reader = Reader(self._tokenizer, self._how, self._tokenizer.decode(ids[0]))
        return self._generate(ids, job, reader)

    def _dialogue(self, params: dict[str, Any]) -> torch.Tensor:
        if not self._tokenizer.chat_template:
            raise Refused("This model has no chat template, so it cannot chat: use text generation instead.")
        functions = [{"type": "function", "function": tool} for tool in params.get("tools") or ()]
        try:
            encoded = self._tokenizer.apply_chat_template(
                [_as_templates_read(message) for message in params["messages"]],
                tools=functions or None,
                add_generation_prompt=True,
                return_tensors="pt",
                return_dict=True,
            )
        except Exception as error:
            # the template is the repository's own program: it refuses by any error
            raise Refused(f"This model's chat template does not take these messages: {error}") from None
        ids: torch.Tensor = encoded["input_ids"]
        return ids

    def _generate(self, ids: torch.Tensor, job: Job, reader: Reader | None) -> Any:
        params = job.params
        if truncate := params.get("truncate"):
            ids = ids[:, -truncate:]
        length = ids.shape[1]
        room = self._longest - length
        if length == 0:
            raise Refused("The prompt is empty: write something for the model to go on from.")
        if room < 1:
            raise Refused(f"The prompt has {length} tokens, and this model reads {self._longest} here: shorten it.")
        most = min(params.get("max_new_tokens") or 100, room, MOST_NEW)
        ids = ids.to(self._model.device)
        sampler = Sampler(params, self._defaults, ids, self._matcher(params))
        text = _Text(ids, sampler, Writer(self._tokenizer, job, self._ends, most, reader), job, most)
        with self._room.of(length + most, job.cancelled) as mine:
            if mine and self._batch:
                self._batch.write(text)
            elif mine:
                self._alone(text)
        return text.writer.end("length") | {"input_length": length}

    def _matcher(self, params: dict[str, Any]) -> LLMatcher | None:
        wanted = params.get("grammar")
        if not wanted:
            return None
        made = grammar(wanted)
        with self._lock:
            if self._words is None:
                try:
                    self._words = llguidance.hf.from_tokenizer(self._tokenizer, eos_token=sorted(self._ends))
                except ValueError as error:
                    raise Refused(f"This model's tokens cannot be held to a grammar: {error}", 501) from None
        return LLMatcher(self._words, made, log_level=0)

    def _alone(self, text: _Text) -> None:
        """For models that keep something other than keys and values: one caller at a time."""
        self._model.generate(
            text.prompt,
            attention_mask=torch.ones_like(text.prompt),
            max_new_tokens=text.most,
            do_sample=False,
            logits_processor=LogitsProcessorList([_Chooser(text)]),
            stopping_criteria=StoppingCriteriaList([_Stop(text)]),
            eos_token_id=None,
            pad_token_id=0,
        )


def _load(folder: Path, code: dict[str, bool], gguf: dict[str, Any]) -> Any:
    config = AutoConfig.from_pretrained(folder, **code, **gguf)
    stored = torch.float32 if gguf else getattr(config, "dtype", None)
    safe = {key: value for key, value in (SAFE | code).items() if not gguf or key != "use_safetensors"}
    # made whole, since transformers multiplies packed weights many times more slowly
    whole = {"quantization_config": GgufConfig(dequantize=True)} if gguf else {}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype_for(stored), **safe, **gguf, **whole)


def room_for(config: Any, model: Any) -> int:
    """How many tokens of all callers are kept at once: their keys and values have half of the weights' size, or
    `CACHE` if that is more."""
    heads = getattr(config, "num_attention_heads", None) or 32
    width = getattr(config, "head_dim", None) or getattr(config, "hidden_size", 4096) // heads
    layers = getattr(config, "num_hidden_layers", None) or 32
    each: int = 2 * layers * (getattr(config, "num_key_value_heads", None) or heads) * width * model.dtype.itemsize
    weights: int = sum(one.numel() * one.element_size() for one in model.parameters())
    return max(max(CACHE, weights // 2) // max(1, each), 2048)


def _adapted(model: Any, folder: Path, words: int) -> Any:
    """The model with an adapter of peft's on it; merged into its weights where its kind allows that."""
    from peft import PeftModel

    if words > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(words)
    adapted = PeftModel.from_pretrained(model, str(folder), use_safetensors=True, local_files_only=True)
    return adapted.merge_and_unload() if hasattr(adapted, "merge_and_unload") else adapted


def _as_templates_read(message: dict[str, Any]) -> dict[str, Any]:
    """Templates read the arguments of earlier calls as objects, where OpenAI's protocol has them as JSON text."""
    if not message.get("tool_calls"):
        return message
    calls = []
    for one in message["tool_calls"]:
        try:
            arguments = json.loads(one["function"]["arguments"])
        except ValueError:
            arguments = one["function"]["arguments"]
        calls.append(one | {"function": one["function"] | {"arguments": arguments}})
    return message | {"tool_calls": calls}


class _Text:
    """One caller's text for the batch (`batching.Text`)."""

    def __init__(self, prompt: torch.Tensor, sampler: Sampler, writer: Writer, job: Job, most: int) -> None:
        self.prompt, self.writer, self.most = prompt, writer, most
        self.plain = sampler.plain
        self._sampler, self._job = sampler, job
        self._chance: dict[str, Any] = {}

    def reading(self, done: int, total: int) -> bool:
        if done < total and total > _LONG:
            self._job.progress(done, total, None)
        return not self._job.cancelled.is_set()

    def choose(self, scores: torch.Tensor) -> int:
        token, chance = self._sampler.choose(scores)
        if chance:
            chance["top"] = [one | {"token": self.writer.following(one["id"])} for one in chance["top"]]
        self._chance = chance
        return token

    def take(self, token: int) -> bool:
        self.writer.add(token, self._chance)
        if self._sampler.over and not self.writer.reason:
            self.writer.reason = "eos_token"
        return not (self.writer.reason or len(self.writer.tokens) >= self.most or self._job.cancelled.is_set())


class _Chooser(LogitsProcessor):  # type: ignore[misc]
    """Leaves transformers' loop no choice but the text's own."""

    def __init__(self, text: _Text) -> None:
        self._text = text

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        token = self._text.choose(scores[0])
        return torch.full_like(scores, float("-inf")).index_fill_(1, torch.tensor([token], device=scores.device), 0.0)


class _Stop(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, text: _Text) -> None:
        self._text = text

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        more = self._text.take(int(input_ids[0, -1]))
        return torch.full((input_ids.shape[0],), not more, device=input_ids.device)
