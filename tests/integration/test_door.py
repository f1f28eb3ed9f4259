"""How requests and answers travel: files, ranges, streams of any size, cut connections, limits, and the end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from corral.server import door, run

SIZE = 40 * 2**20 + 17


class Toy:
    """`building.toy` as a process."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "building.toy", str(folder), "0", str(workers)],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url
        self.port = int(self.url.rpartition(":")[2])

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def raw(self, text: str) -> bytes:
        """Everything that comes back until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(text.encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def told(self, key: str, within: float = 5.0) -> dict[str, object]:
        """The last thing told about `key`; waits for it."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            file = self.folder / "told.jsonl"
            lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
            if found := [line for line in lines if key in line]:
                return dict(found[-1])
            time.sleep(0.02)
        raise AssertionError(f"nothing was told about {key}")

    def memory(self) -> int:
        """Bytes of memory that the process held at most."""
        line = next(x for x in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if "VmHWM" in x)
        return int(line.split()[1]) * 1024

    def end(self, how: signal.Signals = signal.SIGTERM) -> float:
        """The seconds until the server has ended; what the interpreter then takes is not counted."""
        began = time.monotonic()
        self.process.send_signal(how)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ended\n"
        seconds = time.monotonic() - began
        assert self.process.wait(20) == 0
        return seconds


def make(folder: Path, workers: int = 1) -> Toy:
    folder.mkdir(exist_ok=True)
    (folder / "big.bin").write_bytes(os.urandom(1 << 20) * 40 + b"the end is here.\n")
    (folder / "small.txt").write_bytes(b"hello world")
    (folder / "empty").write_bytes(b"")
    return Toy(folder, workers)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    toy = make(tmp_path_factory.mktemp("toy"))
    yield toy
    toy.end()


@pytest.fixture
def own_toy(tmp_path: Path) -> Iterator[Toy]:
    """One that the test may end."""
    toy = make(tmp_path)
    yield toy
    toy.process.kill()
    toy.process.wait()


# ---- files


@pytest.mark.parametrize("name", ["big.bin", "small.txt", "empty"])
def test_a_whole_file(toy: Toy, name: str) -> None:
    answer = httpx.get(f"{toy.url}/file/{name}")
    expected = (toy.folder / name).read_bytes()
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(expected)))
    assert "transfer-encoding" not in answer.headers
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(expected).digest()


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, SIZE),
        (f"bytes=3-{30 * 2**20}", 3, 30 * 2**20 + 1),
        ("bytes=-17", SIZE - 17, SIZE),
        (f"bytes={SIZE - 5}-{SIZE + 100}", SIZE - 5, SIZE),
    ],
)
def test_a_range(toy: Toy, header: str, start: int, end: int) -> None:
    answer = httpx.get(f"{toy.url}/file/big.bin", headers={"Range": header})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.content == (toy.folder / "big.bin").read_bytes()[start:end]


def test_curl_gets_the_same_and_keeps_the_connection(toy: Toy, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["curl", "-sS", "-w", "%{num_connects} "]
    for word in ("big.bin", "small.txt", "big.bin"):
        command += ["-o", str(out), f"{toy.url}/file/{word}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0", "0"]
    assert out.read_bytes() == (toy.folder / "big.bin").read_bytes()


def test_head_has_the_length_and_no_body(toy: Toy) -> None:
    answer = toy.raw("HEAD /file/big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {SIZE}".encode() in head.lower()
    assert body == b""


def test_not_modified_has_no_body(toy: Toy) -> None:
    answer = toy.raw('GET /file/big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIf-None-Match: "tag"\r\n\r\n')
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 304 ")
    assert b"transfer-encoding" not in head.lower()
    assert body == b""


def test_pipelined_requests_are_answered_in_order(toy: Toy) -> None:
    first = "GET /file/big.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=-17\r\n\r\n"
    big = "GET /file/big.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=-1000000\r\n\r\n"
    last = "GET /file/small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = toy.raw(first + big + last)
    expected = (toy.folder / "big.bin").read_bytes()
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 20")[1:]]
    assert bodies == [expected[-17:], expected[-1000000:], b"hello world"]


def test_a_file_that_is_shorter_than_announced_breaks_off(toy: Toy) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{toy.url}/short/big.bin")


def test_a_missing_file_is_an_error_and_no_half_answer(toy: Toy) -> None:
    assert httpx.get(f"{toy.url}/file/nothing").status_code == 500


def test_many_slow_downloads_hold_up_nobody(toy: Toy) -> None:
    waiting = [toy.connect(receive_buffer=4096) for _ in range(100)]
    try:
        for connection in waiting:
            connection.sendall(b"GET /file/big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        began = time.monotonic()
        assert len(httpx.get(f"{toy.url}/file/big.bin").content) == SIZE
        assert time.monotonic() - began < 10
    finally:
        for connection in waiting:
            connection.close()
    # nothing of those that hung up is left open
    deadline = time.monotonic() + 10
    while _open_files(toy, "big.bin") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _open_files(toy, "big.bin") == 0


def _open_files(toy: Toy, name: str) -> int:
    links = Path(f"/proc/{toy.process.pid}/fd").iterdir()
    targets = []
    for link in links:
        try:
            targets.append(link.readlink().name)
        except OSError:
            continue
    return targets.count(name)


# ---- paths


def test_routes_see_the_path_as_it_was_sent(toy: Toy) -> None:
    answer = toy.raw("GET /a/refs%2Fpr%2F1/b%20c?x=%2F HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'"path":"/a/refs%2Fpr%2F1/b%20c"' in answer
    assert b'"query":"x=%2F"' in answer


# ---- uploads


def test_a_large_upload_is_not_held_in_memory(toy: Toy, tmp_path: Path) -> None:
    size = 300 * 2**20
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(size)
    before = toy.memory()
    command = ["curl", "-sS", "-T", str(tmp_path / "zeros"), f"{toy.url}/upload"]
    for extra in ([], ["-H", "Transfer-Encoding: chunked"]):
        answer = json.loads(subprocess.run(command + extra, capture_output=True, check=True).stdout)
        assert answer["size"] == size
    assert toy.memory() - before < 40 * 2**20


@pytest.mark.parametrize(
    "framing",
    ["Content-Length: 1000000", "Transfer-Encoding: chunked"],
)
@pytest.mark.parametrize("half_closed", [True, False])
def test_a_cut_upload_is_an_error_in_the_handler(tmp_path: Path, framing: str, half_closed: bool) -> None:
    toy = make(tmp_path)
    try:
        with toy.connect() as connection:
            connection.sendall(f"PUT /upload HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
            connection.sendall(b"7d0\r\n" + b"x" * 2000 + b"\r\n" if "chunked" in framing else b"x" * 2000)
            time.sleep(0.2)
            if half_closed:
                connection.shutdown(socket.SHUT_WR)
                assert toy.told("upload") == {"upload": "cut", "size": 2000}
        assert toy.told("upload") == {"upload": "cut", "size": 2000}
    finally:
        toy.end()


def test_expect_continue_is_answered_when_the_body_is_wanted(toy: Toy) -> None:
    with toy.connect() as connection:
        connection.sendall(
            b"PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"four")
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert hashlib.sha256(b"four").hexdigest().encode() in rest


def test_expect_continue_refused_closes_the_connection(toy: Toy) -> None:
    answer = toy.raw("PUT /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"connection: close" in answer.lower()


def test_a_body_refused_early_leaves_the_connection_usable(toy: Toy) -> None:
    with httpx.Client() as client:
        body = b"x" * (5 * 2**20)
        assert client.put(f"{toy.url}/refused", content=body).status_code == 403
        assert client.put(f"{toy.url}/upload", content=body).json()["size"] == len(body)


# ---- streams


def test_a_stream_ends_when_its_client_goes(toy: Toy) -> None:
    with httpx.stream("GET", f"{toy.url}/stream") as answer:
        next(answer.iter_raw())
    assert toy.told("stream")["stream"] == "ended"


def test_a_stream_waits_for_a_slow_client(own_toy: Toy) -> None:
    before = own_toy.memory()
    with own_toy.connect(receive_buffer=4096) as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(100)
        time.sleep(2)
    told = own_toy.told("stream")
    # what fits in the sockets' buffers, not a second's worth of pieces
    assert int(str(told["sent"])) < 200
    assert own_toy.memory() - before < 20 * 2**20


def test_a_stream_that_fails_does_not_look_complete(toy: Toy) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{toy.url}/broken")


# ---- limits


def test_what_is_no_request_is_refused(toy: Toy) -> None:
    assert toy.raw("HELLO\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_headers_have_a_size_limit(toy: Toy) -> None:
    with toy.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(b"a" * 10_000)
                time.sleep(0.001)
        answer = b""
        with suppress(ConnectionError):
            answer = connection.recv(10_000)
    assert not answer or answer.startswith(b"HTTP/1.1 431 ")
    assert toy.memory() < 400 * 2**20


def test_headers_have_a_time_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOY_HEAD_SECONDS", "0.3")
    toy = make(tmp_path)
    try:
        assert toy.raw("GET / HTTP/1.1\r\nHost").startswith(b"HTTP/1.1 408 ")
        # a connection on which nothing comes is closed without a word
        assert toy.raw("") == b""
        # one that is idle between requests is not meant
        with toy.connect() as connection:
            for _ in range(2):
                connection.sendall(b"GET /file/small.txt HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = b""
                while not answer.endswith(b"hello world"):
                    answer += connection.recv(1000)
                time.sleep(0.6)
    finally:
        toy.end()


# ---- beginning and end


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_it_ends_at_once_whatever_is_open(tmp_path: Path, how: signal.Signals, workers: int) -> None:
    toy = make(tmp_path, workers)
    idle = httpx.Client()
    idle.get(f"{toy.url}/file/small.txt")
    half, stalled, slow = toy.connect(), toy.connect(receive_buffer=4096), toy.connect()
    half.sendall(b"PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome")
    stalled.sendall(b"GET /file/big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    with httpx.stream("GET", f"{toy.url}/stream") as answer:
        next(answer.iter_raw())
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        seconds = toy.end(how)
    assert seconds < 3
    # what needed only a moment got it
    assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert toy.told("lifespan")["lifespan"] == "down"
    for connection in (half, stalled, slow):
        connection.close()
    idle.close()


@pytest.mark.slow
def test_several_processes_share_the_port_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    toy = make(tmp_path, workers=2)
    try:
        seen = _pids(toy, wanted=2)
        os.kill(next(iter(seen)), signal.SIGKILL)
        deadline = time.monotonic() + 15
        while len(now := _pids(toy, wanted=2) - seen) < 1:
            assert time.monotonic() < deadline, f"{seen} were not joined by another, only {now}"
    finally:
        toy.end()


@pytest.mark.slow
def test_several_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    toy = make(tmp_path, workers=2)
    pids = _pids(toy, wanted=2)
    toy.process.kill()
    toy.process.wait()
    deadline = time.monotonic() + 8
    while any(Path(f"/proc/{pid}").exists() and not _is_zombie(pid) for pid in pids):
        assert time.monotonic() < deadline, "a web process outlived the one that started it"
        time.sleep(0.05)


def _pids(toy: Toy, wanted: int) -> set[int]:
    """The processes that answer, asked on new connections."""
    seen: set[int] = set()
    for _ in range(200):
        try:
            seen.add(httpx.get(f"{toy.url}/pid").json()["pid"])
        except httpx.TransportError:
            continue
        if len(seen) >= wanted:
            break
        time.sleep(0.01)
    return seen


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(run.CannotServe, match=rf"Port {port} of 127\.0\.0\.1 is taken.*--port"):
            run.listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(run.CannotServe, match=r"192\.0\.2\.1 is no address of this machine"):
        run.listen("192.0.2.1", 0)


def test_a_port_out_of_range_is_named() -> None:
    with pytest.raises(run.CannotServe, match="--port"):
        run.listen("127.0.0.1", 70_000)


def test_limits_are_as_documented() -> None:
    assert (door.MAX_HEAD, door.HEAD_SECONDS, door.STALL_SECONDS) == (65536, 30, 120)
