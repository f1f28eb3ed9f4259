"""What asking a model through the hub costs, against the bare library in a process of its own on the same machine.

    python bench/inference.py [--calls N]

Sentence embeddings (all-MiniLM-L6-v2) and image classification (tiny ViT), as the two ask for them:

- one caller: the time of a call through the hub against the library's call, median and 99th percentile;
- many callers at once: texts a second through the hub, against the library one text at a time, and against the library
  with an ideal batch (all the texts that are there at once). Promised: at least 0.9 of the ideal batch.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from side_by_side import hub, median, models, verdict

ROUNDS = 5
CALLERS = 16
WORDS = "a small model answers many people at once and each of them waits for no longer than it must".split()


@dataclass(frozen=True, slots=True)
class Case:
    """`inputs` are what is asked in turn; `body` makes the request of one."""

    name: str
    kind: str
    folder: Path
    inputs: Sequence[Any]
    body: Callable[[Any], dict[str, Any]]


#: the library's side: reads lines of JSON {"inputs": [...]}, answers the seconds that they took together
LIBRARY = """
import base64, io, json, sys, time
import torch
kind, folder = sys.argv[1:]
if kind == "texts":
    from pathlib import Path
    from corral.inference.engines.base import Job
    from transformers import AutoModel, AutoTokenizer
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    def run(texts):
        # as sentence-transformers does it: tokens, model, mean of what is no padding, unit length
        batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(pooled, dim=-1).tolist()
else:
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification
    processor = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    def run(pictures):
        images = [Image.open(io.BytesIO(base64.b64decode(p))).convert("RGB") for p in pictures]
        return model(**processor(images=images, return_tensors="pt")).logits.softmax(-1).topk(3).values.tolist()
with torch.inference_mode():
    run(json.loads(sys.stdin.readline()))
    print("ready", flush=True)
    for line in sys.stdin:
        inputs = json.loads(line)
        began = time.perf_counter()
        run(inputs)
        print(time.perf_counter() - began, flush=True)
"""


@contextmanager
def library(case: Case) -> Iterator[Callable[[Sequence[Any]], float]]:
    """A function that has the bare library run inputs as one batch, and gives the seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIBRARY, case.kind, str(case.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout

    def run(inputs: Sequence[Any]) -> float:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(list(inputs)) + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        process.stdin.write(json.dumps(list(case.inputs[:1])) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield run
    finally:
        process.kill()
        process.wait()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def one_caller(case: Case, url: str, client: httpx.Client, bare: Callable[[Sequence[Any]], float], calls: int) -> None:
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(calls):
        given = case.inputs[number % len(case.inputs)]
        body = case.body(given)
        began = time.perf_counter()
        answer = client.post(url, json=body)
        ours.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        theirs.append(bare([given]))
    for name, share in (("median", 0.5), ("99th percentile", 0.99)):
        hub_ms, bare_ms = percentile(ours, share) * 1e3, percentile(theirs, share) * 1e3
        print(
            f"  one caller, {name}: {hub_ms:.1f} ms through the hub, {bare_ms:.1f} ms bare (+{hub_ms - bare_ms:.1f} ms)"
        )


def many_callers(case: Case, url: str, bare: Callable[[Sequence[Any]], float]) -> bool:
    """Rounds in turn, since other load on the machine comes and goes."""
    each = max(4, 96 // CALLERS)
    asked = [case.inputs[n % len(case.inputs)] for n in range(CALLERS * each)]
    rates: dict[str, list[float]] = {"hub": [], "one by one": [], "ideal batch": []}
    with ThreadPoolExecutor(CALLERS) as pool:
        clients = [httpx.Client(timeout=300) for _ in range(CALLERS)]

        def caller(number: int) -> None:
            for given in asked[number::CALLERS]:
                answer = clients[number].post(url, json=case.body(given))
                assert answer.status_code == 200, answer.text

        list(pool.map(caller, range(CALLERS)))
        for _ in range(ROUNDS):
            began = time.perf_counter()
            list(pool.map(caller, range(CALLERS)))
            rates["hub"].append(len(asked) / (time.perf_counter() - began))
            rates["one by one"].append(len(asked) / sum(bare([given]) for given in asked))
            batches = [asked[n : n + CALLERS] for n in range(0, len(asked), CALLERS)]
            rates["ideal batch"].append(len(asked) / sum(bare(batch) for batch in batches))
    found = {name: median(values) for name, values in rates.items()}
    print("  " + ", ".join(f"{name} {rate:.0f}/s" for name, rate in found.items()), f"({CALLERS} callers)")
    print(f"  hub / one by one: {found['hub'] / found['one by one']:.2f}")
    return verdict("  hub / ideal batch", found["hub"] / found["ideal batch"], 0.9)


def cases(folder: Path) -> list[Case]:
    texts = [" ".join(WORDS[n % 7 :]) + f" {n}" for n in range(32)]
    vit = models.make("classifier", folder / "vit")
    picture = (Path(__file__).parent.parent / "src/corral/web/static/example-cat.jpg").read_bytes()
    pictures = [base64.b64encode(picture).decode()] * 4
    return [
        Case("embeddings, all-MiniLM-L6-v2", "texts", models.minilm(), texts, lambda text: {"inputs": text}),
        Case("image classification, tiny ViT", "pictures", vit, pictures, lambda data: {"inputs": data}),
    ]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=200)
    calls: int = options.parse_args().calls
    kept = True
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as name, hub() as (server, person):
        for case in cases(Path(name)):
            repo = person.api.create_repo(f"{person.name}/{case.kind}").repo_id
            person.api.upload_folder(repo_id=repo, folder_path=case.folder)
            url = f"{server.url}/inference/{repo}"
            print(case.name)
            with httpx.Client(timeout=300) as client, library(case) as bare:
                client.post(
                    url, json=case.body(case.inputs[0]), headers={"x-wait-for-model": "true"}
                ).raise_for_status()
                one_caller(case, url, client, bare, calls)
                kept &= many_callers(case, url, bare)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
