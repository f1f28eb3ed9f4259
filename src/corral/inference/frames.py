"""What the hub and a worker say to each other: frames of a JSON object and, where due, bytes.

A frame is two unsigned 32-bit lengths (network order), the JSON, the bytes. Hub to worker: `{"op": "load" | "run" |
"cancel", "id": …}`, with the lengths of the files that the bytes are under `files`; worker to hub: `{"id": …, "event":
"loaded" | "begun" | "token" | "progress" | "result" | "error", …}`, where `media` says that the bytes are the result
and of which type. Each side writes whole frames under a lock; end of file means that the other side is gone.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_HEAD = struct.Struct("!II")
#: neither side believes a length above these
MAX_JSON = 64 * 2**20
MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Frame:
    """What is sent: the lengths and the JSON, then the bytes."""

    head: bytes
    data: bytes = b""


def frame(message: dict[str, Any], data: bytes = b"") -> Frame:
    """Raises ValueError for what JSON does not have, and for what is longer than the other side takes."""
    try:
        # escapes would make a text up to three times as long
        text = json.dumps(message, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if len(text) > MAX_JSON or len(data) > MAX_BYTES:
        raise ValueError("it is too long to be handed over")
    return Frame(_HEAD.pack(len(text), len(data)) + text, data)


class Wire:
    """One end of a connection. `send` may be called by any thread, `receive` by one."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = connection.makefile("rb")
        self._writing = threading.Lock()

    def send(self, message: dict[str, Any], data: bytes = b"") -> None:
        """Raises OSError when the other side is gone, ValueError as `frame` does."""
        self.write(frame(message, data))

    def write(self, one: Frame) -> None:
        """Raises OSError when the other side is gone. Waits for it while it does not read."""
        with self._writing:
            self._socket.sendall(one.head)
            if one.data:
                self._socket.sendall(one.data)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next frame. Raises EOFError at the end, ValueError for lengths or JSON that cannot be."""
        text_size, data_size = _HEAD.unpack(self._exactly(_HEAD.size))
        if text_size > MAX_JSON or data_size > MAX_BYTES:
            raise ValueError("a frame longer than any that is sent")
        message = json.loads(self._exactly(text_size))
        if not isinstance(message, dict):
            raise ValueError("a frame that is no object")
        return message, self._exactly(data_size)

    def _exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) != size:
            raise EOFError
        return data

    def close(self) -> None:
        # the other side may have closed first
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._socket.close()
