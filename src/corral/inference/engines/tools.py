"""Functions that a model may call, for models whose chat template has no place for them, and for calls that must be.

The functions are described in the system message, and the answer must follow a JSON schema that holds either a call or
a text: so every model can, whatever it was trained for. Models that know tools by themselves write calls in a form of
their own, which their engine reads.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from corral.inference.engines.base import Job

_MUST = "Answer with a call of one of these functions, as JSON."
_MAY = (
    'Answer with JSON: {"name": …, "arguments": …} to call one of these functions where it helps, or {"answer": …} with'
    " your answer to the user."
)


def call(name: str, arguments: Any) -> dict[str, Any]:
    """A call as it is handed on: `arguments` becomes JSON text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": f"call_{secrets.token_hex(12)}", "name": name, "arguments": text}


def described(messages: list[dict[str, Any]], tools: list[dict[str, Any]], *, must: bool) -> list[dict[str, Any]]:
    """`messages` as plain texts, with the functions in the system message; earlier calls and their results are told."""
    functions = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    told = f"You can call these functions:\n{functions}\n\n{_MUST if must else _MAY}"
    plain = [_plain(message) for message in messages]
    if plain and plain[0]["role"] == "system":
        return [{"role": "system", "content": f"{plain[0]['content']}\n\n{told}"}, *plain[1:]]
    return [{"role": "system", "content": told}, *plain]


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content") or ""
    if calls := message.get("tool_calls"):
        made = [{"name": c["function"]["name"], "arguments": c["function"]["arguments"]} for c in calls]
        content = "\n".join([content, *(json.dumps(one, ensure_ascii=False) for one in made)]).strip()
    if message["role"] == "tool":
        return {"role": "user", "content": f"The function answered: {content}"}
    return {"role": message["role"], "content": content}


def schema(tools: list[dict[str, Any]], *, must: bool) -> dict[str, Any]:
    """What the answer must look like. Each function's own definitions stay with its parameters."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool["name"]}, "arguments": _parameters(tool)},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    answer = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"anyOf": calls if must else [*calls, answer]}


def _parameters(tool: dict[str, Any]) -> dict[str, Any]:
    given = tool.get("parameters") or {"type": "object", "properties": {}, "additionalProperties": False}
    # "#/$defs/x" in a function's parameters means its own: as a resource of its own it still does
    return {"$id": f"corral:tool/{tool['name']}"} | given if "$ref" in json.dumps(given) else given


def rewritten(job: Job) -> Job:
    """A job whose tools are described in words, and whose answer follows the schema. It is not streamed: nothing of it
    is for people before it is read."""
    params = job.params
    must = params["tool_choice"] == "required"
    given = {
        "messages": described(params["messages"], params["tools"], must=must),
        "grammar": {"json": schema(params["tools"], must=must)},
        "stream": False,
        "tools": [],
    }
    return Job("chat", params | given, job.files, job.emit, job.progress, job.cancelled)


def understood(job: Job, result: dict[str, Any]) -> dict[str, Any]:
    """The result of a rewritten job: its calls, or its text; streamed in one piece where `job` is to be streamed."""
    try:
        written = json.loads(result["text"])
    except ValueError:
        # it was cut off by the limit of tokens
        written = {"answer": ""}
    if "answer" in written:
        made = result | {"text": written["answer"], "calls": []}
    else:
        made = result | {"text": "", "calls": [call(written["name"], written["arguments"])]}
        made["finish_reason"] = "tool_calls"
    if job.params.get("stream"):
        deltas = [{"index": i, **one} for i, one in enumerate(made["calls"])]
        job.emit({"id": 0, "text": made["text"], "logprob": 0.0, "special": False, "calls": deltas})
    return made
