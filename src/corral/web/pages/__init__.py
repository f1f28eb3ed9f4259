"""The handlers of the pages, one file per area: parse, ask the domains, shape, render."""

from __future__ import annotations

from fastapi import APIRouter

from corral.web.pages import (
    community,
    compare,
    editing,
    entrance,
    feedback,
    files,
    history,
    lists,
    model_task,
    profile,
    reference,
    repo_settings,
    repository,
    settings,
    theme,
    zoo,
)


def routers() -> list[APIRouter]:
    """Every router, in the order in which addresses are tried: `/OWNER/NAME` and `/OWNER` take what is left."""
    areas = (
        theme,
        reference,
        lists,
        zoo,
        compare,
        entrance,
        settings,
        repo_settings,
        files,
        editing,
        model_task,
        history,
        community,
        feedback,
        repository,
        profile,
    )
    return [area.router for area in areas]
