"""Repositories: create, delete, move, settings, information, tree, history, branches and tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import people, rights
from corral.api import shapes
from corral.api.body import json_body, private_of
from corral.api.commits import operation
from corral.api.deps import Body, Ctx, Rid
from corral.api.wire import Json, next_link, origin
from corral.catalogue import index
from corral.context import Context
from corral.core.clock import iso
from corral.core.errors import BadRequest, Conflict, RepoNotFound, RevisionNotFound, Unauthorized
from corral.core.ids import GIT_TYPES, RepoId, RepoType
from corral.repos import blobs, commits, lifecycle, lookup, read, refs
from corral.repos.lookup import Repo, Right
from corral.repos.read import CommitInfo, Entry

router = APIRouter()

Expand = Annotated[Sequence[str], Query()]

_TREE_PAGE = 1000
_TREE_PAGE_EXPANDED = 100
_COMMIT_PAGE = 50
_MOST_COPIED = 500
_CURSOR = re.compile("[0-9]{1,12}")


def _body_rid(body: dict[str, Any], ctx: Context) -> RepoId:
    """The id in `{name, organization?, type?}`; without an organization it is the caller's own."""
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest("The member 'name' must be the repository's name.", code="InvalidName")
    owner, _, name = name.rpartition("/")
    owner = body.get("organization") or owner or ctx.actor.name or ""
    return RepoId(_type(body), owner, name)


def _type(body: dict[str, Any], *more: RepoType) -> RepoType:
    kind, types = body.get("type") or "model", (*GIT_TYPES, *more)
    if kind not in types:
        raise BadRequest(f"The type {kind!r} is not one of {', '.join(types)}.", code="InvalidType")
    return RepoType(kind)


def _places(request: Request, repo: Repo | RepoId) -> dict[str, str]:
    rid = repo.rid if isinstance(repo, Repo) else repo
    return {"url": f"{origin(request)}/{rid.path}", "name": str(rid)}


@router.post("/api/repos/create")
def create_repo(request: Request, ctx: Ctx, body: Body) -> Response:
    """A new repository with its first commit."""
    if ctx.actor.is_anonymous:
        raise _sign_in("create a repository")
    rid = _body_rid(body, ctx)
    sdk = body.get("sdk")
    if rid.type is RepoType.SPACE and sdk not in ("gradio", "docker", "static", "streamlit"):
        raise BadRequest("A Space needs an 'sdk': gradio, docker or static.", code="InvalidSdk")
    try:
        repo = lifecycle.create(
            ctx,
            rid,
            private=private_of(body),
            sdk=sdk if rid.type is RepoType.SPACE else None,
            license=body.get("license") if isinstance(body.get("license"), str) else None,
        )
    except Conflict as error:
        error.extra |= _places(request, lookup.find(ctx, rid))
        raise
    _first_files(ctx, repo, body.get("files"))
    return Json({**_places(request, repo), "id": repo.object_id, "private": repo.private})


def _first_files(ctx: Context, repo: Repo, files: Any) -> None:
    """What the JavaScript client sends along with a new repository."""
    if not isinstance(files, list) or not files:
        return
    header = commits.Header("Upload files with @huggingface/hub")
    commits.commit(ctx, repo, "main", header, [operation({"key": "file", "value": f}) for f in files])


def _sign_in(what: str) -> Unauthorized:
    return Unauthorized(f"Sign in, or send an access token with the role 'write', to {what}.")


@router.delete("/api/repos/delete")
def delete_repo(ctx: Ctx, body: Body) -> Response:
    """Delete for good."""
    if ctx.actor.is_anonymous:
        raise _sign_in("delete a repository")
    lifecycle.remove(ctx, lookup.find(ctx, _body_rid(body, ctx)))
    return Json({"success": True})


@router.post("/api/repos/move")
def move_repo(request: Request, ctx: Ctx, body: Body) -> Response:
    """Rename, or hand over to an organization."""
    kind = _type(body, RepoType.BUCKET)
    old, new = body.get("fromRepo"), body.get("toRepo")
    if not isinstance(old, str) or not isinstance(new, str) or "/" not in old or "/" not in new:
        raise BadRequest("'fromRepo' and 'toRepo' must be owner/name.", code="InvalidName")
    repo = lookup.find(ctx, RepoId.parse(kind, old), Right.ADMIN)
    return Json(_places(request, lifecycle.rename(ctx, repo, RepoId.parse(kind, new))))


@router.put("/api/{types:types}/{repo:repo}/settings")
def update_settings(ctx: Ctx, rid: Rid, body: Body) -> Response:
    """Visibility, gating, and (Corral's own) `runsCode`: whether the code that a model brings may run."""
    repo = lookup.find(ctx, rid, Right.ADMIN)
    gated = body.get("gated")
    if gated not in (None, False, "auto", "manual"):
        raise BadRequest("'gated' must be 'auto', 'manual' or false.", code="InvalidGated")
    runs_code = body.get("runsCode")
    if runs_code not in (None, False, True):
        raise BadRequest("'runsCode' must be true or false.", code="InvalidSetting")
    repo = lifecycle.configure(ctx, repo, private=private_of(body), gated=gated, runs_code=runs_code)
    return Json({"private": repo.private, "gated": repo.gated or False, "runsCode": repo.runs_code})


@router.get("/api/{types:types}/{repo:repo}/auth-check")
def auth_check(ctx: Ctx, rid: Rid) -> Response:
    """Whether the caller may download from it."""
    lookup.find(ctx, rid, Right.DOWNLOAD)
    return Json({})


@router.get("/api/{types:types}/{repo:repo}/auth-check/write")
def auth_check_write(ctx: Ctx, rid: Rid) -> Response:
    """Whether the caller may change it."""
    lookup.find(ctx, rid, Right.WRITE)
    return Json({})


@router.get("/api/settings/repositories")
def own_repositories(ctx: Ctx) -> Response:
    """The caller's repositories with their storage, for `hf repos ls`."""
    return Json(_storage_of(ctx, rights.require_signed_in(ctx.actor)))


@router.get("/api/organizations/{name:seg}/settings/repositories")
def organization_repositories(ctx: Ctx, name: str) -> Response:
    """As above, of an organization."""
    return Json(_storage_of(ctx, people.find_org(ctx, name).id))


def _storage_of(ctx: Context, owner_id: int) -> list[dict[str, Any]]:
    return [
        {
            "id": repo.full_name,
            "type": repo.type,
            "updatedAt": iso(repo.updated_at),
            "visibility": "private" if repo.private else "public",
            "storage": repo.used_storage,
        }
        for repo in lifecycle.of_owner(ctx, owner_id)
    ]


@router.get("/api/{types:types}/{repo:repo}/lfs-files")
def large_files(ctx: Ctx, rid: Rid) -> Response:
    """The large files of the default branch."""
    repo = lookup.find(ctx, rid, Right.DOWNLOAD)
    commit = read.commit_of(ctx, repo, "main")
    found = [e for e in read.entries(ctx, repo, commit, recursive=True) if e.lfs]
    pushed = read.last_commits(ctx, repo, commit, [e.path for e in found])
    return Json(
        [
            {
                "fileOid": e.oid,
                "filename": e.path,
                "oid": e.lfs.sha256,
                "size": e.lfs.size,
                "pushedAt": iso(pushed[e.path].date),
                "ref": "main",
            }
            for e in found
            if e.lfs
        ]
    )


@router.post("/api/{types:types}/{repo:repo}/lfs-files/duplicate")
def duplicate_large_files(ctx: Ctx, rid: Rid, body: Body) -> Response:
    """Let another repository hold large files that this one holds, without sending them again."""
    source = lookup.find(ctx, rid, Right.DOWNLOAD)
    target_named, files = body.get("target"), body.get("files")
    if not isinstance(target_named, dict) or not isinstance(files, list) or len(files) > _MOST_COPIED:
        raise BadRequest(f"The body must be {{target: {{type, name}}, files}} with at most {_MOST_COPIED} files.")
    target = lookup.find(ctx, RepoId.parse(_type(target_named), str(target_named.get("name"))), Right.WRITE)
    wanted = [str(f.get("sha256")) for f in files if isinstance(f, dict)]
    held = blobs.held(ctx, source.id, wanted)
    with ctx.change() as change:
        blobs.grant(ctx, change, target.id, held)
    missing = [{"sha256": s, "error": "the source does not hold this file"} for s in wanted if s not in held]
    return Json({"success": not missing, "failed": missing})


# --- tree --------------------------------------------------------------------------------------------------------


def _commit_brief(info: CommitInfo) -> dict[str, str]:
    return {"id": info.oid, "title": info.title, "date": iso(info.date)}


def shape_entries(ctx: Context, repo: Repo, commit: str, found: list[Entry], *, expand: bool) -> list[dict[str, Any]]:
    """Tree entries as clients read them (`RepoFile`, `RepoFolder`)."""
    last = read.last_commits(ctx, repo, commit, [e.path for e in found]) if expand else {}
    shaped = []
    for e in found:
        item: dict[str, Any] = {"type": e.type, "oid": e.oid, "size": e.size, "path": e.path}
        if e.lfs:
            item["lfs"] = {"oid": e.lfs.sha256, "size": e.lfs.size, "pointerSize": e.lfs.pointer_size}
        if e.xet_hash:
            item["xetHash"] = e.xet_hash
        if expand and e.path in last:
            item["lastCommit"] = _commit_brief(last[e.path])
        shaped.append(item)
    return shaped


@router.get("/api/{types:types}/{repo:repo}/tree/{rev:seg}")
def tree_root(
    request: Request, ctx: Ctx, rid: Rid, rev: str, recursive: bool = False, expand: bool = False,
    limit: int | None = None, cursor: str = "",
) -> Response:  # fmt: skip
    """As below, of the root folder."""
    return tree(request, ctx, rid, rev, "", recursive, expand, limit, cursor)


@router.get("/api/{types:types}/{repo:repo}/tree/{rev:seg}/{path:rest}")
def tree(
    request: Request, ctx: Ctx, rid: Rid, rev: str, path: str, recursive: bool = False, expand: bool = False,
    limit: int | None = None, cursor: str = "",
) -> Response:  # fmt: skip
    """A page of a folder's entries; `Link: rel=next` leads on."""
    repo = lookup.find(ctx, rid)
    commit = read.commit_of(ctx, repo, rev)
    page = max(1, min(limit or _TREE_PAGE, _TREE_PAGE_EXPANDED if expand else _TREE_PAGE))
    start = int(cursor) if _CURSOR.fullmatch(cursor) else 0
    # one more than the page holds tells whether there is another
    found = read.entries(ctx, repo, commit, path, recursive=recursive, start=start, stop=start + page + 1)
    headers = {"X-Repo-Commit": commit}
    if len(found) > page:
        headers |= next_link(request, cursor=str(start + page))
    shaped = shape_entries(ctx, repo, commit, found[:page], expand=expand)
    return Json(shaped, headers=headers)


@router.post("/api/{types:types}/{repo:repo}/paths-info/{rev:seg}")
async def paths_info(request: Request, ctx: Ctx, rid: Rid, rev: str) -> Response:
    """Entries of the paths asked for, as a form (Python) or as JSON (JavaScript); missing ones are left out."""
    if request.headers.get("content-type", "").startswith("application/json"):
        body = await json_body(request)
        paths, expand = body.get("paths"), bool(body.get("expand"))
    else:
        form = await request.form(max_fields=20_000)
        paths = [str(p) for p in form.getlist("paths")]
        expand = str(form.get("expand", "")).lower() in ("true", "1")
    if isinstance(paths, str):
        paths = [paths]
    if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
        raise BadRequest("'paths' must be a list of paths.")
    return await run_sync(_paths_info, ctx, rid, rev, paths, expand)


def _paths_info(ctx: Context, rid: RepoId, rev: str, paths: list[str], expand: bool) -> Response:
    repo = lookup.find(ctx, rid)
    commit = read.commit_of(ctx, repo, rev)
    found = read.some_entries(ctx, repo, commit, paths)
    return Json(shape_entries(ctx, repo, commit, found, expand=expand), headers={"X-Repo-Commit": commit})


# --- refs and history --------------------------------------------------------------------------------------------


@router.get("/api/{types:types}/{repo:repo}/refs")
def list_refs(ctx: Ctx, rid: Rid, include_prs: bool = False) -> Response:
    """Branches, tags and, when asked for, pull requests."""
    repo = lookup.find(ctx, rid)
    kinds: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    folders = {"refs/heads/": "branches", "refs/tags/": "tags", "refs/convert/": "converts", "refs/pr/": "pullRequests"}
    for ref, oid in refs.all(ctx, repo.id).items():
        for folder, kind in folders.items():
            if ref.startswith(folder):
                name = ref if kind == "pullRequests" else ref.removeprefix(folder)
                if kind == "tags":
                    oid = read.commit_of(ctx, repo, ref)
                kinds[kind].append({"name": name, "ref": ref, "targetCommit": oid})
    if not include_prs:
        del kinds["pullRequests"]
    # the default branch comes first, then by name
    kinds["branches"].sort(key=lambda b: (b["name"] != "main", b["name"]))
    return Json(kinds)


@router.get("/api/{types:types}/{repo:repo}/commits/{rev:seg}")
def list_commits(request: Request, ctx: Ctx, rid: Rid, rev: str, limit: int = _COMMIT_PAGE, p: int = 0) -> Response:
    """History, newest first, in pages."""
    repo = lookup.find(ctx, rid)
    commit = read.commit_of(ctx, repo, rev)
    page = max(1, min(limit, 1000))
    found = read.history(ctx, repo, commit, skip=max(0, p) * page, limit=page + 1)
    formatted = "formatted" in request.query_params.getlist("expand[]")
    headers = {"X-Total-Count": str(read.count_commits(ctx, repo, commit))}
    if len(found) > page:
        headers |= next_link(request, p=str(max(0, p) + 1))
    return Json([_shape_commit(request, c, formatted) for c in found[:page]], headers=headers)


def _shape_commit(request: Request, info: CommitInfo, formatted: bool) -> dict[str, Any]:
    author = info.author.name
    shaped: dict[str, Any] = {
        "id": info.oid,
        "title": info.title,
        "message": info.message,
        "authors": [{"user": author, "avatar": f"{origin(request)}/api/users/{quote(author)}/avatar"}],
        "date": iso(info.date),
    }
    if formatted:
        shaped["formatted"] = {"title": info.title, "message": info.message}
    return shaped


@router.post("/api/{types:types}/{repo:repo}/branch/{name:rest}")
def create_branch(ctx: Ctx, rid: Rid, name: str, body: Body) -> Response:
    """A branch at a starting point, main by default."""
    repo = lookup.find(ctx, rid, Right.WRITE)
    start = body.get("startingPoint")
    try:
        commit = read.commit_of(ctx, repo, start if isinstance(start, str) and start else "main")
    except RevisionNotFound:
        raise RevisionNotFound(f"Invalid rev id: {start or 'main'}") from None
    refs.create_branch(ctx, repo, name, commit, overwrite=bool(body.get("overwrite")))
    return Json({"ref": f"refs/heads/{name}", "targetCommit": commit})


@router.delete("/api/{types:types}/{repo:repo}/branch/{name:rest}")
def delete_branch(ctx: Ctx, rid: Rid, name: str) -> Response:
    """Delete a branch; the default one stays."""
    refs.delete_branch(ctx, lookup.find(ctx, rid, Right.WRITE), name)
    return Json({})


@router.post("/api/{types:types}/{repo:repo}/tag/{rev:seg}")
def create_tag(ctx: Ctx, rid: Rid, rev: str, body: Body) -> Response:
    """A tag, annotated when there is a message."""
    repo = lookup.find(ctx, rid, Right.WRITE)
    name = body.get("tag")
    if not isinstance(name, str):
        raise BadRequest("The member 'tag' must be the tag's name.", code="InvalidRef")
    commit = read.commit_of(ctx, repo, rev)
    refs.create_tag(ctx, repo, name, commit, str(body.get("message") or ""), commits.signature(ctx))
    return Json({"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit})


@router.delete("/api/{types:types}/{repo:repo}/tag/{name:rest}")
def delete_tag(ctx: Ctx, rid: Rid, name: str) -> Response:
    """Delete a tag."""
    refs.delete_tag(ctx, lookup.find(ctx, rid, Right.WRITE), name)
    return Json({})


@router.post("/api/{types:types}/{repo:repo}/super-squash/{rev:seg}")
def super_squash(ctx: Ctx, rid: Rid, rev: str, body: Body) -> Response:
    """Replace a branch's history by one commit with the same files."""
    repo = lookup.find(ctx, rid, Right.WRITE)
    oid = commits.squash(ctx, repo, rev, str(body.get("message") or f"Super-squash branch '{rev}'"))
    return Json({"commitOid": oid})


# --- information -------------------------------------------------------------------------------------------------


@router.get("/api/{types:types}/{repo:repo}/revision/{rev:seg}")
def repo_info_at(request: Request, ctx: Ctx, rid: Rid, rev: str, blobs: bool = False, expand: Expand = ()) -> Response:
    """A repository as it is at a revision."""
    return _info(request, ctx, rid, rev, blobs, expand)


@router.get("/api/{types:types}/{repo:repo}")
def repo_info(request: Request, ctx: Ctx, rid: Rid, blobs: bool = False, expand: Expand = ()) -> Response:
    """A repository as it is on its default branch."""
    return _info(request, ctx, rid, None, blobs, expand)


def _info(request: Request, ctx: Context, rid: RepoId, rev: str | None, blobs: bool, expand: Sequence[str]) -> Response:
    view = shapes.View(expand=shapes.check_expand(rid.type, expand), one=True)
    repo = lookup.find(ctx, rid)
    commit = read.commit_of(ctx, repo, rev or "main")
    siblings = None
    if "siblings" in view.keys(repo.type):
        siblings = shapes.siblings_of(read.entries(ctx, repo, commit, recursive=True), blobs=blobs)
    listing = index.at(ctx, repo, commit)
    shown = shapes.info(ctx, repo, listing, view, origin=origin(request), sha=commit, siblings=siblings)
    return Json(shown, headers={"X-Repo-Commit": commit})


@router.get("/api/{types:types}/{name:seg}", include_in_schema=False)
@router.api_route(
    "/api/{types:types}/{name:seg}/{call:call}/{rest:rest}", methods=["GET", "POST"], include_in_schema=False
)
@router.api_route("/{name:seg}/resolve/{rev:seg}/{rest:rest}", methods=["GET", "HEAD"], include_in_schema=False)
def one_segment(name: str) -> Response:
    """Ids without an owner parse, and name nothing here."""
    raise RepoNotFound(f"Repository not found: {name!r} has no owner; ids are owner/name here.")
