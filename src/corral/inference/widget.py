"""What a model's page needs to let a person try the model."""

from __future__ import annotations

from typing import Any

from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.inference.tasks import TASKS


def describe(service: InferenceService, model: Model) -> dict[str, Any]:
    """JSON for the widget.

    `task` and `library` may be None; `reason` goes after "because"; `runnable` says whether there is a widget at all,
    and `problem` (a sentence) why not. `input` is the form: `similarity`, `text`, `image`, `prompt` or `chat`.
    `examples` hold `inputs`, `messages` (chat) or `image` (an address, or a path in the repository). `state` is `cold`,
    `loading`, `ready` or `failed`, with `estimated_time` in seconds. `url` takes the POST; `chat_url`, for chats,
    takes OpenAI's body with `model` = `name`.
    """
    found = model.detection
    task = TASKS.get(found.task or "")
    known: dict[str, Any] = {
        "name": model.name,
        "commit": model.commit,
        "task": found.task,
        "label": task.label if task else (found.task or "").replace("-", " ").capitalize(),
        "library": found.library,
        "reason": found.reason,
        "runnable": False,
        "problem": found.problem,
    }
    if task is None or found.engine is None:
        return known
    if model.memory > service.budget:
        return known | {"problem": "It needs more memory than this hub gives to models (CORRAL_INFERENCE_MEMORY)."}
    state, seconds = service.state(model)
    wanted = "messages" if found.conversational else "inputs"
    examples = task.examples(list(model.widget))
    if task.input == "prompt":
        examples = [e for e in examples if wanted in e] or [e for e in task.examples([]) if wanted in e]
    return known | {
        "runnable": True,
        "input": "chat" if found.conversational else task.input,
        "examples": examples[:6],
        "parameters": list(task.parameters),
        "url": f"/inference/{model.name}",
        "chat_url": "/v1/chat/completions" if found.conversational else None,
        "state": state,
        "estimated_time": round(seconds, 1),
    }
