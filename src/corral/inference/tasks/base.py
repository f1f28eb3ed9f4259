"""What a task is, and the checks of input that several share.

Bodies are those of Hugging Face's Inference API: JSON `{"inputs": …, "parameters": {…}, "options": {…}}`, or the raw
bytes of a picture (specifications: huggingface.js `packages/tasks/src/tasks/*/spec`, huggingface_hub 2.4.0).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from corral.core.errors import BadRequest, Unprocessable
from corral.inference.calls import Request

#: one request may hold this many texts, each of this many characters
MAX_TEXTS = 1000
MAX_TEXT = 200_000


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: JSON (`value` is an object), or bytes (`data`)."""

    value: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The `parameters` object. Members beside `inputs` count too: that is how feature-extraction's are sent."""
        inner = self.value.get("parameters")
        if inner is not None and not isinstance(inner, Mapping):
            raise BadRequest("'parameters' must be an object.")
        beside = {k: v for k, v in self.value.items() if k not in ("inputs", "parameters", "options", "stream")}
        return beside | dict(inner or {})

    @property
    def options(self) -> Mapping[str, Any]:
        inner = self.value.get("options")
        return inner if isinstance(inner, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Task:
    """`input` names the widget's form: similarity, text, image or prompt."""

    name: str
    label: str
    input: str
    #: checks a body and says what to ask the engine
    request: Callable[[Body], Request]
    #: the engine's result as the client expects it
    answer: Callable[[Request, Any], Any]
    #: inputs to try, from the card's `widget` list if it has fitting ones
    examples: Callable[[list[Mapping[str, Any]]], list[dict[str, Any]]]
    #: what a person may set, for the widget
    parameters: tuple[dict[str, Any], ...] = ()


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{where} must be text.")
    if len(value) > MAX_TEXT:
        raise Unprocessable(f"{where} is longer than {MAX_TEXT} characters: shorten it.")
    return value


def texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise BadRequest(f"{where} must be a list of texts that is not empty.")
    if len(value) > MAX_TEXTS:
        raise Unprocessable(f"{where} has more than {MAX_TEXTS} texts: send them in several requests.")
    return [text(v, f"{where}[{i}]") for i, v in enumerate(value)]


def number(values: Mapping[str, Any], name: str, low: float, high: float, *, whole: bool = False) -> Any:
    """The number under `name`, None where it is absent. Raises BadRequest outside `low` to `high`."""
    value = values.get(name)
    if value is None:
        return None
    good = isinstance(value, int) if whole else isinstance(value, (int, float))
    if not good or isinstance(value, bool) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise BadRequest(f"'{name}' must be {kind} from {low:g} to {high:g}.")
    return value


def flag(values: Mapping[str, Any], name: str) -> bool | None:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"'{name}' must be true or false.")
    return value


def choice(values: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
    value = values.get(name)
    if value is not None and value not in allowed:
        raise BadRequest(f"'{name}' must be one of: {', '.join(allowed)}.")
    return value


def picture(body: Body) -> bytes:
    """The bytes of the picture: the body itself, or base64 (also as a data URL) under `inputs`."""
    if body.data:
        return body.data
    encoded = body.value.get("inputs")
    if not isinstance(encoded, str) or not encoded:
        raise BadRequest("Send a picture: its bytes as the body, or base64 under 'inputs'.")
    try:
        return base64.b64decode(encoded.rpartition("base64,")[2], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("'inputs' is not base64.") from None
