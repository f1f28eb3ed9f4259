"""Text in OpenAI's shapes: `/v1/chat/completions` and `/v1/completions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from corral.api.calling import answered, find, json_object, sse, submit, told, wants_events, whole_body
from corral.api.choices import all_of, streamed_all
from corral.api.deps import Ctx
from corral.api.openai import model_of
from corral.api.openai_shapes import Chat, Completion
from corral.context import Context
from corral.core.errors import BadRequest, NotSupported
from corral.inference.calls import Event, Failure, Result, Token
from corral.inference.calls import Request as Asked
from corral.inference.tasks import base, text_generation
from corral.inference.tasks import chat as chats

router = APIRouter()

_MOST_PROMPTS = 16


@router.post("/v1/chat/completions")
async def chat(request: Request, ctx: Ctx) -> Response:
    """A model's turn in a conversation, streamed or whole: with functions to call, JSON schemas, probabilities."""
    body = json_object(await whole_body(request))
    return await _chat(request, ctx, body, model_of(body))


@router.post("/inference/{owner:seg}/{name:seg}/v1/chat/completions")
async def chat_with(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """As above for one model, whatever `model` says: where `InferenceClient(model=URL).chat_completion` goes."""
    return await _chat(request, ctx, json_object(await whole_body(request)), f"{owner}/{name}")


@router.post("/v1/completions")
async def complete(request: Request, ctx: Ctx) -> Response:
    """Text that goes on from `prompt`, streamed or whole; several prompts have their answers one after the other."""
    body = json_object(await whole_body(request))
    params = chats.generation(body)
    if body.get("suffix"):
        raise NotSupported("'suffix' is not supported: leave it out.")
    if (base.number(body, "best_of", 1, 100, whole=True) or params["n"]) != params["n"]:
        raise NotSupported("'best_of' other than 'n' is not supported: leave it out.")
    echo = base.flag(body, "echo") or False
    tops = base.number(body, "logprobs", 0, text_generation.MOST_TOPS, whole=True)
    if echo and tops is not None:
        raise NotSupported("'echo' together with 'logprobs' is not supported: leave one of them out.")
    prompts = [prompt for prompt in _prompts(body.get("prompt")) for _ in range(params["n"])]
    asked = [params | {"prompt": prompt, "tops": tops} for prompt in prompts]
    name = model_of(body)
    return await _answer(request, ctx, name, "generate", asked, Completion(name, tops, prompts if echo else ()))


async def _chat(request: Request, ctx: Context, body: Mapping[str, Any], name: str) -> Response:
    params = chats.params(body)
    return await _answer(request, ctx, name, "chat", [params] * params["n"], Chat(name, params["tops"]))


def _prompts(value: Any) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        if len(value) > _MOST_PROMPTS:
            raise BadRequest(f"'prompt' has more than {_MOST_PROMPTS} texts: send several requests.")
        return [base.text(one, f"'prompt[{i}]'") for i, one in enumerate(value)]
    if isinstance(value, list):
        raise NotSupported("'prompt' as tokens is not supported: send it as text.")
    return [base.text(value, "'prompt'")]


async def _answer(
    request: Request, ctx: Context, name: str, op: str, asked: Sequence[dict[str, Any]], shape: Completion
) -> Response:
    """`n` answers for each prompt, run beside each other as far as the model does."""
    first = asked[0]
    each, stream, events = first["n"], first["stream"], wants_events(request)
    if events and len(asked) > 1:
        raise BadRequest("One answer at a time can be followed by events: leave out 'n'.")
    wait = events or request.headers.get("x-wait-for-model", "true").lower() not in ("false", "0")
    service, model = await find(request, ctx, name)
    calls = []
    try:
        for number, params in enumerate(asked):
            if params["seed"] is not None:
                # else all would be the same
                params = params | {"seed": params["seed"] + number % each}
            one = Asked(op, params, stream=stream)
            calls.append(await submit(request, ctx, service, model, one, wait=wait))
    except BaseException:
        for call in calls:
            call.cancel()
        raise
    if events:
        return await told(service, model, calls[0], lambda result: shape.whole([result.value]))
    if stream:
        lines = _Lines(shape, len(calls), each, first["usage"])
        return await streamed_all(request, calls, lines.of, lines.last)
    results = await all_of(request, calls)
    slowest = max(results, key=lambda result: result.seconds)
    return answered(slowest, shape.whole([result.value for result in results], each))


class _Lines:
    """A stream's lines, and what is counted on the way."""

    def __init__(self, shape: Completion, count: int, each: int, usage: bool) -> None:
        self._shape, self._each, self._usage = shape, each, usage
        self._results: list[dict[str, Any]] = [{}] * count
        self._begun: set[int] = set()

    def of(self, number: int, event: Event) -> list[bytes]:
        pieces: list[dict[str, Any] | None] = []
        if number not in self._begun and isinstance(event, Token | Result):
            self._begun.add(number)
            pieces += self._shape.begun(number)
        match event:
            case Token(value):
                pieces.append(self._shape.piece(number, value))
            case Result(value):
                self._results[number] = value
                pieces.append(self._shape.ended(number, value))
            case Failure(error):
                return [sse({"error": error.message, "error_type": "generation"})]
        return [sse(piece) for piece in pieces if piece is not None]

    def last(self) -> list[bytes]:
        counted = [sse(self._shape.counted(self._results, self._each))] if self._usage else []
        return [*counted, b"data: [DONE]\n\n"]
