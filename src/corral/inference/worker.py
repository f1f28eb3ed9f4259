"""A worker process: loads one model and answers the hub over a Unix socket. `python -m corral.inference.worker`.

Started by `inference.workers` with the path of the socket, where the hub listens. One thread reads, one computes: a
`cancel` reaches a running computation, and the end of the connection ends the process at once.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from corral.inference.frames import Wire


def main(address: str) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    wire = Wire(connection)
    jobs: queue.SimpleQueue[tuple[dict[str, Any], bytes, threading.Event]] = queue.SimpleQueue()
    cancels: dict[int, threading.Event] = {}
    threading.Thread(target=_compute, args=(wire, jobs, cancels), daemon=True).start()
    try:
        while True:
            message, data = wire.receive()
            if message["op"] == "cancel":
                if event := cancels.get(message["id"]):
                    event.set()
            else:
                event = cancels[message["id"]] = threading.Event()
                jobs.put((message, data, event))
    except (EOFError, OSError, ValueError):
        # nobody is there to answer; a computation in the other thread must not keep us
        os._exit(0)


def _compute(
    wire: Wire,
    jobs: queue.SimpleQueue[tuple[dict[str, Any], bytes, threading.Event]],
    cancels: dict[int, threading.Event],
) -> None:
    # here and not above: the hub knows that we live before the seconds these imports take
    from corral.inference import engines
    from corral.inference.engines.base import Engine, Refused

    engine: Engine | None = None
    while True:
        message, data, cancelled = jobs.get()
        number = message["id"]

        def emit(token: dict[str, Any], number: int = number) -> None:
            wire.send({"id": number, "event": "token", "value": token})

        try:
            if message["op"] == "load":
                engine = engines.load(message["engine"], Path(message["folder"]), message["options"])
                wire.send({"id": number, "event": "loaded"})
            elif cancelled.is_set():
                wire.send({"id": number, "event": "error", "status": 499, "message": "cancelled"})
            else:
                assert engine is not None  # noqa: S101 - the hub sends nothing before `loaded`
                result = engine.run(message["run"], message["params"], data, emit, cancelled)
                wire.send({"id": number, "event": "result", "value": result})
        except Refused as error:
            wire.send({"id": number, "event": "error", "status": error.status, "message": error.message})
        except OSError as error:
            if isinstance(error, (BrokenPipeError, ConnectionError)):
                os._exit(0)
            _failed(wire, number, error)
        except Exception as error:
            _failed(wire, number, error)
        finally:
            cancels.pop(number, None)


def _failed(wire: Wire, number: int, error: Exception) -> None:
    traceback.print_exc()
    text = f"{type(error).__name__}: {error}"
    wire.send({"id": number, "event": "error", "status": 500, "message": text[:2000]})


if __name__ == "__main__":
    main(sys.argv[1])
