"""A text made from a text by transformers: translation, summaries, and whatever a model was taught."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, StoppingCriteria, StoppingCriteriaList, TextStreamer

from corral.inference.engines.base import Emit, Engine, Job, Refused
from corral.inference.engines.texts import SIGN, Texts, positions
from corral.inference.tasks.text2text_generation import FLAGS, NUMBERS

#: texts of one job that are written at once
_AT_ONCE = 8
#: tokens of an answer where neither the caller nor the model says
_LENGTH = 256
_LENGTHS = ("max_length", "max_new_tokens")
_SAMPLING = ("temperature", "top_k", "top_p")


class TextToText(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._texts = Texts(folder, AutoModelForSeq2SeqLM)
        self._most = positions(self._texts.model) - 1
        told = getattr(self._texts.model.config, "task_specific_params", None)
        #: settings and prefixes for tasks, which T5 and its kin have in their config.json
        self._told: dict[str, Any] = told if isinstance(told, dict) else {}

    def run(self, job: Job) -> Any:
        params, tokenizer = job.params, self._texts.tokenizer
        prefix, settings = self._task(job)
        cut = params.get("truncation") != "do_not_truncate"
        rows = self._texts.rows([prefix + text for text in params["texts"]], truncation=cut)
        if any(len(row["input_ids"]) > self._texts.longest for row in rows):
            raise Refused(f"A text is longer than this model's {self._texts.longest} tokens: shorten it.")
        settings = self._settings(settings | params["generate"])
        live = len(rows) == 1 and (settings.get("num_beams") or self._texts.model.generation_config.num_beams or 1) == 1
        if live:
            settings["streamer"] = _Live(tokenizer, job.emit)
        written: list[str] = []
        for start in range(0, len(rows), _AT_ONCE):
            batch = tokenizer.pad(rows[start : start + _AT_ONCE], return_tensors="pt").to(self._texts.model.device)
            with torch.inference_mode():
                stop = StoppingCriteriaList([_Stop(job, len(written), len(rows))])
                ids = self._texts.model.generate(**batch, stopping_criteria=stop, **settings)
            if job.cancelled.is_set():
                raise Refused("The caller went away.", 499)
            written += tokenizer.batch_decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=params.get("clean_up") or False
            )
            job.progress(len(written), len(rows), None)
        return [text.strip() for text in written]

    def _task(self, job: Job) -> tuple[str, dict[str, Any]]:
        """What goes before each text, and the settings for it."""
        match job.op:
            case "rewrite":
                return "", {}
            case "summarize":
                told = self._told.get("summarization")
            case "translate":
                source, target = job.params.get("src_lang"), job.params.get("tgt_lang")
                if hasattr(self._texts.tokenizer, "src_lang"):
                    return "", self._between(source, target)
                if codes := getattr(self._texts.tokenizer, "supported_language_codes", None):
                    return self._into(target, codes), {}
                named = [name for name in self._told if name.startswith("translation_")]
                told = self._told.get(f"translation_{source}_to_{target}" if target else next(iter(named), ""))
                if target and told is None:
                    known = f"it knows: {', '.join(named)}." if named else "leave 'src_lang' and 'tgt_lang' out."
                    raise Refused(f"This model does not translate from {source} to {target}; {known}")
            case _:
                raise Refused(f"This model cannot do {job.op!r}: it makes texts from texts.")
        told = told if isinstance(told, dict) else {}
        known_settings = {k: v for k, v in told.items() if (k in NUMBERS and isinstance(v, (int, float))) or k in FLAGS}
        return str(told.get("prefix") or ""), known_settings

    def _between(self, source: str | None, target: str | None) -> dict[str, Any]:
        """For models of many languages, whose tokenizer is told the text's, and whose answer starts with its own."""
        tokenizer = self._texts.tokenizer
        source = source or tokenizer.src_lang
        if not source or not target:
            raise Refused(f"This model needs 'src_lang' and 'tgt_lang': {self._some_codes()}.")
        ids = {code: self._code(code) for code in (source, target)}
        tokenizer.src_lang = source
        return {"forced_bos_token_id": ids[target]}

    def _code(self, code: str) -> int:
        tokenizer = self._texts.tokenizer
        for token in (code, f"__{code}__"):
            if token in tokenizer.all_special_tokens:
                return int(tokenizer.convert_tokens_to_ids(token))
        raise Refused(f"This model knows no language {code!r}; it knows {self._some_codes()}.")

    def _some_codes(self) -> str:
        tokenizer = self._texts.tokenizer
        codes = [t.strip("_") for t in tokenizer.all_special_tokens if not t.startswith("<")]
        return f"{', '.join(codes[:12])} and {len(codes) - 12} more" if len(codes) > 12 else ", ".join(codes)

    def _into(self, target: str | None, codes: list[str]) -> str:
        """For Marian models with several languages to translate into: the text starts with the language's code."""
        if target is None:
            # it may be in the text
            return ""
        if f">>{target}<<" not in codes:
            known = ", ".join(code.strip("<>") for code in codes[:12])
            raise Refused(f"This model knows no language {target!r}; it knows: {known}.")
        return f">>{target}<< "

    def _settings(self, asked: dict[str, Any]) -> dict[str, Any]:
        settings = dict(asked)
        if (seed := settings.pop("seed", None)) is not None:
            torch.manual_seed(seed)
        if "do_sample" not in settings and any(name in settings for name in _SAMPLING):
            settings["do_sample"] = True
        own = self._texts.model.generation_config
        if not any(settings.get(name) or getattr(own, name, None) for name in _LENGTHS):
            settings["max_new_tokens"] = _LENGTH
        for name in _LENGTHS:
            if settings.get(name):
                settings[name] = min(settings[name], self._most)
        if "max_new_tokens" in settings:
            # else the model's own limit of the whole is told beside it
            settings.pop("max_length", None)
        return settings


class _Stop(StoppingCriteria):  # type: ignore[misc]
    """Asked after each step: whether nobody waits any more. Tells the hub now and then that the worker lives."""

    def __init__(self, job: Job, done: int, texts: int) -> None:
        self._job, self._done, self._texts = job, done, texts
        self._told = time.monotonic()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        if time.monotonic() - self._told > SIGN:
            self._told = time.monotonic()
            self._job.progress(self._done, self._texts, None)
        return torch.full((len(input_ids),), self._job.cancelled.is_set(), device=input_ids.device)


class _Live(TextStreamer):  # type: ignore[misc]
    """Shows the words as they are written, to those who look on."""

    def __init__(self, tokenizer: Any, emit: Emit) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._emit = emit

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self._emit({"text": text, "special": False})
