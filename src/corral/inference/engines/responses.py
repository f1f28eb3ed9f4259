"""What a model that knows tools wrote, taken apart into text, thoughts and calls, by transformers' parser.

A tokenizer may bring its own description of what its model writes (`response_template`); most models without one write
calls as Hermes did.
"""

from __future__ import annotations

from typing import Any

from corral.inference.engines import tools

_HERMES = {
    "defaults": {"role": "assistant"},
    # a template may have begun a thought already
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "reasoning_content": {"open": "<think>", "close": "</think>", "content": "text"},
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"content": "text"},
    },
}


def template(tokenizer: Any) -> dict[str, Any] | None:
    """How this model writes calls; None where it does not say so, and they cannot be told from text."""
    own = getattr(tokenizer, "response_template", None)
    if own is not None:
        found: dict[str, Any] = own
        return found
    known = str(tokenizer.chat_template)
    return _HERMES if "<tool_call>" in known or "<think>" in known else None


def joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The parts of two events as those of one."""
    return {key: one[key] + other[key] if key in one and key in other else (one | other)[key] for key in one | other}


class Reader:
    """Takes the text as it comes, and gives the parts of events that are for people: text, reasoning, calls.

    A call that is not of the form it should have ends the reading: what follows it is text.
    """

    def __init__(self, tokenizer: Any, how: dict[str, Any], prompt: str) -> None:
        self._parser = tokenizer.get_response_parser(how, prefix=prompt)
        self._broken = False
        self.text = ""
        self.reasoning = ""
        self.calls: list[dict[str, Any]] = []

    def add(self, piece: str) -> dict[str, Any]:
        if self._broken:
            self.text += piece
            return {"text": piece}
        try:
            return self._parts(self._parser.feed(piece))
        except Exception:
            # the parser raises for JSON that is none, among others
            self._broken = True
            return self.add(piece)

    def end(self) -> dict[str, Any]:
        if self._broken:
            return {"text": ""}
        try:
            return self._parts(self._parser.finalize()[1])
        except Exception:
            return {"text": ""}

    def _parts(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        text, reasoning, calls = "", "", []
        for event in events:
            if event["type"] == "region_chunk" and not event.get("dirty"):
                if event.get("field") == "content":
                    text += event.get("text") or ""
                else:
                    reasoning += event.get("text") or ""
            elif event["type"] == "region_close" and event.get("field") == "tool_calls":
                function = event["value"]["function"]
                made = tools.call(str(function["name"]), function.get("arguments") or {})
                calls.append({"index": len(self.calls), **made})
                self.calls.append(made)
        self.text += text
        self.reasoning += reasoning
        return {"text": text} | ({"reasoning": reasoning} if reasoning else {}) | ({"calls": calls} if calls else {})
