"""hf_xet, as huggingface_hub drives it, against a running hub. Each `machine` has caches of its own."""

from __future__ import annotations

import hashlib
import random
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from building.clients import python_with, run_script
from building.hub import Hub, Person
from building.xet import noise, xorb

NewRepo = Callable[..., str]

#: the newest release, the last one that lets the hub choose between LFS and Xet, and old ones with an old hf_xet
CLIENTS = [
    ("huggingface_hub==2.4.0",),
    ("huggingface_hub==1.33.0",),
    ("huggingface_hub==1.19.0", "hf_xet==1.5.1"),
    ("huggingface_hub==0.36.0", "hf_xet==1.1.10"),
]

UPLOAD = """
import sys; from huggingface_hub import HfApi
HfApi().upload_file(repo_id=sys.argv[1], path_or_fileobj=sys.argv[2], path_in_repo=sys.argv[3])
"""
UPLOAD_FOLDER = """
import sys; from huggingface_hub import HfApi
HfApi().upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2])
"""
PROPOSE = """
import sys; from huggingface_hub import HfApi
repo, file = sys.argv[1:]
print(HfApi().upload_file(repo_id=repo, path_or_fileobj=file, path_in_repo="w.bin", create_pr=True).pr_num)
"""
DOWNLOAD = """
import sys; from huggingface_hub import hf_hub_download
print(hf_hub_download(sys.argv[1], sys.argv[2]))
"""
#: as DOWNLOAD, but plain HTTP is made to fail
DOWNLOAD_BY_XET = """
import sys, huggingface_hub.file_download as download
def refuse(*args, **kwargs):
    raise AssertionError("fetched by plain HTTP")
download.http_get = refuse
print(download.hf_hub_download(sys.argv[1], sys.argv[2]))
"""
SNAPSHOT = "import sys; from huggingface_hub import snapshot_download; print(snapshot_download(sys.argv[1]))"


@dataclass
class Machine:
    """A computer with caches of its own, on which people run Python."""

    home: Path
    python: Path = Path(sys.executable)

    def run(self, person: Person, script: str, *words: object, xet: bool = True) -> str:
        self.home.mkdir(exist_ok=True)
        environment = person.environment(self.home) | {"HF_HUB_DISABLE_XET": "0" if xet else "1"}
        return run_script(self.python, script, environment, *map(str, words)).strip()

    def upload(self, person: Person, repo: str, file: Path, path: str, *, xet: bool = True) -> None:
        self.run(person, UPLOAD, repo, file, path, xet=xet)

    def download(self, person: Person, repo: str, path: str, script: str = DOWNLOAD_BY_XET) -> bytes:
        return Path(self.run(person, script, repo, path).splitlines()[-1]).read_bytes()


@pytest.fixture(scope="module")
def hub(run_hub: Callable[..., Hub]) -> Hub:
    """A hub of this module's own, whose store can be weighed."""
    return run_hub()


@pytest.fixture
def ann(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture
def ben(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "one")


@pytest.fixture
def another(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "two")


def xorb_bytes(hub: Hub) -> int:
    return sum(file.stat().st_size for file in (hub.folder / "store" / "xorbs").rglob("*") if file.is_file())


def get(person: Person, path: str, **headers: str) -> httpx.Response:
    with person.client() as client:
        return client.get(f"/{path}", headers=headers)


def checkpoint(seed: int) -> bytes:
    """34 MB: noise, floats (which hf_xet groups by bytes), text, and an odd end."""
    source = random.Random(seed)
    floats = b"".join(source.randrange(0x3C00, 0x3D00).to_bytes(2, "big") + source.randbytes(2) for _ in range(10**6))
    return source.randbytes(20_000_000) + floats + f"line of text {seed}\n".encode() * 600_000 + b"end"


@pytest.mark.parametrize("client", CLIENTS, ids=" ".join)
def test_a_large_file_and_its_next_version(
    hub: Hub, ann: Person, new_repo: NewRepo, tmp_path: Path, client: tuple[str, ...]
) -> None:
    repo = new_repo(ann)
    python = python_with(*client)
    machine, another = Machine(tmp_path / "one", python), Machine(tmp_path / "two", python)
    first = checkpoint(CLIENTS.index(client))
    second = first[:9_000_000] + b"an edit that shifts all that follows" + first[9_000_000:]
    file = tmp_path / "model.bin"
    file.write_bytes(first)
    before = xorb_bytes(hub)
    machine.upload(ann, repo, file, "model.bin")
    stored = xorb_bytes(hub)
    assert 0 < stored - before < len(first) * 0.9, "text is stored compressed"
    # from a machine that knows nothing of the first version: the hub tells it
    file.write_bytes(second)
    another.upload(ann, repo, file, "model.bin")
    assert xorb_bytes(hub) - stored < 500_000
    assert machine.download(ann, repo, "model.bin") == second
    (info,) = ann.api.get_paths_info(repo, "model.bin")
    assert (info.size, info.lfs.sha256) == (len(second), hashlib.sha256(second).hexdigest())
    assert get(ann, f"{repo}/resolve/main/model.bin").content == second
    part = get(ann, f"{repo}/resolve/main/model.bin", Range="bytes=8999990-9000050")
    assert (part.status_code, part.content) == (206, second[8_999_990:9_000_051])
    _, previous, *_ = ann.api.list_repo_commits(repo)
    assert get(ann, f"{repo}/resolve/{previous.commit_id}/model.bin").content == first


def test_a_folder_of_many_files_in_one_commit(
    ann: Person, new_repo: NewRepo, machine: Machine, another: Machine, tmp_path: Path
) -> None:
    repo = new_repo(ann)
    folder = tmp_path / "folder"
    files = {f"part-{n:02}/weights.safetensors": noise(100_000 + n, n) for n in range(40)}
    files |= {"copy.safetensors": files["part-00/weights.safetensors"], "config.json": b"{}"}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    machine.run(ann, UPLOAD_FOLDER, repo, folder)
    where = Path(another.run(ann, SNAPSHOT, repo).splitlines()[-1])
    assert {name: (where / name).read_bytes() for name in files} == files


def test_a_private_repository_gives_nothing_away(
    ann: Person, ben: Person, new_repo: NewRepo, machine: Machine, another: Machine, tmp_path: Path
) -> None:
    secret, public = new_repo(ann, private=True), new_repo(ben)
    data = noise(3_000_000, 77)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)
    machine.upload(ann, secret, file, "weights.bin")
    (info,) = ann.api.get_paths_info(secret, "weights.bin")
    token = get(ben, f"api/models/{public}/xet-read-token/main").json()["accessToken"]
    plan, read = f"{ben.url}/xet/v2/reconstructions/{info.xet_hash}", {"Authorization": f"Bearer {token}"}
    assert httpx.get(plan, headers=read).status_code == 404
    assert get(ben, f"{secret}/resolve/main/weights.bin").status_code == 404
    assert get(ben, f"api/models/{secret}/xet-read-token/main").status_code == 404
    # who has the same file uploads it as if nobody had: then, and only then, it is his as well
    another.upload(ben, public, file, "weights.bin")
    assert httpx.get(plan, headers=read).status_code == 200
    assert another.download(ben, public, "weights.bin") == data


def test_two_people_who_share_a_machine(
    hub: Hub, ann: Person, ben: Person, new_repo: NewRepo, machine: Machine, tmp_path: Path
) -> None:
    """hf_xet remembers what it uploaded to a hub, for whomever: ben's upload names what ann's brought."""
    secret, own = new_repo(ann, private=True), new_repo(ben, private=True)
    data = noise(2_000_000, 78)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)
    machine.upload(ann, secret, file, "weights.bin")
    before = xorb_bytes(hub)
    machine.upload(ben, own, file, "weights.bin")
    assert xorb_bytes(hub) == before
    assert get(ben, f"{own}/resolve/main/weights.bin").content == data


def test_a_proposal_from_somebody_who_may_not_write(
    ann: Person, ben: Person, new_repo: NewRepo, machine: Machine, tmp_path: Path
) -> None:
    repo = new_repo(ann)
    file = tmp_path / "weights.bin"
    file.write_bytes(noise(1_500_000, 79))
    number = machine.run(ben, PROPOSE, repo, file).splitlines()[-1]
    assert get(ann, f"{repo}/resolve/refs%2Fpr%2F{number}/w.bin").content == file.read_bytes()
    assert get(ann, f"{repo}/resolve/main/w.bin").status_code == 404


def test_a_file_that_came_by_lfs(
    ann: Person, new_repo: NewRepo, machine: Machine, another: Machine, tmp_path: Path
) -> None:
    """It comes out for a client that has hf_xet; uploaded by Xet as well, it comes out by Xet."""
    repo, other = new_repo(ann), new_repo(ann)
    data = noise(2_500_000, 80)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)
    machine.upload(ann, repo, file, "weights.bin", xet=False)
    assert another.download(ann, repo, "weights.bin", DOWNLOAD) == data
    machine.upload(ann, other, file, "weights.bin")
    assert Machine(tmp_path / "three").download(ann, repo, "weights.bin") == data


def test_an_upload_that_breaks_off_leaves_nothing(hub: Hub, ann: Person, new_repo: NewRepo) -> None:
    repo = new_repo(ann)
    token = get(ann, f"api/models/{repo}/xet-write-token/main").json()["accessToken"]
    x = xorb([noise(100_000, n) for n in range(90)])
    head = f"POST /xet/v1/xorbs/default/{x.hash} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\n"
    for sent in (0, 1000, 5_000_000, len(x.body) - 1):
        with socket.create_connection(("127.0.0.1", hub.port)) as client:
            client.sendall(f"{head}Content-Length: {len(x.body)}\r\n\r\n".encode() + x.body[:sent])
    deadline = time.monotonic() + 20
    incoming = hub.folder / "store" / "incoming"
    while any(incoming.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(incoming.iterdir())
    assert not (hub.folder / "store" / "xorbs" / x.hash[:2] / x.hash).exists()
    headers = {"Authorization": f"Bearer {token}"}
    again = httpx.post(f"{hub.url}/xet/v1/xorbs/default/{x.hash}", headers=headers, content=x.body)
    assert again.json() == {"was_inserted": True}
