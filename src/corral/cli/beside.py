"""A web process of the hub for one command, on a free port of this machine: `python -m corral.cli.beside`.

It works whether the hub is running or not: web processes of one hub do not mind each other. It ends with its standard
input.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from corral.core.errors import HubError
from corral.core.settings import Settings, load

_ALONE = {"host": "127.0.0.1", "port": 0, "workers": 1}


@contextmanager
def answering(settings: Settings) -> Iterator[str]:
    """The address at which the hub answers meanwhile. Raises HubError when it does not come up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "corral.cli.beside"],
        env={**os.environ, "CORRAL_DATA": str(settings.data)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:
        raise HubError("The hub could not be asked to start.", status=500)
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise HubError("The hub could not be started for this command: see what it said above.", status=500)
        yield address
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def main() -> None:
    from corral.server.run import serve

    threading.Thread(target=_end_with_input, daemon=True).start()
    serve(load(_ALONE), lambda address: print(address, flush=True))


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
