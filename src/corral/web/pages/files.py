"""A repository's files at a revision: folders, single files, downloads."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corral.catalogue import cards
from corral.context import Context
from corral.core.ids import RepoId
from corral.repos import commits, lookup, read, refs
from corral.repos.lookup import Repo, Right
from corral.repos.preupload import is_binary
from corral.repos.read import CommitInfo, Entry
from corral.web import highlight, markdown, shaping
from corral.web.address import PageId, repo_url
from corral.web.deps import PageCtx
from corral.web.render import page, with_query
from corral.web.sanitise import Base
from corral.web.views import Crumb, FileRow, Revision

router = APIRouter(include_in_schema=False)

#: files and folders on one page
_ROWS = 500
#: bytes of a text file that is shown in the page
_SHOWN = 2 * 2**20
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".bmp", ".ico", ".svg")
_SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a")
_FILMS = (".mp4", ".webm", ".mov")


def crumbs(rid: RepoId, revision: str, path: str, view: str = "tree") -> list[Crumb]:
    """The way from the top folder to `path`, whose own address is under `view`."""
    found = [Crumb(rid.name, repo_url(rid, "tree", revision))]
    parts = path.split("/") if path else []
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        found.append(Crumb(part, repo_url(rid, view if last else "tree", revision, "/".join(parts[:number]))))
    return found


def revisions(ctx: Context, repo: Repo, current: str, view: str, path: str = "") -> list[tuple[str, list[Revision]]]:
    """(heading, branches or tags) to switch to."""
    known = refs.all(ctx, repo.id)
    groups = []
    for heading, prefix in (("Branches", "refs/heads/"), ("Tags", "refs/tags/")):
        names = sorted(name.removeprefix(prefix) for name in known if name.startswith(prefix))
        # main comes first
        names.sort(key=lambda name: name != "main")
        links = [Revision(name, repo_url(repo.rid, view, name, path), name == current) for name in names]
        if links:
            groups.append((heading, links))
    return groups


def may_commit(ctx: Context, repo: Repo, revision: str, may_write: bool) -> bool:
    """Whether the page may offer changes: only a branch can be changed."""
    return may_write and refs.read(ctx, repo.id, commits.branch_ref(revision)) is not None


@router.get("/{page:page}/tree/{rev:word}")
@router.get("/{page:page}/tree/{rev:word}/{path:tail}")
def tree(request: Request, ctx: PageCtx, rid: PageId, rev: str, path: str = "", p: int = 0) -> Response:
    repo, _, head = shaping.opened(ctx, rid, "files")
    commit = read.commit_of(ctx, repo, rev)
    path = read.clean_path(path)
    entry = read.entry(ctx, repo, commit, path)
    if entry.type == "file":
        return RedirectResponse(repo_url(repo.rid, "blob", rev, path), status_code=302)
    entries = sorted(read.entries(ctx, repo, commit, path), key=lambda e: (e.type == "file", e.path.lower()))
    start = max(0, p) * _ROWS
    shown = entries[start : start + _ROWS]
    last = read.last_commits(ctx, repo, commit, [e.path for e in shown])
    newest = max(last.values(), key=lambda c: c.date, default=None) if path else read.commit_info(ctx, repo, commit)
    return page(
        request,
        ctx,
        "tree.html",
        head=head,
        rev=rev,
        path=path,
        crumbs=crumbs(repo.rid, rev, path),
        revisions=revisions(ctx, repo, rev, "tree", path),
        rows=[_row(repo, rev, entry, last.get(entry.path)) for entry in shown],
        up=repo_url(repo.rid, "tree", rev, path.rpartition("/")[0]) if path else "",
        newest=newest,
        commits=read.count_commits(ctx, repo, commit, 1000),
        editable=may_commit(ctx, repo, rev, head.may_write),
        earlier=with_query(request, p=p - 1 or None) if p > 0 else "",
        later=with_query(request, p=p + 1) if start + _ROWS < len(entries) else "",
        readme=_readme(ctx, repo, commit, rev, path, entries) if p == 0 else None,
    )


def _row(repo: Repo, rev: str, entry: Entry, last: CommitInfo | None) -> FileRow:
    view = "blob" if entry.type == "file" else "tree"
    return FileRow(entry, entry.path.rpartition("/")[2], repo_url(repo.rid, view, rev, entry.path), last)


def _readme(ctx: Context, repo: Repo, commit: str, rev: str, path: str, entries: list[Entry]) -> Markup | None:
    """A folder's own README; that of the top folder is the card and has its page."""
    found = next((e for e in entries if path and e.path.rpartition("/")[2].lower() == "readme.md"), None)
    if found is None or found.size > _SHOWN:
        return None
    text, _ = cards.decode(read.read_file(ctx, repo, commit, found.path))
    return markdown.render(text, Base(repo.rid.path, rev, path))


@dataclass(frozen=True, slots=True)
class Shown:
    """How a file is shown: one of `lines`, `rendered`, `media` ('picture', 'sound', 'film'), or a `remark`."""

    lines: list[Markup] | None = None
    rendered: Markup | None = None
    media: str = ""
    remark: str = ""


@router.get("/{page:page}/blob/{rev:word}/{path:tail}")
def blob(request: Request, ctx: PageCtx, rid: PageId, rev: str, path: str, code: str = "") -> Response:
    repo, _, head = shaping.opened(ctx, rid, "files")
    commit = read.commit_of(ctx, repo, rev)
    path = read.clean_path(path)
    entry = read.entry(ctx, repo, commit, path)
    if entry.type == "directory":
        return RedirectResponse(repo_url(repo.rid, "tree", rev, path), status_code=302)
    lookup.require(ctx, repo, Right.DOWNLOAD)
    shown = _shown(ctx, repo, commit, rev, entry, source=code == "true")
    last = read.last_commits(ctx, repo, commit, [path]).get(path)
    text = shown.lines is not None or shown.rendered is not None
    return page(
        request,
        ctx,
        "blob.html",
        head=head,
        rev=rev,
        path=path,
        entry=entry,
        shown=shown,
        crumbs=crumbs(repo.rid, rev, path, "blob"),
        revisions=revisions(ctx, repo, rev, "blob", path),
        last=last,
        editable=may_commit(ctx, repo, rev, head.may_write),
        is_text=text,
        source_url=with_query(request, code="true") if shown.rendered is not None else "",
        rendered_url=with_query(request, code=None) if code == "true" and path.lower().endswith(".md") else "",
    )


def _shown(ctx: Context, repo: Repo, commit: str, rev: str, entry: Entry, *, source: bool) -> Shown:
    name = entry.path.lower()
    media = next(
        (kind for kind, ends in (("picture", _PICTURES), ("sound", _SOUNDS), ("film", _FILMS)) if name.endswith(ends)),
        "",
    )
    if media:
        return Shown(media=media)
    if entry.size > _SHOWN:
        return Shown(remark="This file is too large to show.")
    data = read.read_file(ctx, repo, commit, entry.path)
    if not data:
        return Shown(remark="This file is empty.")
    if is_binary(data):
        return Shown(remark="This is a binary file: there is no text to show.")
    text, _ = cards.decode(data)
    if name.endswith((".md", ".markdown")) and not source:
        folder = entry.path.rpartition("/")[0]
        return Shown(rendered=markdown.render(text, Base(repo.rid.path, rev, folder)))
    lines = highlight.lines(text, entry.path)
    return Shown(lines=[Markup(line) for line in lines])  # noqa: S704 - escaped by the highlighter
