"""The Hugging Face wire contract, one file per area. `wire` holds every quirk once."""

from __future__ import annotations

import importlib

from fastapi import APIRouter

_AREAS = (
    "health", "accounts", "oauth", "commits", "lfs", "xet", "likes", "lists", "tags", "cards", "discussions",
    "inference", "openai", "spaces", "unsupported", "repos", "git", "resolve",
)  # fmt: skip


def routers() -> list[APIRouter]:
    """Every router, in the order in which paths are tried."""
    found: list[APIRouter] = []
    for area in _AREAS:
        try:
            found.append(importlib.import_module(f"corral.api.{area}").router)
        except ModuleNotFoundError as error:
            if error.name != f"corral.api.{area}":
                raise
    return found
