"""1,000 `HEAD resolve` requests, and as many `HEAD`s of a small file from nginx, on one kept connection and on eight.

    python bench/head_resolve.py [--requests N]

Reported without a promise: nginx looks at a file, the hub at rights, a ref, a tree and the download count.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from side_by_side import hub, median, nginx

ROUNDS = 3


def ask(url: str, count: int) -> list[float]:
    """Seconds that each of `count` HEAD requests took, one after the other on one connection."""
    parts = urlsplit(url)
    request = f"HEAD {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept-Encoding: identity\r\n\r\n".encode()
    taken = []
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                piece = connection.recv(65536)
                assert piece, f"{url} closed the connection after {answer!r}"
                answer += piece
            taken.append(time.perf_counter() - began)
            assert answer.startswith(b"HTTP/1.1 200 "), answer
    return taken


def together(url: str, count: int, connections: int) -> tuple[float, list[float]]:
    """(requests a second, seconds of each)."""
    with ThreadPoolExecutor(connections) as pool:
        began = time.perf_counter()
        results = list(pool.map(lambda _: ask(url, count // connections), range(connections)))
        seconds = time.perf_counter() - began
    taken = [one for result in results for one in result]
    return len(taken) / seconds, taken


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=1000)
    count: int = options.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as name, hub() as (server, person):
        small = Path(name) / "config.json"
        small.write_text('{"model_type": "bert"}')
        Path(name).chmod(0o755)
        repo = person.api.create_repo(f"{person.name}/bench").repo_id
        person.api.upload_file(path_or_fileobj=small, path_in_repo="config.json", repo_id=repo)
        with nginx(Path(name)) as (address, _):
            sides = {"nginx": f"{address}/config.json", "Corral": f"{server.url}/{repo}/resolve/main/config.json"}
            for connections in (1, 8):
                rates: dict[str, list[float]] = {name: [] for name in sides}
                times: dict[str, list[float]] = {name: [] for name in sides}
                for url in sides.values():
                    together(url, max(100, count // 10), connections)
                for _ in range(ROUNDS):
                    for name, url in sides.items():
                        rate, taken = together(url, count, connections)
                        rates[name].append(rate)
                        times[name] += taken
                for name in sides:
                    ordered = sorted(times[name])
                    print(
                        f"{name}, {connections} connection{'s' if connections > 1 else ''}: "
                        f"{median(rates[name]):.0f} requests/s, half within {ordered[len(ordered) // 2] * 1e3:.2f} ms, "
                        f"99 of 100 within {ordered[len(ordered) * 99 // 100] * 1e3:.2f} ms"
                    )
                print(f"  Corral / nginx: {median(rates['Corral']) / median(rates['nginx']):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
