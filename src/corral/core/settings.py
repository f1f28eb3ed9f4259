"""Settings, from `CORRAL_*` in the environment or the same keys in `corral.toml`. No flag is needed to run."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 7070
    workers: int = 1
    public_url: str = ""
    database_url: str = ""
    storage_url: str = ""
    compute: str = "local"
    upstream: str = ""
    spaces_domain: str = "localhost"
    #: bytes of weights and activations that all inference workers together may hold
    inference_memory: int = 6 * 2**30
    #: bytes of one regular (non-LFS) file in a commit, as on Hugging Face
    max_regular_file: int = 10 * 2**20
    #: bytes from which on git-lfs uploads come in parts, where the client can do that, and bytes of one part
    lfs_parts_from: int = 5 * 2**30
    lfs_part_size: int = 512 * 2**20

    def __post_init__(self) -> None:
        data = self.data.expanduser().absolute()
        object.__setattr__(self, "data", data)
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{data / 'corral.db'}")
        if not self.storage_url:
            object.__setattr__(self, "storage_url", f"file://{data / 'store'}")

    @property
    def address(self) -> str:
        """Where a person on this machine opens the hub."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"


def load(overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Defaults, then `corral.toml` (working folder, then the data folder), then the environment, then `overrides`.

    Raises ValueError, naming the key, for a value of the wrong form.
    """
    overrides = {k: v for k, v in (overrides or {}).items() if v not in (None, "")}
    given = {k.lower().removeprefix("corral_"): v for k, v in environ.items() if k.startswith("CORRAL_") and v != ""}
    here = _file(Path("corral.toml"))
    named = next((found["data"] for found in (overrides, given, here) if "data" in found), "data")
    data = _value("data", named, Path).expanduser()
    values = here | _file(data / "corral.toml") | given | overrides | {"data": data}
    kinds = {f.name: type(getattr(_DEFAULTS, f.name)) for f in fields(Settings)}
    return Settings(**{key: _value(key, value, kinds[key]) for key, value in values.items() if key in kinds})


_DEFAULTS = Settings()


def _file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found = tomllib.loads(file.read_text())
    return {key.lower().removeprefix("corral_"): value for key, value in found.items() if value != ""}


def _value(key: str, value: Any, kind: type) -> Any:
    """`value` as the setting has it: a file states numbers and texts, the environment texts only."""
    fits = isinstance(value, (str, Path)) or (kind is int and isinstance(value, int) and not isinstance(value, bool))
    try:
        if not fits:
            raise TypeError
        return kind(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"setting {key!r}: {value!r} is not a valid {kind.__name__}") from error
