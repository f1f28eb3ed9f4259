"""Text generation by transformers, token by token. Also reads GGUF files (made whole again in memory)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import torch
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
from transformers.generation.streamers import BaseStreamer

from corral.inference.engines.base import SAFE, Emit, Engine, Job, Refused, device, dtype_for

#: no answer is longer than this many tokens
MOST_NEW = 4096
#: what is not asked for is taken from the model's own generation_config.json
SAMPLING = ("temperature", "top_k", "top_p", "typical_p")


class TextGeneration(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        gguf = {"gguf_file": options["gguf"]} if options.get("gguf") else {}
        self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **gguf)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **gguf)
        stored = torch.float32 if gguf else getattr(config, "dtype", None)
        safe = {key: value for key, value in SAFE.items() if not gguf or key != "use_safetensors"}
        # made whole, since transformers multiplies packed weights many times more slowly
        whole = {"quantization_config": GgufConfig(dequantize=True)} if gguf else {}
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype_for(stored), **safe, **gguf, **whole)
        self._model.eval().to(device())
        self._longest = getattr(config.get_text_config(), "max_position_embeddings", None) or 4096
        defaults: GenerationConfig = self._model.generation_config
        self._defaults = {key: getattr(defaults, key, None) for key in SAMPLING} if defaults.do_sample else {}
        ends = defaults.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        self._ends = sorted(e for e in ends | {self._tokenizer.eos_token_id} if e is not None)

    def run(self, job: Job) -> Any:
        params = job.params
        match job.op:
            case "generate":
                ids = self._tokenizer(params["prompt"], return_tensors="pt")["input_ids"]
            case "chat":
                ids = self._dialogue(params["messages"])
            case _:
                raise Refused(f"This model cannot do {job.op!r}: it generates text.")
        return self._generate(ids, job)

    def _dialogue(self, messages: list[dict[str, Any]]) -> torch.Tensor:
        if not self._tokenizer.chat_template:
            raise Refused("This model has no chat template, so it cannot chat: use text generation instead.")
        try:
            encoded = self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except Exception as error:
            # the template is the repository's own program: it refuses by any error
            raise Refused(f"This model's chat template does not take these messages: {error}") from None
        ids: torch.Tensor = encoded["input_ids"]
        return ids

    def _generate(self, ids: torch.Tensor, job: Job) -> Any:
        params = job.params
        if truncate := params.get("truncate"):
            ids = ids[:, -truncate:]
        length = ids.shape[1]
        room = self._longest - length
        if length == 0:
            raise Refused("The prompt is empty: write something for the model to go on from.")
        if room < 1:
            raise Refused(f"The prompt has {length} tokens, and this model reads {self._longest}: shorten it.")
        most = min(params.get("max_new_tokens") or 100, room, MOST_NEW)
        settings = self._settings(params)
        if params.get("seed") is not None:
            torch.manual_seed(params["seed"])
        record = _Record(length, params.get("frequency_penalty") or 0.0, params.get("presence_penalty") or 0.0)
        writer = _Writer(self._tokenizer, params, record, job.emit, set(self._ends))
        self._model.generate(
            ids.to(self._model.device),
            attention_mask=torch.ones_like(ids).to(self._model.device),
            max_new_tokens=most,
            logits_processor=LogitsProcessorList([record]),
            stopping_criteria=StoppingCriteriaList([_Stop(writer, job.cancelled)]),
            streamer=writer,
            eos_token_id=self._ends or None,
            pad_token_id=self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._ends[0],
            **settings,
        )
        return {
            "text": writer.text,
            "prompt_text": self._tokenizer.decode(ids[0]) if params.get("return_full_text") else "",
            "finish_reason": writer.reason or "length",
            "tokens": writer.tokens,
            "input_length": length,
        }

    def _settings(self, params: dict[str, Any]) -> dict[str, Any]:
        asked = {key: params[key] for key in SAMPLING if params.get(key) is not None}
        chosen = {k: v for k, v in self._defaults.items() if v is not None} | asked
        sample = params.get("do_sample")
        if sample is None:
            sample = bool(asked) or bool(params.get("sample_by_default") and self._defaults)
        result: dict[str, Any] = {"do_sample": False}
        if sample and chosen.get("temperature") != 0:
            result = {"do_sample": True, "top_k": 0} | chosen
        if penalty := params.get("repetition_penalty"):
            result["repetition_penalty"] = penalty
        return result


class _Record(LogitsProcessor):  # type: ignore[misc]
    """Applies OpenAI's two penalties to what was generated, and keeps each step's log probabilities."""

    def __init__(self, prompt: int, frequency: float, presence: float) -> None:
        self._prompt, self._frequency, self._presence = prompt, frequency, presence
        self.last = torch.empty(0)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._frequency or self._presence:
            counts = torch.zeros_like(scores).scatter_add_(
                1, input_ids[:, self._prompt :], torch.ones_like(input_ids[:, self._prompt :], dtype=scores.dtype)
            )
            scores = scores - self._frequency * counts - self._presence * (counts > 0)
        self.last = scores[0].float().log_softmax(-1)
        return scores


class _Stop(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, writer: _Writer, cancelled: threading.Event) -> None:
        self._writer, self._cancelled = writer, cancelled

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        stop = self._writer.reason == "stop_sequence" or self._cancelled.is_set()
        return torch.full((input_ids.shape[0],), stop, device=input_ids.device)


class _Writer(BaseStreamer):  # type: ignore[misc]
    """Turns tokens into text as they come, ends at a stop sequence, and emits one event a token.

    An event's text may be empty: while a character is not whole, or while the text may still become a stop sequence
    that is not to be shown.
    """

    def __init__(self, tokenizer: Any, params: dict[str, Any], record: _Record, emit: Emit, ends: set[int]) -> None:
        self._tokenizer, self._record, self._emit, self._ends = tokenizer, record, emit, ends
        self._stops: list[str] = params.get("stop") or []
        self._show_stop: bool = params.get("include_stop", False)
        self._stream: bool = params.get("stream", False)
        self._special = set(tokenizer.all_special_ids)
        self._ids: list[int] = []
        self._context = 0
        self._read_to = 0
        self._shown = 0
        self._prompt_seen = False
        self.tokens: list[dict[str, Any]] = []
        self.text = ""
        self.reason = ""

    def put(self, value: torch.Tensor) -> None:
        if not self._prompt_seen:
            # generate() streams the prompt first
            self._prompt_seen = True
            return
        if self.reason:
            # the criteria are asked before the token that fulfils them is streamed, so one more comes
            return
        token = int(value.reshape(-1)[0])
        special = token in self._special or token in self._ends
        if token in self._ends:
            self.reason = "eos_token"
        elif not special:
            self._ids.append(token)
            self._read()
        hidden = 0 if self.reason else self._held()
        piece = self.text[self._shown : len(self.text) - hidden]
        self._shown += len(piece)
        logprob = float(self._record.last[token]) if len(self._record.last) else 0.0
        event = {"id": token, "text": piece, "logprob": max(logprob, -1e9), "special": special}
        self.tokens.append(event)
        if self._stream:
            self._emit(event)

    def end(self) -> None:
        """What was held back is the answer's after all."""
        piece = self.text[self._shown :]
        if piece and self.tokens:
            self._shown = len(self.text)
            self.tokens[-1]["text"] += piece
            if self._stream:
                self._emit({"id": self.tokens[-1]["id"], "text": piece, "logprob": 0.0, "special": False, "rest": True})

    def _read(self) -> None:
        # A token's text depends on its neighbours (spaces, bytes of one character), so each is decoded after a few of
        # the tokens before it, as text-generation-inference does (`Model.decode_token`).
        before = self._tokenizer.decode(self._ids[self._context : self._read_to], skip_special_tokens=True)
        now = self._tokenizer.decode(self._ids[self._context :], skip_special_tokens=True)
        if len(now) <= len(before) or now.endswith("\ufffd"):
            # a character of which more bytes are to come
            return
        self.text += now[len(before) :]
        self._context, self._read_to = self._read_to, len(self._ids)
        for stop in self._stops:
            at = self.text.find(stop, max(0, self._shown - len(stop)))
            if at >= 0:
                self.text = self.text[: at + len(stop) if self._show_stop else at]
                self.reason = "stop_sequence"

    def _held(self) -> int:
        """How much of the text's end could be the beginning of a stop sequence."""
        if self._show_stop:
            return 0
        return max((n for stop in self._stops for n in range(1, len(stop)) if self.text.endswith(stop[:n])), default=0)
