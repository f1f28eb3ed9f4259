"""What every engine shares: how it is called, refusals, and the choice of device and number format."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corral.inference.calls import Media

if TYPE_CHECKING:
    # engines that do without it load in a second
    import torch


class Refused(Exception):
    """The model cannot do what was asked; the message says what to change. 422 unless another status is given."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def _nobody(*_: Any) -> None:
    return None


Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One operation to do. `emit` sends a token event ahead of the result, `progress` says `(done, total, picture)`.

    `cancelled` is set when nobody waits for the result any more: long computations look at it and end early.
    """

    op: str
    params: dict[str, Any] = field(default_factory=dict)
    files: tuple[bytes, ...] = ()
    emit: Emit = _nobody
    progress: Callable[[int, int, Media | None], None] = _nobody
    cancelled: threading.Event = field(default_factory=threading.Event)


class Engine:
    """A loaded model: what it is made from is `(folder, options)`, with `options` as `detect` wrote them.

    One job runs at a time, unless an engine says that it gains by more: `batch` is how many jobs `run_many` takes at
    once (they are gathered while the ones before them run), `parallel` is how many `run` takes at once, each in a
    thread of its own, for engines that bring a scheduler.
    """

    batch = 1
    parallel = 1

    def run(self, job: Job) -> Any:
        """Do one operation: its JSON-able result, or Media. Raises Refused for input that does not fit this model."""
        raise NotImplementedError

    def run_many(self, jobs: Sequence[Job]) -> list[Any]:
        """A result for each of `jobs`, which go `together`; an exception in its place where one is refused."""
        raise NotImplementedError

    def together(self, op: str, params: dict[str, Any]) -> Any:
        """Only jobs for which this is equal go into one batch; a job for which it is None stays alone."""
        return op

    def close(self) -> None:
        """The worker ends: let go of what would outlive it."""


def device() -> torch.device:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype_for(stored: torch.dtype | None) -> torch.dtype:
    """The format to compute in: the stored one where the processor has it, else 32 bits."""
    import torch

    if stored not in (torch.bfloat16, torch.float16):
        return torch.float32
    if device().type == "cuda":
        return stored
    # without such instructions half precision on a CPU is many times slower than single precision
    fast = "amx_bf16" in _cpu_flags() or "avx512_bf16" in _cpu_flags()
    return torch.bfloat16 if fast else torch.float32


def _cpu_flags() -> str:
    try:
        return next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return ""


#: whether classes that the repository brings are loaded: a worker runs one model, for which `allow_code` may be said
CODE: dict[str, Any] = {"trust_remote_code": False}
#: never the other formats: those of torch are pickles, which run code when they are read
SAFE: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, **CODE}


def allow_code() -> None:
    """The model's owner lets its own program code run, and this process is in a sandbox."""
    for settings in (CODE, SAFE):
        settings["trust_remote_code"] = True
