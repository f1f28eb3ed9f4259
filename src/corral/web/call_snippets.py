"""How a program has a model run on this hub: a few lines that can be pasted and run as they are."""

from __future__ import annotations

import json
from typing import Any

from corral.inference.tasks.base import Task
from corral.web.snippets import snippet
from corral.web.views import Snippet


def snippets(name: str, task: Task, chats: bool, origin: str) -> list[Snippet]:
    """How a program has the model `name` run on this hub: from Python, JavaScript and the command line."""
    if chats:
        url, body = f"{origin}/v1/chat/completions", {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
        python = (
            f'from huggingface_hub import InferenceClient\n\nclient = InferenceClient(base_url="{origin}/v1")\n'
            f'answer = client.chat_completion(\n    model="{name}",\n'
            '    messages=[{"role": "user", "content": "Hello"}],\n)\n'
            "print(answer.choices[0].message.content)"
        )
        shown = "(await answer.json()).choices[0].message.content"
    else:
        url, body = f"{origin}/inference/{name}", _plain(task.examples([])[0])
        python = (
            "from huggingface_hub import InferenceClient\n\n"
            f'client = InferenceClient(model="{url}")\n{_shown(task.client)}'
            if task.client
            else f"import requests\n\nanswer = requests.post(\n    {url!r},\n    json={body!r})\nprint(answer.json())"
        )
        shown = "await answer.blob()" if task.output in ("picture", "sound") else "await answer.json()"
    only_file = task.takes_bytes and len(body) == 1
    kept = {"picture": "-o picture.png", "sound": "-o sound.wav"}.get(task.output, "") if not chats else ""
    if only_file:
        sent, data = "file, // of an <input type=file>", "--data-binary @file"
        typed = ""
    else:
        text = json.dumps(body, ensure_ascii=False)
        quoted = text.replace("'", "'\\''")
        sent, data = f"JSON.stringify({text}),", f"-H 'Content-Type: application/json' \\\n  -d '{quoted}'"
        typed = '  headers: { "Content-Type": "application/json" },\n'
    script = (
        f'const answer = await fetch("{url}", {{\n  method: "POST",\n{typed}  body: {sent}\n}});\nconsole.log({shown});'
    )
    waits = "" if chats else " \\\n  -H 'x-wait-for-model: true'"
    curl = f"curl {url}{waits} \\\n  {data}" + (f" \\\n  {kept}" if kept else "")
    return [
        snippet("Call it from Python", python),
        snippet("Call it from JavaScript", script, "javascript"),
        snippet("Call it with curl", curl, "bash"),
    ]


def _shown(lines: str) -> str:
    """The last line is the call: what it gives is printed, unless it is saved already."""
    *before, call = lines.splitlines()
    return "\n".join([*before, call if ".save(" in call else f"print({call})"])


def _plain(value: Any) -> Any:
    """An example without what is for people, and with a word in a file's place."""
    if isinstance(value, dict):
        if set(value) == {"src"}:
            return "BASE64"
        return {key: _plain(inner) for key, inner in value.items() if key != "example_title"}
    return value
