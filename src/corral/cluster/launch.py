"""Becomes the program it is told to run, after it has set limits on itself (run as a script by `cluster.runner`).

Done here and not between fork and exec in the hub, where Python code may not run safely beside other threads.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    wanted: dict[str, int] = json.loads(arguments[0])
    command = arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != wanted["parent"]:
            # the hub ended before the line above took hold
            sys.exit("the hub is gone")
    _limit(resource.RLIMIT_CORE, 0)
    for kind, most in (
        (resource.RLIMIT_DATA, wanted["memory"]),
        (resource.RLIMIT_FSIZE, wanted["file_size"]),
        (resource.RLIMIT_NOFILE, wanted["open_files"]),
    ):
        if most:
            _limit(kind, most)
    os.nice(wanted["nice"])
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main(sys.argv[1:])
