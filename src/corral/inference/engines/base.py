"""What every engine shares: how it is called, refusals, and the choice of device and number format."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

Emit = Callable[[dict[str, Any]], None]


class Refused(Exception):
    """The model cannot do what was asked; the message says what to change. 422 unless another status is given."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Engine(Protocol):
    """A loaded model."""

    def run(self, op: str, params: dict[str, Any], data: bytes, emit: Emit, cancelled: threading.Event) -> Any:
        """Do one operation and return its JSON-able result. `emit` sends a token event ahead of it.

        Raises Refused for input that does not fit this model.
        """


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype_for(stored: torch.dtype | None) -> torch.dtype:
    """The format to compute in: the stored one where the processor has it, else 32 bits."""
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


#: never the other formats: those of torch are pickles, which run code when they are read
SAFE: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
