"""Downloads against nginx: a large file by curl, whole and by Range, from `resolve` and from nginx with sendfile.

    python bench/download.py [--size BYTES] [--rounds N]

nginx serves the very file that the hub stored. The promise: at least 0.95 of nginx's speed. A third figure, without a
promise, is the processor time that each server took for a gigabyte.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from side_by_side import GIB, big_file, cpu_seconds, hub, median, nginx, take_turns, verdict
from upload import put

PROMISE = 0.95


def fetch(url: str, size: int, window: str = "") -> float:
    """Gigabytes a second, as curl saw it."""
    command = ["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", url]
    told = subprocess.run([*command, *(["-r", window] if window else [])], capture_output=True, text=True, check=True)
    got, seconds = told.stdout.split()
    assert int(got) == size, f"{url} sent {got} bytes instead of {size}"
    return int(got) / float(seconds) / 1e9


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=GIB)
    options.add_argument("--rounds", type=int, default=9)
    chosen = options.parse_args()
    size: int = chosen.size
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as folder, hub() as (server, person):
        file = big_file(Path(folder) / "weights.bin", size)
        repo = person.api.create_repo(f"{person.name}/bench").repo_id
        put(person, repo, file, "weights.bin")
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stored = next(p for p in server.folder.joinpath("store").rglob(digest))
        with nginx(stored.parent) as (address, worker):
            ours, theirs = f"{server.url}/{repo}/resolve/main/weights.bin", f"{address}/{digest}"
            window, part = f"{size // 4}-{size - 2}", size - 1 - size // 4
            cpu: dict[str, float] = {}

            def counted(name: str, pid: int, work: Callable[[], float]) -> Callable[[], float]:
                def run() -> float:
                    before = cpu_seconds(pid)
                    speed = work()
                    cpu[name] = cpu.get(name, 0.0) + cpu_seconds(pid) - before
                    return speed

                return run

            sides = {
                "nginx, whole": counted("nginx", worker, lambda: fetch(theirs, size)),
                "Corral, whole": counted("Corral", server.pid, lambda: fetch(ours, size)),
                "nginx, range": counted("nginx", worker, lambda: fetch(theirs, part, window)),
                "Corral, range": counted("Corral", server.pid, lambda: fetch(ours, part, window)),
            }
            for side in sides.values():
                side()
            cpu.clear()
            speeds = take_turns(chosen.rounds, sides)
    for name, values in speeds.items():
        print(f"{name}: {median(values):.2f} GB/s (best {max(values):.2f}, of {len(values)})")
    gigabytes = chosen.rounds * (size + part) / 1e9
    print("processor seconds per GB: " + ", ".join(f"{name} {used / gigabytes:.2f}" for name, used in cpu.items()))
    kept = [
        verdict(f"download, {way}", median(speeds[f"Corral, {way}"]) / median(speeds[f"nginx, {way}"]), PROMISE)
        for way in ("whole", "range")
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
