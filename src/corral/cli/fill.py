"""The helper process of `corral serve` that brings the starter content: `python -m corral.cli.fill`.

It knows of the hub only its address (HF_ENDPOINT) and a token (HF_TOKEN), and has the lowest priority, so that the
hub answers as if it were not there.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys


def main() -> int:
    """Exit status 0 when all is there, 1 when the next start has to go on."""
    os.nice(19)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # not part of the package: the folder beside it in a checkout
    zoo = importlib.import_module("zoo")
    try:
        complete = zoo.provision_starter(os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"], _say)
    except KeyboardInterrupt:
        return 1
    return 0 if complete is not False else 1


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
