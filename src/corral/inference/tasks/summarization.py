"""What a text says in short: a text -> `[{"summary_text"}]`; a list of texts gives one of them for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.inference.tasks import base, text2text_generation

_TOWER = (
    "The tower is 324 metres tall, about the same height as an 81-storey building, and the tallest structure in Paris. "
    "Its base is square, measuring 125 metres on each side. During its construction, the Eiffel Tower surpassed the "
    "Washington Monument to become the tallest man-made structure in the world, a title it held for 41 years until the "
    "Chrysler Building in New York City was finished in 1930."
)


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [{"inputs": _TOWER, "example_title": "The Eiffel Tower"}]


TASK = base.Task(
    "summarization",
    "Summarization",
    (base.Input("inputs", "area", "Text"),),
    "text",
    text2text_generation.request("summarize"),
    _examples,
    text2text_generation.answer("summary_text"),
    text2text_generation.KNOBS,
    client='client.summarization("The tower is 324 metres tall, about the same height as an 81-storey building.")',
)
