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

#: examples for models whose card has none; the pictures and sounds come with the hub
PICTURES: list[dict[str, Any]] = [
    {"inputs": {"src": "/static/example-cat.jpg"}, "example_title": "A cat"},
    {"inputs": {"src": "/static/example-coffee.jpg"}, "example_title": "A cup of coffee"},
    {"inputs": {"src": "/static/example-astronaut.jpg"}, "example_title": "An astronaut"},
]
SOUNDS: list[dict[str, Any]] = [{"inputs": {"src": "/static/example-speech.flac"}, "example_title": "A sentence"}]

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
class Input:
    """One input of a task as the widget asks for it.

    `at` is where its value goes in the body, dots leading into objects: `inputs`, `inputs.question`,
    `parameters.candidate_labels`. `kind`: `line`, `area` (text of several lines), `lines` (a list, one field each),
    `labels` (a list, written with commas), `picture`, `mask` (drawn on the picture), `sound` (all three base64), `rows`
    (a table: {column: [value of each row]}). `libraries` are those whose models take it; all do where it is empty.
    """

    at: str
    kind: str
    label: str
    optional: bool = False
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Knob:
    """A parameter that a person may set: a number from `low` to `high`, or one of `choices`, or a line of text.

    `name` is its member of the body's `parameters`. With no `preset` the model decides. `Detection.choices` may give
    it choices of the model's own (voices). `libraries` are those whose models have it; all do where it is empty.
    Only models that adapt another one have an `adapter` knob.
    """

    name: str
    label: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    preset: float | str | None = None
    choices: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    adapter: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What goes in, what comes out, and how people see both.

    `form` is the widget's inputs. `output` says how it shows the answer: `bars` ([{label, score}]), `numbers` (a
    vector), `similarity` (a score for each line of the form), `text` ([{*_text}] or {text}), `tokens` (a streamed
    text), `spans` (entities in the text), `span` (an answer found in the text), `boxes` ([{label, score, box}]),
    `masks` ([{label, score, mask}], base64 PNGs as large as the picture), `points` ([{label, score, box, keypoints,
    edges}]), `picture`, `sound`, `table`.
    """

    name: str
    label: str
    form: tuple[Input, ...]
    output: str
    #: checks a body and says what to ask the engine
    request: Callable[[Body], Request]
    #: bodies to try, from the card's `widget` list if it has fitting ones; a file is {"src": address, or path in the
    #: repository}, and `example_title` may name one
    examples: Callable[[list[Mapping[str, Any]]], list[dict[str, Any]]]
    #: the engine's result as the client expects it: JSON or Media
    answer: Callable[[Request, Any], Any] = lambda _, result: result
    knobs: tuple[Knob, ...] = ()
    #: what people are shown in its place, where they had better see a picture than JSON
    shown: Callable[[Request, Any], Any] | None = None
    #: the call of huggingface_hub's InferenceClient, for people who write Python, with lines before it where it needs
    #: some; '' where it has none
    client: str = ""

    @property
    def takes_bytes(self) -> bool:
        """Whether a body may be the bytes of the first input, as they are."""
        return self.form[0].kind in ("picture", "sound")


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


def filled(value: Any, where: str) -> str:
    """A text with something in it."""
    if not text(value, where).strip():
        raise BadRequest(f"{where} is empty: write something.")
    return str(value)


def filled_texts(value: Any, where: str) -> list[str]:
    return [filled(one, f"{where}[{i}]") for i, one in enumerate(texts(value, where))]


def one_or_many(inputs: Any) -> tuple[list[str], bool]:
    """The texts under `inputs`, which is one or a list of them; and whether it is one."""
    if isinstance(inputs, list):
        return filled_texts(inputs, "'inputs'"), False
    return [filled(inputs, "'inputs'")], True


def first_of_one(request: Request, result: Any) -> Any:
    """The answer for `one_or_many`, from a list of answers."""
    return result[0] if request.params["single"] else result


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


def file(body: Body, what: str = "picture") -> bytes:
    """The bytes of the picture or sound: the body itself, or base64 (also as a data URL) under `inputs`."""
    if body.data:
        return body.data
    encoded = body.value.get("inputs")
    if not isinstance(encoded, str) or not encoded:
        raise BadRequest(f"Send a {what}: its bytes as the body, or base64 under 'inputs'.")
    return decoded(encoded, "'inputs'")


def decoded(value: Any, where: str) -> bytes:
    """The bytes of base64, also as a data URL."""
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{where} must be base64.")
    try:
        return base64.b64decode(value.rpartition("base64,")[2], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{where} is not base64.") from None


def labels(value: Any, where: str) -> list[str]:
    """A list of texts, or one text with commas between them."""
    return texts([part.strip() for part in value.split(",")] if isinstance(value, str) else value, where)


def own_examples(widget: list[Mapping[str, Any]], *members: str) -> list[dict[str, Any]]:
    """The card's examples that have the first of `members`, as bodies: `inputs` alone, or an object of several.

    `src` is the address of a file.
    """
    found = []
    for given in widget:
        if not isinstance(given.get(members[0]), str):
            continue
        values = {m: {"src": given[m]} if m == "src" else given[m] for m in members if given.get(m) is not None}
        body: dict[str, Any] = {"inputs": values if len(members) > 1 else values[members[0]]}
        if isinstance(given.get("parameters"), Mapping):
            body["parameters"] = dict(given["parameters"])
        if isinstance(given.get("example_title"), str):
            body["example_title"] = given["example_title"]
        found.append(body)
    return found


def numbered(values: Mapping[str, Any], **limits: tuple[float, float]) -> dict[str, Any]:
    """Several numbers by name, each with its limits; whole where both of them are."""
    return {
        name: number(values, name, low, high, whole=isinstance(low, int) and isinstance(high, int))
        for name, (low, high) in limits.items()
    }
