"""What the measurements against nginx and coreutils share: a hub with a user, nginx, and the two told apart fairly.

Both sides run on this machine at the same time and take turns, so that other load on it hits both alike; medians are
compared.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
# the same hub process, users and models that the tests have
from building import models
from building.hub import Hub, Person, free_port

__all__ = [
    "GIB", "Hub", "Person", "big_file", "cpu_seconds", "free_port", "hub", "median", "models", "nginx", "take_turns",
    "timed", "verdict",
]  # fmt: skip

GIB = 1 << 30
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def hub(keep: Path | None = None) -> Iterator[tuple[Hub, Person]]:
    """A hub of its own with one user; its data lie in a temporary folder in `keep` (or in TMPDIR)."""
    with tempfile.TemporaryDirectory(prefix="corral-bench-", dir=keep) as folder:
        made = Hub(Path(folder) / "data").start()
        try:
            yield made, made.person()
        finally:
            made.stop()


@contextmanager
def nginx(root: Path) -> Iterator[tuple[str, int]]:
    """nginx with sendfile, one worker, serving the files under `root`: its address and the worker's process id."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        sys.exit("nginx is not installed: apt-get install nginx-light")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="corral-nginx-") as name:
        folder = Path(name)
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}\n"
            "events { worker_connections 512; }\n"
            "http { sendfile on; tcp_nopush on; tcp_nodelay on; access_log off; keepalive_requests 100000;\n"
            f"  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;\n"
            f"  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n"
            f"  server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
        )
        process = subprocess.Popen([program, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield f"http://127.0.0.1:{port}", int(children[0])
        finally:
            process.terminate()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def take_turns(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each side's results of `rounds` rounds; every second round goes in the other order."""
    results: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            results[name].append(sides[name]())
    return results


def verdict(what: str, ratio: float, aim: float, *, at_most: bool = False) -> bool:
    """Print a promise and whether it is kept."""
    kept = ratio <= aim if at_most else ratio >= aim
    sign = "at most" if at_most else "at least"
    print(f"{what}: {ratio:.2f} (promised: {sign} {aim}) {'kept' if kept else 'NOT KEPT'}")
    return kept


def median(values: list[float]) -> float:
    return statistics.median(values)


def big_file(path: Path, size: int) -> Path:
    """A file of random bytes, on disk and in the page cache."""
    block = os.urandom(1 << 24)
    with path.open("wb") as file:
        for number in range(-(-size // len(block))):
            piece = number.to_bytes(8, "big") + block[8:]
            file.write(piece[: size - number * len(block)])
        file.flush()
        os.fsync(file.fileno())
    return path
