"""Text that goes on from a prompt, as text-generation-inference (TGI) takes and gives it, streamed or whole.

What engines are asked, here and in `tasks.chat`: `prompt` or `messages`; the limits and sampling parameters below;
`stop`, and whether the text has it (`include_stop`); `grammar`; `tops`, how many of the likeliest tokens are told for
each one (None: no probabilities at all); for chats `tools` and `tool_choice` (`auto` or `required`). Their result:
`text`, `reasoning`, `calls` ([{id, name, arguments: JSON text}]), `tokens` (the events that are streamed: `id`, `text`,
`logprob`, `special`, and where asked `token`, `top`, `reasoning`, `calls`), `finish_reason` (`eos_token`,
`stop_sequence`, `length`, `tool_calls`), `input_length` and `output_length` in tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, NotSupported, Unprocessable
from corral.inference.calls import Request
from corral.inference.tasks import base

MOST_STOPS = 16
#: likeliest tokens that are told for each one
MOST_TOPS = 20
#: bytes of a JSON schema or a regular expression, and objects inside each other in a schema
MOST_GRAMMAR, MOST_DEPTH = 100_000, 64


def _request(body: base.Body) -> Request:
    values = body.parameters
    for name in ("adapter_id", "watermark", "decoder_input_details"):
        if values.get(name):
            raise NotSupported(f"'{name}' is not supported: leave it out.")
    if (values.get("best_of") or 1) != 1:
        raise NotSupported("'best_of' is not supported: leave it out.")
    params = sampling(values) | {
        "prompt": base.text(body.value.get("inputs"), "'inputs'"),
        "max_new_tokens": base.number(values, "max_new_tokens", 1, 100_000, whole=True),
        "do_sample": base.flag(values, "do_sample"),
        "return_full_text": base.flag(values, "return_full_text"),
        "truncate": base.number(values, "truncate", 1, 10_000_000, whole=True),
        "details": base.flag(values, "details"),
        "stop": stops(values.get("stop") or values.get("stop_sequences")),
        # TGI's answers end with the stop sequence
        "include_stop": True,
        "grammar": grammar(values.get("grammar"), "'grammar'"),
    }
    stream = base.flag(body.value, "stream") or False
    top = base.number(values, "top_n_tokens", 1, MOST_TOPS, whole=True)
    # its token events have their probabilities, asked for or not
    params["tops"] = (top or 0) if params["details"] or stream else None
    return Request("generate", params | {"stream": stream}, stream=stream)


def sampling(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that this and OpenAI's protocol share."""
    return {
        "temperature": base.number(values, "temperature", 0, 100),
        "top_k": base.number(values, "top_k", 1, 1_000_000, whole=True),
        "top_p": base.number(values, "top_p", 0.000_001, 1),
        "typical_p": base.number(values, "typical_p", 0.000_001, 1),
        "repetition_penalty": base.number(values, "repetition_penalty", 0.000_001, 100),
        "frequency_penalty": base.number(values, "frequency_penalty", -2, 2),
        "presence_penalty": base.number(values, "presence_penalty", -2, 2),
        "seed": base.number(values, "seed", -(2**63), 2**63 - 1, whole=True),
    }


def stops(value: Any) -> list[str]:
    if value is None:
        return []
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(s, str) and s for s in found) or len(found) > MOST_STOPS:
        raise BadRequest(f"'stop' must be a list of at most {MOST_STOPS} texts.")
    return found


def grammar(value: Any, where: str) -> dict[str, Any] | None:
    """What the text must follow, `{"json": schema}` or `{"regex": pattern}`, from TGI's `{"type", "value"}`."""
    if value is None:
        return None
    kind, wanted = (value.get("type"), value.get("value")) if isinstance(value, Mapping) else (None, None)
    if kind == "regex" and isinstance(wanted, str) and wanted:
        if len(wanted) > MOST_GRAMMAR:
            raise Unprocessable(f"{where} is longer than {MOST_GRAMMAR} characters: shorten it.")
        return {"regex": wanted}
    if kind in ("json", "json_schema") and isinstance(wanted, Mapping):
        return {"json": schema(wanted.get("schema", wanted) if kind == "json_schema" else wanted, where)}
    raise BadRequest(
        f'{where} must be {{"type": "json", "value": a JSON schema}} or {{"type": "regex", "value": text}}.'
    )


def schema(value: Any, where: str) -> dict[str, Any]:
    """A JSON schema of a size that can be followed. What it says is checked where it is used."""
    if not isinstance(value, Mapping):
        raise BadRequest(f"{where} must be a JSON schema: an object.")
    if _deeper(value, MOST_DEPTH):
        raise Unprocessable(f"{where} has more than {MOST_DEPTH} objects inside each other: make it simpler.")
    if len(json.dumps(value)) > MOST_GRAMMAR:
        raise Unprocessable(f"{where} is longer than {MOST_GRAMMAR} bytes: make it simpler.")
    return dict(value)


def _deeper(value: Any, most: int) -> bool:
    if not isinstance(value, Mapping | list):
        return False
    inner = value.values() if isinstance(value, Mapping) else value
    return most == 0 or any(_deeper(one, most - 1) for one in inner)


def _answer(request: Request, result: dict[str, Any]) -> list[dict[str, Any]]:
    text = result["text"]
    if request.params.get("return_full_text"):
        text = request.params["prompt"] + text
    answer: dict[str, Any] = {"generated_text": text}
    if request.params.get("details"):
        answer["details"] = details(result, request) | {
            "prefill": [],
            "tokens": [token(t) for t in result["tokens"]],
        }
        if any(t.get("top") for t in result["tokens"]):
            answer["details"]["top_tokens"] = [[top_token(one) for one in t.get("top", ())] for t in result["tokens"]]
    return [answer]


def token(event: Mapping[str, Any]) -> dict[str, Any]:
    return {k: event[k] for k in ("id", "text", "logprob", "special")}


def top_token(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": given["id"], "text": given["token"], "logprob": given["logprob"], "special": False}


def details(result: dict[str, Any], request: Request) -> dict[str, Any]:
    return {
        "finish_reason": result["finish_reason"],
        "generated_tokens": result["output_length"],
        "seed": request.params.get("seed"),
    }


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`messages` for models that chat, `inputs` for the others; `widget.describe` picks the fitting ones."""
    own: list[dict[str, Any]] = []
    for w in widget:
        if isinstance(w.get("text"), str):
            own.append({"inputs": w["text"]})
        elif isinstance(w.get("messages"), list):
            own.append({"messages": w["messages"]})
    return own or [
        {"inputs": "Once upon a time, in a village by the sea,"},
        {"messages": [{"role": "user", "content": "Tell me a fun fact about the moon."}]},
    ]


TASK = base.Task(
    "text-generation",
    "Text generation",
    (base.Input("inputs", "area", "Text to go on from"),),
    "tokens",
    _request,
    _examples,
    _answer,
    (
        base.Knob("max_new_tokens", "Longest answer, in tokens", 1, 2048, 1, 256),
        base.Knob("temperature", "Temperature", 0, 2, 0.1),
        base.Knob("top_p", "Top p", 0.05, 1, 0.05),
    ),
    client='client.text_generation("Once upon a time", max_new_tokens=50)',
)
