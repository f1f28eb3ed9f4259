"""A turn in a conversation, as OpenAI's chat completions take it, for models that generate text.

Specification: OpenAI's API reference; huggingface_hub 2.4.0 `inference/_generated/types/chat_completion.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest, NotSupported, Unprocessable
from corral.inference.tasks import base, text_generation

MOST_MESSAGES = 1000
MOST_TOOLS = 128
MOST_CHOICES = 8
_DEFAULT_TOKENS = 1024
#: what is refused rather than passed over, since the answer would not be what was asked for
_UNSUPPORTED = ("functions", "function_call", "logit_bias", "audio", "prediction", "web_search_options")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def params(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine is asked for a chat completion's body."""
    found = generation(body)
    offered, choice = tools(body)
    if offered and found["grammar"]:
        raise NotSupported("'response_format' together with 'tools' is not supported: leave one of them out.")
    wanted = base.flag(body, "logprobs")
    top = base.number(body, "top_logprobs", 0, text_generation.MOST_TOPS, whole=True)
    if top is not None and not wanted:
        raise BadRequest("'top_logprobs' needs 'logprobs': true.")
    parallel = base.flag(body, "parallel_tool_calls")
    return found | {
        "messages": messages(body.get("messages")),
        "tools": offered,
        "tool_choice": choice,
        "parallel_tool_calls": parallel is not False,
        "tops": (top or 0) if wanted else None,
    }


def generation(body: Mapping[str, Any]) -> dict[str, Any]:
    """What chat completions and completions share. `n` is for whoever asks: the engine gives one answer."""
    for name in _UNSUPPORTED:
        if body.get(name):
            raise NotSupported(f"'{name}' is not supported: leave it out.")
    if body.get("modalities") not in (None, ["text"]):
        raise NotSupported("'modalities' other than text are not supported: leave it out.")
    most = body.get("max_completion_tokens", body.get("max_tokens"))
    options = body.get("stream_options")
    if options is not None and not isinstance(options, Mapping):
        raise BadRequest("'stream_options' must be an object.")
    return text_generation.sampling(body) | {
        "max_new_tokens": base.number({"max_tokens": most}, "max_tokens", 1, 1_000_000, whole=True) or _DEFAULT_TOKENS,
        "stop": text_generation.stops(body.get("stop")),
        "stream": base.flag(body, "stream") or False,
        "usage": bool(options and base.flag(options, "include_usage")),
        "n": base.number(body, "n", 1, MOST_CHOICES, whole=True) or 1,
        "grammar": _format(body.get("response_format")),
        # as the model's own generation_config.json has it, where the caller says nothing
        "sample_by_default": True,
    }


def _format(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, Mapping) else None
    match kind:
        case "text":
            return None
        case "json_object":
            # with a schema that is what huggingface_hub makes of `json_schema`
            given = value.get("value") or {"type": "object"}
            return {"json": text_generation.schema(given, "'response_format.value'")}
        case "json_schema":
            given = value.get("json_schema")
            if not isinstance(given, Mapping) or given.get("schema") is None:
                raise BadRequest("'response_format.json_schema' must be an object with 'schema'.")
            return {"json": text_generation.schema(given["schema"], "'response_format.json_schema.schema'")}
        case "json" | "regex":
            return text_generation.grammar(value, "'response_format'")
    raise BadRequest("'response_format.type' must be one of: text, json_object, json_schema.")


def tools(body: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The functions that may be called, and `auto` or `required`. None where none is to be called."""
    value = body.get("tools")
    if value is not None and (not isinstance(value, list) or len(value) > MOST_TOOLS):
        raise BadRequest(f"'tools' must be a list of at most {MOST_TOOLS} functions.")
    offered = [_tool(one, f"'tools[{i}]'") for i, one in enumerate(value or ())]
    choice = body.get("tool_choice")
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        chosen = [tool for tool in offered if tool["name"] == name]
        if not chosen:
            raise BadRequest("'tool_choice' names a function that is not among 'tools'.")
        return chosen, "required"
    if choice not in (None, "none", "auto", "required"):
        raise BadRequest("'tool_choice' must be none, auto, required or a function.")
    if choice == "required" and not offered:
        raise BadRequest("'tool_choice' is required, and there are no 'tools'.")
    return ([], "auto") if choice == "none" else (offered, "required" if choice == "required" else "auto")


def _tool(value: Any, where: str) -> dict[str, Any]:
    function = value.get("function") if isinstance(value, Mapping) else None
    if (
        not isinstance(value, Mapping)
        or value.get("type", "function") != "function"
        or not isinstance(function, Mapping)
    ):
        raise BadRequest(f'{where} must be {{"type": "function", "function": {{…}}}}.')
    name, told = function.get("name"), function.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(f"{where} needs a name of up to 64 letters, digits, '_', '.' and '-'.")
    found: dict[str, Any] = {"name": name}
    if told is not None:
        found["description"] = base.text(told, f"{where}.description")
    if function.get("parameters") is not None:
        found["parameters"] = text_generation.schema(function["parameters"], f"{where}.parameters")
    return found


def messages(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise BadRequest("'messages' must be a list of messages that is not empty.")
    if len(value) > MOST_MESSAGES:
        raise Unprocessable(f"'messages' has more than {MOST_MESSAGES} messages: leave out old ones.")
    return [_message(m, f"'messages[{i}]'") for i, m in enumerate(value)]


def _message(value: Any, where: str) -> dict[str, Any]:
    role = value.get("role") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(role, str) or not role:
        raise BadRequest(f"{where} must be an object with 'role' and 'content'.")
    # newer models are told by a developer what older ones were by the system
    found: dict[str, Any] = {"role": "system" if role == "developer" else role}
    content = value.get("content")
    if isinstance(content, list):
        if any(not isinstance(part, Mapping) or part.get("type") != "text" for part in content):
            raise NotSupported(f"{where} has parts that are not text, which these models do not read.")
        content = "".join(base.text(part.get("text"), f"{where}.content") for part in content)
    if role == "assistant" and value.get("tool_calls"):
        found["tool_calls"] = _calls(value["tool_calls"], f"{where}.tool_calls")
        content = content or ""
    found["content"] = base.text(content, f"{where}.content")
    for name in ("name", "tool_call_id"):
        if value.get(name) is not None:
            found[name] = base.text(value[name], f"{where}.{name}")
    return found


def _calls(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MOST_TOOLS:
        raise BadRequest(f"{where} must be a list of at most {MOST_TOOLS} calls.")
    found = []
    for number, one in enumerate(value):
        function = one.get("function") if isinstance(one, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise BadRequest(f"{where}[{number}] must have a 'function' with 'name' and 'arguments'.")
        given = function.get("arguments") or "{}"
        arguments = json.dumps(given) if isinstance(given, Mapping) else base.text(given, f"{where}[{number}]")
        call = {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
        found.append(call | ({"id": one["id"]} if isinstance(one.get("id"), str) else {}))
    return found
