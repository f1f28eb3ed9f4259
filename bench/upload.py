"""Uploads against the disk: a large file by git-lfs' basic transfer, and `cp` + `sha256sum` + `sync` of the same file.

    python bench/upload.py [--size BYTES] [--rounds N]

The hub checks the hash and has the bytes on disk before it answers, so that is what it is compared with. The promise:
at most 1.2 times as long. Every round has new bytes, since a hub takes nothing twice.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import GIB, Person, big_file, cpu_seconds, hub, median, take_turns, timed, verdict

PROMISE = 1.2


def ask(person: Person, repo: str, file: Path) -> tuple[str, str]:
    """(sha256, where to send it)."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    body = {
        "operation": "upload",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": digest, "size": file.stat().st_size}],
    }
    with person.client() as client:
        answer = client.post(f"/{repo}.git/info/lfs/objects/batch", json=body).raise_for_status().json()
    return digest, answer["objects"][0]["actions"]["upload"]["href"]


def send(address: str, file: Path) -> None:
    subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", "-T", str(file), address], check=True)


def put(person: Person, repo: str, file: Path, path: str) -> None:
    """Upload `file` by LFS and commit it as `path`."""
    digest, address = ask(person, repo, file)
    send(address, file)
    lines = (
        '{"key":"header","value":{"summary":"bench","description":""}}\n'
        f'{{"key":"lfsFile","value":{{"path":"{path}","algo":"sha256","oid":"{digest}","size":{file.stat().st_size}}}}}\n'
    )
    with person.client() as client:
        headers = {"Content-Type": "application/x-ndjson"}
        client.post(f"/api/models/{repo}/commit/main", content=lines, headers=headers).raise_for_status()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=GIB)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as name, hub() as (server, person):
        folder = Path(name)
        file = big_file(folder / "weights.bin", chosen.size)
        repo = person.api.create_repo(f"{person.name}/bench").repo_id
        copy = folder / "copy"
        used: list[float] = []

        def reference() -> float:
            seconds = timed(
                lambda: subprocess.run(
                    f"cp '{file}' '{copy}' && sha256sum '{file}' >'{folder}/sum' && sync '{copy}'",
                    shell=True,
                    check=True,
                )
            )
            copy.unlink()
            return seconds

        def corral() -> float:
            with file.open("r+b") as stream:
                stream.seek(chosen.size // 2)
                stream.write(len(used).to_bytes(8, "big"))
            _, address = ask(person, repo, file)
            before = cpu_seconds(server.pid)
            seconds = timed(lambda: send(address, file))
            used.append(cpu_seconds(server.pid) - before)
            shutil.rmtree(server.folder / "store" / "blobs")
            return seconds

        for side in (reference, corral):
            side()
        seconds = take_turns(chosen.rounds, {"cp + sha256sum + sync": reference, "LFS upload": corral})
    for label, values in seconds.items():
        print(f"{label}: {median(values):.2f} s (best {min(values):.2f}, of {len(values)})")
    print(f"processor seconds of the hub per GB: {median(used) / chosen.size * 1e9:.2f}")
    ratio = median(seconds["LFS upload"]) / median(seconds["cp + sha256sum + sync"])
    return 0 if verdict("upload, time against the disk's", ratio, PROMISE, at_most=True) else 1


if __name__ == "__main__":
    sys.exit(main())
