"""The files of one commit as the catalogue reads them: bounded, and never failing for what is in them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import orjson

from corral.catalogue import weights
from corral.context import Context
from corral.core.errors import HubError
from corral.repos import read
from corral.repos.lookup import Repo
from corral.repos.read import Entry

log = logging.getLogger(__name__)

MOST_CONFIG = 2 * 2**20
_MOST_SHARDS = 64

_T = TypeVar("_T")


class Files:
    """The files of one commit, by name. Reading one never fails: it comes out as None, with a warning."""

    def __init__(self, ctx: Context, repo: Repo, commit: str) -> None:
        self._ctx = ctx
        self._repo = repo
        self.entries = {e.path: e for e in read.entries(ctx, repo, commit, recursive=True) if e.type == "file"}
        self.warnings: list[str] = []
        self._parsed: dict[str, Any] = {}

    def content(self, path: str, most: int) -> bytes | None:
        found = self.entries.get(path)
        if found is None:
            return None
        if found.size > most:
            self.warnings.append(f"{path} has {found.size} bytes, more than the {most} that are read.")
            return None
        return self._guarded(path, lambda: self._whole(found))

    def _whole(self, found: Entry) -> bytes:
        with read.open_file(self._ctx, self._repo, found) as file:
            return file.read()

    def object(self, path: str) -> dict[str, Any] | None:
        """The JSON object in a file, None where there is none."""
        value = self.json(path)
        return value if isinstance(value, dict) else None

    def json(self, path: str) -> Any:
        """The JSON value in a file, parsed once; None where it cannot be read."""
        if path not in self._parsed:
            self._parsed[path] = self._parse(path)
        return self._parsed[path]

    def _parse(self, path: str) -> Any:
        raw = self.content(path, MOST_CONFIG)
        if raw is None:
            return None
        try:
            return orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            self.warnings.append(f"{path} is no valid JSON: {error}.")
            return None

    def _opener(self, path: str) -> weights.Open:
        found = self.entries[path]
        return lambda start, length: read.open_file(self._ctx, self._repo, found, start, length)

    def _guarded(self, path: str, action: Callable[[], _T]) -> _T | None:
        try:
            return action()
        except (HubError, OSError, KeyError, ValueError) as error:
            log.warning("%s of %s cannot be read: %s", path, self._repo.rid, error)
            self.warnings.append(f"{path} cannot be read.")
            return None

    def safetensors(self) -> dict[str, Any] | None:
        shards = self._shards()
        total: dict[str, int] = {}
        for path in shards:
            counts = self._guarded(path, partial(weights.safetensors, self._opener(path)))
            if counts is None:
                return None
            for dtype, count in counts.items():
                total[dtype] = min(total.get(dtype, 0) + count, 2**62)
        return weights.parameters(total) if total else None

    def _shards(self) -> list[str]:
        """The files that together hold the weights once."""
        if "model.safetensors" in self.entries:
            return ["model.safetensors"]
        index = self.object("model.safetensors.index.json")
        if index is not None:
            where = index.get("weight_map")
            named = {v for v in where.values() if isinstance(v, str)} if isinstance(where, dict) else set()
            return sorted(named) if named <= self.entries.keys() and len(named) <= _MOST_SHARDS else []
        top = [path for path in self.entries if path.endswith(".safetensors") and "/" not in path]
        return top if len(top) == 1 else []

    def gguf(self) -> dict[str, Any] | None:
        """The smallest GGUF file: all of a repository are usually one model in several precisions."""
        files = [e for path, e in self.entries.items() if path.lower().endswith(".gguf")]
        if not files:
            return None
        smallest = min(files, key=lambda e: (e.size, e.path))
        return self._guarded(smallest.path, lambda: weights.gguf(self._opener(smallest.path), smallest.size))
