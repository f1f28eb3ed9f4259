"""llama.cpp's server inside this process (xllamacpp, MIT), which runs several callers' texts through a model together.

It is spoken to by HTTP over a Unix socket in a folder that nobody else may enter, since only so is a caller's leaving
noticed at once. Protocol: llama.cpp `tools/server/README.md`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import xllamacpp

from corral.inference.engines.base import Refused


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class LlamaServer:
    """`cells` tokens of all callers are kept at once, `slots` callers run together. Raises RuntimeError, with the
    reason in the log, where llama.cpp cannot load the model. Methods may be called by any thread."""

    def __init__(self, model: Path, cells: int, slots: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="corral-llama-"))
        self._socket = str(self._folder / "llama.sock")
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx, params.n_parallel, params.kv_unified = cells, slots, True
        params.hostnames = [self._socket]
        # what its log and its web pages are for others; what it would keep of past talks costs memory
        params.verbosity, params.ui, params.endpoint_slots, params.cache_ram_mib = 1, False, False, 0
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        self._server = xllamacpp.Server(params)
        self.properties: dict[str, Any] = self._get("/props")

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One answer. Raises Refused for a body that does not fit the model, RuntimeError for what goes wrong."""
        connection = _Connection(self._socket)
        try:
            return self._answer(_sent(connection, path, body))
        finally:
            connection.close()

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of an answer; closing the iterator ends the computation. Raises like `ask`."""
        connection = _Connection(self._socket)
        try:
            response = _sent(connection, path, body | {"stream": True})
            if response.status != 200:
                self._answer(response)
            for line in response:
                if line.startswith((b"data: ", b"error: ")) and line.strip() != b"data: [DONE]":
                    event = json.loads(line.partition(b": ")[2])
                    if error := event.get("error"):
                        raise _problem(error)
                    yield event
        finally:
            # the response keeps the socket open otherwise
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _get(self, path: str) -> dict[str, Any]:
        connection = _Connection(self._socket)
        try:
            connection.request("GET", path)
            return self._answer(connection.getresponse())
        finally:
            connection.close()

    @staticmethod
    def _answer(response: http.client.HTTPResponse) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(response.read() or b"{}")
        if response.status != 200:
            raise _problem(value.get("error") or {})
        return value


def _sent(connection: _Connection, path: str, body: dict[str, Any]) -> http.client.HTTPResponse:
    connection.request("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
    return connection.getresponse()


def _problem(error: Any) -> Exception:
    if not isinstance(error, dict):
        return RuntimeError(str(error))
    message = str(error.get("message") or "llama.cpp gave no reason")
    if error.get("type") == "exceed_context_size_error" and "n_prompt_tokens" in error:
        return too_long(error["n_prompt_tokens"], error["n_ctx"])
    return Refused(message) if 400 <= int(error.get("code") or 500) < 500 else RuntimeError(message)


def too_long(length: int, room: int) -> Refused:
    return Refused(f"The prompt has {length} tokens, and this model reads {room} here: shorten it.")
