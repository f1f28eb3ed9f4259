"""hf_xet, as huggingface_hub drives it, against a running hub. Each `machine` has caches of its own."""

from __future__ import annotations

import hashlib
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from building.xet import noise, xorb

_NO_HTTP = """
import huggingface_hub.file_download as download
def refuse(*args, **kwargs):
    raise AssertionError("fetched by plain HTTP")
download.http_get = refuse
"""


@dataclass
class Server:
    url: str
    data: Path
    tokens: dict[str, str]

    def xorb_bytes(self) -> int:
        return sum(file.stat().st_size for file in (self.data / "store" / "xorbs").rglob("*") if file.is_file())

    def get(self, who: str, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/{path}", headers={"Authorization": f"Bearer {self.tokens[who]}"} | headers)


def _corral(data: Path, *args: str) -> str:
    command = [sys.executable, "-m", "corral", *args]
    environ = os.environ | {"CORRAL_DATA": str(data)}
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("hub")
    tokens = {}
    for name in ("ann", "ben"):
        _corral(data, "user", "create", name, "--no-password")
        tokens[name] = _corral(data, "token", "create", name, "--role", "write")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "corral", "serve", "--no-starter", "--port", str(port), "--data", str(data)]
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{url}/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield Server(url, data, tokens)
    finally:
        process.terminate()
        process.wait(30)


@dataclass
class Machine:
    """A computer with a cache of its own, on which people run Python."""

    server: Server
    home: Path

    def run(self, who: str, code: str, *args: object, xet: bool = True) -> str:
        """What `code` prints; in it `api` is who's HfApi and `args` are the arguments."""
        environ = os.environ | {
            "HF_ENDPOINT": self.server.url,
            "HF_HOME": str(self.home),
            "HF_TOKEN": self.server.tokens[who],
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        head = "import sys; from huggingface_hub import HfApi; api = HfApi(); args = sys.argv[1:]\n"
        command = [sys.executable, "-c", head + code, *map(str, args)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def upload(self, who: str, repo: str, file: Path, path: str, *, xet: bool = True) -> None:
        self.run(who, _UPLOAD, repo, file, path, xet=xet)

    def download(self, who: str, repo: str, path: str) -> bytes:
        """By Xet: plain HTTP is made to fail."""
        return Path(self.run(who, f"{_NO_HTTP}print(api.hf_hub_download(args[0], args[1]))", repo, path)).read_bytes()


_UPLOAD = "api.upload_file(repo_id=args[0], path_or_fileobj=args[1], path_in_repo=args[2])"


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    return Machine(server, tmp_path / "one")


@pytest.fixture
def another(server: Server, tmp_path: Path) -> Machine:
    return Machine(server, tmp_path / "two")


def make_repo(server: Server, who: str, name: str, *, private: bool = False) -> str:
    code = "api.create_repo(args[0], private=args[1] == 'True')"
    Machine(server, server.data / "setup").run(who, code, f"{who}/{name}", private)
    return f"{who}/{name}"


def checkpoint(seed: int) -> bytes:
    """34 MB: noise, floats (which hf_xet groups by bytes), text, and an odd end."""
    source = random.Random(seed)
    floats = b"".join(source.randrange(0x3C00, 0x3D00).to_bytes(2, "big") + source.randbytes(2) for _ in range(10**6))
    return source.randbytes(20_000_000) + floats + f"line of text {seed}\n".encode() * 600_000 + b"end"


def test_a_large_file_and_its_next_version(server: Server, machine: Machine, another: Machine, tmp_path: Path) -> None:
    repo = make_repo(server, "ann", "checkpoints")
    first = checkpoint(1)
    second = first[:9_000_000] + b"an edit that shifts all that follows" + first[9_000_000:]
    file = tmp_path / "model.bin"
    file.write_bytes(first)
    machine.upload("ann", repo, file, "model.bin")
    stored = server.xorb_bytes()
    assert stored < len(first) * 0.9, "text is stored compressed"
    # from a machine that knows nothing of the first version: the hub tells it
    file.write_bytes(second)
    another.upload("ann", repo, file, "model.bin")
    assert server.xorb_bytes() - stored < 500_000
    assert machine.download("ann", repo, "model.bin") == second
    info = machine.run("ann", "f = api.get_paths_info(args[0], 'model.bin')[0]; print(f.size, f.lfs.sha256)", repo)
    assert info == f"{len(second)} {hashlib.sha256(second).hexdigest()}"
    plain = server.get("ann", f"{repo}/resolve/main/model.bin")
    assert plain.content == second
    part = server.get("ann", f"{repo}/resolve/main/model.bin", Range="bytes=8999990-9000050")
    assert (part.status_code, part.content) == (206, second[8_999_990:9_000_051])
    commits = server.get("ann", f"api/models/{repo}/commits/main").json()
    before = server.get("ann", f"{repo}/resolve/{commits[1]['id']}/model.bin")
    assert before.content == first


def test_a_folder_of_many_files_in_one_commit(
    server: Server, machine: Machine, another: Machine, tmp_path: Path
) -> None:
    repo = make_repo(server, "ann", "folder")
    folder = tmp_path / "folder"
    files = {f"part-{n:02}/weights.safetensors": noise(100_000 + n, n) for n in range(40)}
    files |= {"copy.safetensors": files["part-00/weights.safetensors"], "config.json": b"{}"}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    machine.run("ann", "api.upload_folder(repo_id=args[0], folder_path=args[1])", repo, folder)
    where = another.run("ann", "from huggingface_hub import snapshot_download; print(snapshot_download(args[0]))", repo)
    assert {name: (Path(where) / name).read_bytes() for name in files} == files


def test_a_private_repository_gives_nothing_away(
    server: Server, machine: Machine, another: Machine, tmp_path: Path
) -> None:
    secret = make_repo(server, "ann", "secret", private=True)
    public = make_repo(server, "ben", "public")
    data = noise(3_000_000, 77)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)
    machine.upload("ann", secret, file, "weights.bin")
    xet_hash = machine.run("ann", "print(api.get_paths_info(args[0], 'weights.bin')[0].xet_hash)", secret)
    token = server.get("ben", f"api/models/{public}/xet-read-token/main").json()["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}
    cas = f"{server.url}/xet"
    assert httpx.get(f"{cas}/v2/reconstructions/{xet_hash}", headers=headers).status_code == 404
    assert server.get("ben", f"{secret}/resolve/main/weights.bin").status_code == 404
    assert server.get("ben", f"api/models/{secret}/xet-read-token/main").status_code == 404
    # who has the same file uploads it as if nobody had: then, and only then, it is his as well
    another.upload("ben", public, file, "weights.bin")
    assert httpx.get(f"{cas}/v2/reconstructions/{xet_hash}", headers=headers).status_code == 200
    assert another.download("ben", public, "weights.bin") == data


def test_two_people_who_share_a_machine(server: Server, machine: Machine, tmp_path: Path) -> None:
    """hf_xet remembers what it uploaded to a hub, for whomever: ben's upload names what ann's brought."""
    secret = make_repo(server, "ann", "shared", private=True)
    own = make_repo(server, "ben", "shared", private=True)
    data = noise(2_000_000, 78)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)
    machine.upload("ann", secret, file, "weights.bin")
    before = server.xorb_bytes()
    machine.upload("ben", own, file, "weights.bin")
    assert server.xorb_bytes() == before
    assert server.get("ben", f"{own}/resolve/main/weights.bin").content == data


def test_a_proposal_from_somebody_who_may_not_write(server: Server, machine: Machine, tmp_path: Path) -> None:
    repo = make_repo(server, "ann", "open")
    file = tmp_path / "weights.bin"
    file.write_bytes(noise(1_500_000, 79))
    code = (
        "print(api.upload_file(repo_id=args[0], path_or_fileobj=args[1], path_in_repo='w.bin', create_pr=True).pr_num)"
    )
    number = machine.run("ben", code, repo, file)
    proposed = server.get("ann", f"{repo}/resolve/refs%2Fpr%2F{number}/w.bin")
    assert proposed.content == file.read_bytes()
    assert server.get("ann", f"{repo}/resolve/main/w.bin").status_code == 404


def test_a_file_that_came_by_lfs(server: Server, machine: Machine, another: Machine, tmp_path: Path) -> None:
    """It comes out for a client that has hf_xet; uploaded by Xet as well, it comes out by Xet."""
    repo = make_repo(server, "ann", "lfs")
    data = noise(2_500_000, 80)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)
    machine.upload("ann", repo, file, "weights.bin", xet=False)
    code = "print(api.hf_hub_download(args[0], 'weights.bin'))"
    assert Path(another.run("ann", code, repo)).read_bytes() == data
    other = make_repo(server, "ann", "lfs-again")
    machine.upload("ann", other, file, "weights.bin")
    assert Machine(server, tmp_path / "three").download("ann", repo, "weights.bin") == data


def test_an_upload_that_breaks_off_leaves_nothing(server: Server) -> None:
    repo = make_repo(server, "ann", "broken")
    token = server.get("ann", f"api/models/{repo}/xet-write-token/main").json()["accessToken"]
    x = xorb([noise(100_000, n) for n in range(90)])
    host, port = re.fullmatch(r"http://(.*):(\d+)", server.url).groups()  # type: ignore[union-attr]
    head = f"POST /xet/v1/xorbs/default/{x.hash} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    for sent in (0, 1000, 5_000_000, len(x.body) - 1):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"{head}Content-Length: {len(x.body)}\r\n\r\n".encode() + x.body[:sent])
    deadline = time.monotonic() + 20
    incoming = server.data / "store" / "incoming"
    while any(incoming.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(incoming.iterdir())
    assert not (server.data / "store" / "xorbs" / x.hash[:2] / x.hash).exists()
    headers = {"Authorization": f"Bearer {token}"}
    again = httpx.post(f"{server.url}/xet/v1/xorbs/default/{x.hash}", headers=headers, content=x.body)
    assert again.json() == {"was_inserted": True}
