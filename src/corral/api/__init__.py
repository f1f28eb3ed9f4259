"""The Hugging Face wire contract, one file per area. `wire` holds every quirk once."""

from __future__ import annotations

from fastapi import APIRouter

from corral.api import (
    accounts,
    buckets,
    cards,
    commits,
    discussions,
    feedback,
    git,
    health,
    inference,
    lfs,
    likes,
    lists,
    oauth,
    openai,
    openai_audio,
    openai_images,
    openai_text,
    repos,
    resolve,
    spaces,
    tags,
    unsupported,
    xet,
)

#: in the order in which paths are tried (ids of one segment, in `repos`, take what is left under /api), with titles
_AREAS = (
    (health.router, "Operation"),
    # early, since nothing is asked for as often and every path that is tried takes time
    (resolve.router, "Download"),
    (accounts.router, "Accounts"),
    (oauth.router, "Signing in"),
    (commits.router, "Upload"),
    (lfs.router, "git-lfs"),
    (xet.router, "Xet"),
    (likes.router, "Likes"),
    (lists.router, "Lists and search"),
    (tags.router, "Lists and search"),
    (cards.router, "Cards"),
    (discussions.router, "Discussions and pull requests"),
    (feedback.router, "Feedback on models"),
    (inference.router, "Inference"),
    (openai.router, "Inference in OpenAI's shapes"),
    (openai_text.router, "Inference in OpenAI's shapes"),
    (openai_images.router, "Inference in OpenAI's shapes"),
    (openai_audio.router, "Inference in OpenAI's shapes"),
    (spaces.router, "Spaces"),
    (buckets.router, "Buckets"),
    (unsupported.router, "Not supported yet"),
    (repos.router, "Repositories"),
    (git.router, "git"),
)


def routers() -> list[tuple[APIRouter, str]]:
    """Every router with its title, in the order in which paths are tried."""
    return list(_AREAS)
