"""How a client that speaks Xet puts a file together again (hub-docs `docs/xet/download-protocol.md`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from corral.context import Context
from corral.core.errors import HubError
from corral.repos.xet import files, hashing
from corral.repos.xet.terms import Run
from corral.repos.xet.xorbs import Indexes


class BeyondEnd(HubError):
    """The range starts where the file ends, or later; clients ask on until they see this."""

    status = 416
    code = "RangeNotSatisfiable"


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Chunks `first` up to `end` of a xorb: its bytes `start` up to `stop`."""

    first: int
    end: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Step:
    """The next `size` bytes of the file: chunks `first` up to `end` of a xorb (text form)."""

    xorb: str
    size: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """`skip`: bytes at the start of the first step that come before the range. `pieces`: what to fetch, per xorb."""

    skip: int
    steps: list[Step]
    pieces: dict[str, list[Piece]] = field(default_factory=dict)


def plan(ctx: Context, repo_id: int, file_hash: str, start: int = 0, end: int | None = None) -> Reconstruction:
    """What to fetch for the bytes from `start` up to `end` of a file that the repository holds.

    No chunk is named that the range does not touch. Raises NotFound; BeyondEnd for a range past the end.
    """
    file = files.held_by(ctx, repo_id, file_hash)
    if start >= file.size and (start or end is not None):
        raise BeyondEnd(f"The file has {file.size} bytes; byte {start} is not one of them.")
    end = file.size if end is None else min(end, file.size)
    runs = list(file.terms.covering(start, end)) if start < end else []
    indexes = Indexes(ctx)
    indexes.load({run.xorb for run in (*runs[:1], *runs[-1:])})
    skip = 0
    steps: list[Step] = []
    wanted: dict[str, list[Piece]] = {}
    for run in runs:
        if run.file_start < start or run.file_start + run.size > end:
            run, before = _narrow(indexes, run, start, end)
            skip = skip or before
        xorb = hashing.to_hex(run.xorb)
        steps.append(Step(xorb, run.size, run.first, run.end))
        wanted.setdefault(xorb, []).append(Piece(run.first, run.end, run.stored_start, run.stored_end))
    return Reconstruction(skip, steps, {xorb: _merged(pieces) for xorb, pieces in wanted.items()})


def _narrow(indexes: Indexes, run: Run, start: int, end: int) -> tuple[Run, int]:
    """The chunks of `run` that the file's bytes from `start` up to `end` touch, and how many bytes come before them."""
    index = indexes.get(run.xorb)
    if index is None:
        raise files.DamagedFile(run.xorb)
    origin = index.data(run.first)
    first, last = run.first, run.end - 1
    if start > run.file_start:
        first = index.at(origin + start - run.file_start)
    if end < run.file_start + run.size:
        last = index.at(origin + end - 1 - run.file_start)
    at = run.file_start + index.data(first) - origin
    size = index.data(last + 1) - index.data(first)
    narrow = Run(run.xorb, at, size, first, last + 1, index.stored(first), index.stored(last + 1))
    return narrow, max(0, start - at)


def _merged(pieces: list[Piece]) -> list[Piece]:
    """The pieces in order, with those that touch or overlap made one."""
    merged: list[Piece] = []
    for piece in sorted(pieces):
        last = merged[-1] if merged else None
        if last is None or piece.first > last.end:
            merged.append(piece)
        elif piece.end > last.end:
            merged[-1] = Piece(last.first, piece.end, last.start, piece.stop)
    return merged
