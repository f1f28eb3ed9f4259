"""Files written, changed and deleted in the browser: each change is a commit on top of the one the form was for."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.context import Context
from corral.core.errors import BadRequest, Conflict, EntryNotFound, HubError
from corral.core.ids import RepoId
from corral.repos import commits, read
from corral.repos.commits import AddFile, Delete, Header, Operation
from corral.repos.lookup import Repo, Right
from corral.repos.preupload import is_binary
from corral.web import shaping
from corral.web.address import PageId, repo_url
from corral.web.deps import CheckedForm, Field, MemberCtx
from corral.web.pages.files import crumbs
from corral.web.render import go, page

router = APIRouter(include_in_schema=False)

#: bytes of a text that a form takes
_EDITABLE = 1 << 20


def _form(
    request: Request,
    ctx: Context,
    rid: RepoId,
    rev: str,
    *,
    name: str,
    content: str,
    summary: str,
    old: str,
    folder: str = "",
    parent: str = "",
    problem: HubError | None = None,
) -> Response:
    """The form for a new file (`old` is '') or for a change of the file `old`."""
    repo, _, head = shaping.opened(ctx, rid, "files", Right.WRITE)
    parent = parent or read.commit_of(ctx, repo, rev)
    commits.head_of(ctx, repo, rev)
    return page(
        request,
        ctx,
        "edit.html",
        status=problem.status if problem else 200,
        head=head,
        rev=rev,
        old=old,
        name=name,
        content=content,
        summary=summary,
        parent=parent,
        crumbs=crumbs(repo.rid, rev, folder),
        cancel=repo_url(repo.rid, "blob" if old else "tree", rev, old or folder),
        problem=problem.message if problem else "",
    )


@router.get("/{page:page}/new/{rev:word}")
@router.get("/{page:page}/new/{rev:word}/{path:tail}")
def new_file(request: Request, ctx: MemberCtx, rid: PageId, rev: str, path: str = "", name: str = "") -> Response:
    folder = read.clean_path(path)
    full = f"{folder}/{name}" if folder else name
    content = _first_card(rid) if full == "README.md" else ""
    return _form(request, ctx, rid, rev, name=full, content=content, summary="", old="", folder=folder)


def _first_card(rid: RepoId) -> str:
    return (
        f"---\nlicense: apache-2.0\n---\n\n# {rid.name}\n\nWhat this is, where it comes from, and how it may be used.\n"
    )


@router.post("/{page:page}/new/{rev:word}", dependencies=[CheckedForm])
@router.post("/{page:page}/new/{rev:word}/{path:tail}", dependencies=[CheckedForm])
def create_file(
    request: Request,
    ctx: MemberCtx,
    rid: PageId,
    rev: str,
    name: Field = "",
    content: Field = "",
    summary: Field = "",
    description: Field = "",
    parent: Field = "",
) -> Response:
    path = name.strip().strip("/")
    try:
        repo, _, _ = shaping.opened(ctx, rid, "files", Right.WRITE)
        if not path:
            raise BadRequest("Give the file a name.")
        if _exists(ctx, repo, rev, path):
            raise Conflict(f"There is a file {path} already: choose another name, or edit that one.")
        data = _bytes(content)
        header = Header(summary.strip() or f"Create {path}", description.strip())
        commits.commit(ctx, repo, rev, header, [AddFile(path, data)])
    except HubError as error:
        if error.status in (307, 401, 404):
            raise
        return _form(request, ctx, rid, rev, name=name, content=content, summary=summary, old="", problem=error)
    return go(repo_url(repo.rid, "blob", rev, path), "committed")


def _exists(ctx: Context, repo: Repo, rev: str, path: str) -> bool:
    try:
        read.entry(ctx, repo, read.commit_of(ctx, repo, rev), path)
    except EntryNotFound:
        return False
    return True


def _bytes(content: str) -> bytes:
    """Forms send lines that end in CRLF, whatever the file had."""
    data = content.replace("\r\n", "\n").encode()
    if len(data) > _EDITABLE:
        raise BadRequest("This text is longer than 1 MB: upload it as a file.")
    return data


@router.get("/{page:page}/edit/{rev:word}/{path:tail}")
def edit_file(request: Request, ctx: MemberCtx, rid: PageId, rev: str, path: str) -> Response:
    repo, _, _ = shaping.opened(ctx, rid, "files", Right.WRITE)
    commit = read.commit_of(ctx, repo, rev)
    data = read.read_file(ctx, repo, commit, path, _EDITABLE)
    if is_binary(data):
        raise BadRequest(f"{path} is no text: it cannot be edited here, only replaced by an upload.")
    folder = path.rpartition("/")[0]
    return _form(
        request, ctx, rid, rev, name=path, content=data.decode(), summary="", old=path, folder=folder, parent=commit
    )


@router.post("/{page:page}/edit/{rev:word}/{path:tail}", dependencies=[CheckedForm])
def save_file(
    request: Request,
    ctx: MemberCtx,
    rid: PageId,
    rev: str,
    path: str,
    name: Field = "",
    content: Field = "",
    summary: Field = "",
    description: Field = "",
    parent: Field = "",
) -> Response:
    target = name.strip().strip("/") or path
    try:
        repo, _, _ = shaping.opened(ctx, rid, "files", Right.WRITE)
        was = read.read_file(ctx, repo, read.commit_of(ctx, repo, rev), path, _EDITABLE)
        data = _bytes(content)
        if b"\r\n" in was:
            data = data.replace(b"\n", b"\r\n")
        if target != path and _exists(ctx, repo, rev, target):
            raise Conflict(f"There is a file {target} already: choose another name.")
        operations: list[Operation] = [Delete(path)] if target != path else []
        operations.append(AddFile(target, data))
        header = Header(summary.strip() or f"Update {target}", description.strip(), parent or None)
        commits.commit(ctx, repo, rev, header, operations)
    except HubError as error:
        if error.status in (307, 401, 404):
            raise
        folder = path.rpartition("/")[0]
        # the text that was typed is kept; sent again, it goes on top of what the branch holds now
        return _form(
            request,
            ctx,
            rid,
            rev,
            name=target,
            content=content,
            summary=summary,
            old=path,
            folder=folder,
            problem=error,
        )
    return go(repo_url(repo.rid, "blob", rev, target), "committed")


@router.get("/{page:page}/delete/{rev:word}/{path:tail}")
def ask_to_delete(request: Request, ctx: MemberCtx, rid: PageId, rev: str, path: str) -> Response:
    repo, _, head = shaping.opened(ctx, rid, "files", Right.WRITE)
    commits.head_of(ctx, repo, rev)
    commit = read.commit_of(ctx, repo, rev)
    entry = read.entry(ctx, repo, commit, path)
    return page(request, ctx, "delete_file.html", head=head, rev=rev, path=path, entry=entry, parent=commit)


@router.post("/{page:page}/delete/{rev:word}/{path:tail}", dependencies=[CheckedForm])
def delete_file(ctx: MemberCtx, rid: PageId, rev: str, path: str, summary: Field = "", parent: Field = "") -> Response:
    repo, _, _ = shaping.opened(ctx, rid, "files", Right.WRITE)
    commits.commit(ctx, repo, rev, Header(summary.strip() or f"Delete {path}", "", parent or None), [Delete(path)])
    return go(repo_url(repo.rid, "tree", rev), "committed")


@router.get("/{page:page}/upload/{rev:word}")
@router.get("/{page:page}/upload/{rev:word}/{path:tail}")
def upload(request: Request, ctx: MemberCtx, rid: PageId, rev: str, path: str = "") -> Response:
    """The island on this page sends the files through the public API, as any client does."""
    repo, _, head = shaping.opened(ctx, rid, "files", Right.WRITE)
    commits.head_of(ctx, repo, rev)
    folder = read.clean_path(path)
    return page(
        request,
        ctx,
        "upload.html",
        head=head,
        rev=rev,
        folder=folder,
        crumbs=crumbs(repo.rid, rev, folder),
        done=repo_url(repo.rid, "tree", rev, folder),
    )
