"""What a model's page needs to let a person try the model."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import Input, Knob, Task


def describe(service: InferenceService, model: Model) -> dict[str, Any]:
    """JSON for the widget.

    `task` and `library` may be None; `reason` goes after "because"; `runnable` says whether there is a widget at all,
    and `problem` (a sentence) why not. `form`, `output` and `knobs` are the task's (`tasks.base`), but for models that
    chat, whose `output` is `chat`. `examples` are bodies (`{"messages"}` for chats), where a file is `{"src": address,
    or path in the repository}`. `state` is `cold`, `loading`, `ready` or `failed`, with `estimated_time` in seconds.
    `url` takes the POST; `chat_url`, for chats, takes OpenAI's body with `model` = `name`. `also` are further tasks of
    the same weights, with members `task`, `label`, `form`, `output`, `examples`, `knobs` and `url` of their own.
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
    return known | {
        "runnable": True,
        **_asked(task, model),
        "output": "chat" if found.conversational else task.output,
        "url": f"/inference/{model.name}",
        "chat_url": "/v1/chat/completions" if found.conversational else None,
        "state": state,
        "estimated_time": round(seconds, 1),
        "size": model.size,
        "also": [_asked(TASKS[name], model) for name in found.also if name in TASKS],
    }


def _asked(task: Task, model: Model) -> dict[str, Any]:
    """What is a task's own in a description."""
    return {
        "task": task.name,
        "label": task.label,
        "form": [asdict(one) for one in task.form if _fits(one, model)],
        "output": task.output,
        "examples": _examples(task, model)[:6],
        "knobs": [asdict(_choices(knob, model)) for knob in task.knobs if _fits(knob, model)],
        "url": f"/inference/{model.name}/pipeline/{task.name}",
    }


def _fits(one: Input | Knob, model: Model) -> bool:
    if isinstance(one, Knob) and one.adapter and model.base is None:
        return False
    # what the model has choices of its own for, it has
    own = isinstance(one, Knob) and one.name in dict(model.detection.choices)
    return own or not one.libraries or model.detection.library in one.libraries


def _examples(task: Task, model: Model) -> list[dict[str, Any]]:
    """Some tasks have examples of two kinds, for models that chat and for those that do not."""
    wanted = "messages" if model.detection.conversational else "inputs"
    own = [e for e in task.examples(list(model.widget)) if wanted in e]
    return own or [e for e in task.examples([]) if wanted in e]


def _choices(knob: Knob, model: Model) -> Knob:
    own = dict(model.detection.choices).get(knob.name)
    return replace(knob, choices=own, preset=own[0]) if own else knob
