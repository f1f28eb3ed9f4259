"""How pages' addresses are read. Routes match the raw path, so `refs%2Fpr%2F1` is one segment; here it is decoded."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

from fastapi import Depends
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from corral.core.ids import RepoId, RepoType


class _Segment(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


class _Rest(_Segment):
    regex = ".*"

    def to_string(self, value: str) -> str:
        return quote(value)


class _Page(_Segment):
    """`owner/name`, `datasets/owner/name` or `spaces/owner/name`."""

    # `/datasets/ada/settings` is a data set called settings, not a view of a model datasets/ada
    regex = "(?:(?:datasets|spaces)/[^/]+/[^/]+|(?!datasets/|spaces/)[^/]+/[^/]+)"

    def to_string(self, value: str) -> str:
        return quote(value)


register_url_convertor("word", _Segment())
register_url_convertor("tail", _Rest())
register_url_convertor("page", _Page())


async def _rid(page: str) -> RepoId:
    *prefix, owner, name = page.split("/")
    return RepoId(RepoType.from_plural(prefix[0]) if prefix else RepoType.MODEL, owner, name)


#: the repository of a page at `/{page:page}…`
PageId = Annotated[RepoId, Depends(_rid)]


def repo_url(rid: RepoId, view: str = "", revision: str = "", path: str = "") -> str:
    """`/datasets/o/n`, `/o/n/tree/main/folder`, `/o/n/commit/SHA`, …"""
    parts = [f"/{rid.path}"]
    if view:
        parts.append(view)
    if revision:
        parts.append(quote(revision, safe=""))
    if path:
        parts.append(quote(path))
    return "/".join(parts)


def local(target: str, otherwise: str = "/") -> str:
    """`target` if it is an address on this hub, so that a link to `/login?next=…` cannot lead elsewhere."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if plain and target.isprintable() and "\\" not in target else otherwise


def here(request: Request) -> str:
    """The path and query of the request, as `next=` takes it."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
