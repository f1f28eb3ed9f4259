"""200 callers at once on 10 models that do not all fit into the memory that the hub gives to models.

    python bench/crowd.py [--callers 200] [--models 10] [--seconds 60] [--memory GIB]

Each caller asks its model again and again, and waits as long as it is told to where it is refused. Promised: no error
but honest refusals (503 with Retry-After), no caller starved (the worst served at least 0.1 of the median), memory
inside the budget, and the hub's pages as fast as people notice (95 of 100 within 300 ms, reported against idle).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from side_by_side import Hub, models, verdict


def page_times(url: str, until: threading.Event, taken: list[float]) -> None:
    with httpx.Client(timeout=60) as client:
        while not until.is_set():
            for path in ("/models", "/"):
                began = time.perf_counter()
                client.get(url + path).raise_for_status()
                taken.append(time.perf_counter() - began)
            until.wait(0.1)


def memory_of_workers(hub_pid: int) -> int:
    """Bytes that the processes below the hub hold."""
    found, pids = 0, [hub_pid]
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                pids += map(int, file.read_text().split())
            except OSError:
                continue
    for pid in pids[1:]:
        try:
            if b"corral.inference.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        except OSError:
            continue
    return found


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else 0.0


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--callers", type=int, default=200)
    options.add_argument("--models", type=int, default=10)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--memory", type=float, default=2.0, help="GiB for models")
    given = options.parse_args()
    budget = int(given.memory * 2**30)
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as name:
        server = Hub(Path(name) / "data", CORRAL_INFERENCE_MEMORY=str(budget)).start()
        person = server.person()
        folder = models.make("embedding", Path(name) / "model")
        repos = [person.api.create_repo(f"{person.name}/m{n}").repo_id for n in range(given.models)]
        for repo in repos:
            person.api.upload_folder(repo_id=repo, folder_path=folder)
        people = [server.person() for _ in range(given.callers)]
        quiet: list[float] = []
        until = threading.Event()
        threading.Timer(5, until.set).start()
        page_times(server.url, until, quiet)

        statuses: Counter[int] = Counter()
        served = [0] * given.callers
        odd: list[str] = []
        deadline = time.monotonic() + given.seconds
        most = 0

        def caller(number: int) -> None:
            url = f"{server.url}/inference/{repos[number % len(repos)]}"
            body = {"inputs": {"source_sentence": f"caller {number}", "sentences": ["one", "two"]}}
            headers = people[number].headers | {"x-wait-for-model": "true"}
            with httpx.Client(timeout=given.seconds + 120) as client:
                while time.monotonic() < deadline:
                    answer = client.post(url, json=body, headers=headers)
                    statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        served[number] += 1
                    elif answer.status_code == 503 and "retry-after" in answer.headers:
                        time.sleep(min(float(answer.headers["retry-after"]), 5))
                    else:
                        odd.append(f"{answer.status_code} {answer.text[:200]}")

        busy: list[float] = []
        until = threading.Event()
        pages = threading.Thread(target=page_times, args=(server.url, until, busy))
        pages.start()
        with ThreadPoolExecutor(given.callers) as pool:
            running = [pool.submit(caller, number) for number in range(given.callers)]
            while not all(one.done() for one in running):
                most = max(most, memory_of_workers(server.pid))
                time.sleep(0.25)
            for one in running:
                one.result()
        until.set()
        pages.join()
        server.stop()
    median, worst = statistics.median(served), min(served)
    print(f"{given.callers} callers, {given.models} models, {given.memory} GiB: answers {dict(statuses)}")
    print(f"served: worst {worst}, median {median:.0f}, best {max(served)}")
    print(f"memory of workers at most {most / 2**30:.2f} GiB of {given.memory}")
    print(f"pages, 95 of 100 within: {p95(quiet) * 1e3:.0f} ms idle, {p95(busy) * 1e3:.0f} ms meanwhile")
    for text in odd[:5]:
        print("  ", text)
    kept = verdict("errors that are no honest refusal", len(odd), 0, at_most=True)
    kept &= verdict("worst caller / median", worst / median if median else 0.0, 0.1)
    kept &= verdict("memory / budget", most / budget, 1.0, at_most=True)
    kept &= verdict("pages, seconds (95 of 100)", p95(busy), 0.3, at_most=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
