"""Text generation against the bare libraries: the first token and tokens a second of a single caller, then of several.

    python bench/chat.py [--rounds N] [--tokens N]

The hub serves SmolLM2-135M-Instruct over HTTP, as a 4-bit GGUF file (llama.cpp) and as safetensors (transformers). The
bare libraries run the same files on the same prompt, each in a process of its own: llama.cpp's server inside xllamacpp,
and `model.generate` of transformers in the same number format. All are loaded at the same time and take turns. The
promise: at least 0.95 of the bare library's tokens a second, and of its way to the first token. Without a promise: what
several callers get together, as a multiple of what one gets.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
from zoo.smollm2_135m_instruct import recipe

from side_by_side import Hub, Person, hub, median, take_turns, verdict

PROMISE = 0.95
PROMPT = (
    "The village lay by the sea, and in the mornings the boats went out before the sun had risen. Old Marta, who had "
    "seen more winters than anybody else, sat on the wall of the harbour and told the children what the sea had been "
    "like when she was young, and they believed every word. One day"
)
CALLERS = (2, 4, 8)
#: seconds from the question to each token of its answer, of so many tokens
Ask = Callable[[int], list[float]]


def bare_llama_cpp(file: Path) -> Ask:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.verbosity = str(file), 8192, 0
    server = xllamacpp.Server(params)

    def ask(tokens: int) -> list[float]:
        body = {"prompt": PROMPT, "max_tokens": tokens, "temperature": 0, "stream": True, "cache_prompt": False}
        came: list[float] = []
        began = time.perf_counter()
        server.handle_completions(body, lambda _: came.append(time.perf_counter() - began))
        # the last event has no token
        return came[:-1]

    return ask


def bare_transformers(folder: Path) -> Ask:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.generation.streamers import BaseStreamer

    from corral.inference.engines.base import dtype_for

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype_for(torch.bfloat16)).eval()

    class Times(BaseStreamer):  # type: ignore[misc]
        def __init__(self) -> None:
            self.came: list[float] = []

        def put(self, value: object) -> None:
            self.came.append(time.perf_counter())

        def end(self) -> None:
            return None

    def ask(tokens: int) -> list[float]:
        times, began = Times(), time.perf_counter()
        given = tokenizer(PROMPT, return_tensors="pt")
        model.generate(**given, max_new_tokens=tokens, do_sample=False, streamer=times, pad_token_id=0)
        # the prompt comes first
        return [at - began for at in times.came[1:]]

    return ask


def served(url: str, person: Person, model: str) -> Ask:
    connection = httpx.Client(base_url=url, headers={"authorization": f"Bearer {person.token}"}, timeout=600)

    def ask(tokens: int) -> list[float]:
        # a seed has the prompt read anew each time, as the bare libraries do
        body = {"model": model, "prompt": PROMPT, "max_tokens": tokens, "temperature": 0, "seed": 0, "stream": True}
        came: list[float] = []
        began = time.perf_counter()
        with connection.stream("POST", "/v1/completions", json=body) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["finish_reason"] is None:
                    came.append(time.perf_counter() - began)
        return came

    return ask


def _answer_on(pipe: Connection, load: Callable[[Path], Ask], path: Path) -> None:
    # as the hub's workers are, so that other load on the machine hits both alike
    os.nice(5)
    ask = load(path)
    with suppress(EOFError):
        while True:
            pipe.send(ask(pipe.recv()))


def apart(load: Callable[[Path], Ask], path: Path) -> Ask:
    """What `load` gives, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    mine, its = spawn.Pipe()
    spawn.Process(target=_answer_on, args=(its, load, path), daemon=True).start()

    def ask(tokens: int) -> list[float]:
        mine.send(tokens)
        found: list[float] = mine.recv()
        return found

    return ask


def original() -> Path:
    """The 4-bit GGUF file, from the package that ships it."""
    # where the tests keep it
    from building import models_chat

    return models_chat.smollm() / models_chat.GGUF


def pace(times: list[float]) -> float:
    """Tokens a second after the first."""
    return (len(times) - 1) / (times[-1] - times[0])


def together(ask: Ask, callers: int, tokens: int) -> float:
    """Tokens a second of several callers."""
    began = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(tokens,)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return callers * tokens / (time.perf_counter() - began)


def compare(
    server: Hub, person: Person, library: str, load: Callable[[Path], Ask], path: Path, options: Namespace
) -> bool:
    """Whether the promises are kept for the model in `path`, which may be one file of its repository."""
    repo = person.api.create_repo(f"{person.name}/{library}").repo_id
    person.api.upload_folder(repo_id=repo, folder_path=path if path.is_dir() else path.parent)
    sides = {"Corral": served(server.url, person, repo), library: apart(load, path)}
    runs: dict[str, list[list[float]]] = {side: [] for side in sides}

    def measured(side: str) -> float:
        runs[side].append(sides[side](options.tokens))
        return pace(runs[side][-1])

    for ask in sides.values():
        ask(8)
    paces = take_turns(options.rounds, {side: partial(measured, side) for side in sides})
    speed = {side: median(values) for side, values in paces.items()}
    first = {side: median([times[0] for times in found]) for side, found in runs.items()}
    for side in sides:
        print(f"{library}, {side}: {speed[side]:.1f} tokens/s, first token after {first[side] * 1000:.0f} ms")
    kept = [
        verdict(f"{library}, tokens a second", speed["Corral"] / speed[library], PROMISE),
        verdict(f"{library}, way to the first token", first[library] / first["Corral"], PROMISE),
    ]
    alone = together(sides["Corral"], 1, options.tokens)
    for callers in CALLERS:
        everybody = together(sides["Corral"], callers, options.tokens)
        print(f"{library}, {callers} callers: {everybody:.1f} tokens/s together, {everybody / alone:.2f} times one's")
    return all(kept)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--tokens", type=int, default=64)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as name, hub() as (server, person):
        file, whole = Path(name) / "gguf" / "model.gguf", Path(name) / "whole"
        file.parent.mkdir()
        shutil.copy(original(), file)
        kept = [compare(server, person, "llama.cpp", bare_llama_cpp, file, chosen)]
        whole.mkdir()
        recipe.build([original().parent], whole)
        kept.append(compare(server, person, "transformers", bare_transformers, whole, chosen))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
