"""What a model is for, said by its owner on its page: `pipeline_tag` in its card."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from corral.catalogue import cards
from corral.catalogue.vocabulary import TASKS
from corral.core.errors import BadRequest, EntryNotFound, NotFound
from corral.core.ids import RepoType
from corral.inference.libraries import runnable_tasks
from corral.repos import commits, read
from corral.repos.commits import AddFile, Header
from corral.repos.lookup import Right
from corral.web import shaping
from corral.web.address import PageId, repo_url
from corral.web.deps import CheckedForm, Field, MemberCtx
from corral.web.render import go
from corral.web.views import Task

router = APIRouter(include_in_schema=False)


def choices() -> list[tuple[str, list[Task]]]:
    """The tasks to choose from, in two groups with a heading each, those that run here first."""
    known = sorted(map(Task.of, TASKS), key=lambda task: task.label)
    here = runnable_tasks()
    return [
        ("Run on this hub", [task for task in known if task.id in here]),
        ("Not run on this hub yet", [task for task in known if task.id not in here]),
    ]


@router.post("/{page:page}/task", dependencies=[CheckedForm])
def set_task(ctx: MemberCtx, rid: PageId, task: Field = "") -> Response:
    """Write the task into the model's card, as a commit of the one who chose it."""
    repo, _, _ = shaping.opened(ctx, rid, "card", Right.WRITE)
    if repo.type is not RepoType.MODEL:
        raise NotFound("Only models have a task.")
    if task not in TASKS:
        raise BadRequest("Choose one of the tasks.")
    head = read.commit_of(ctx, repo, "main")
    try:
        text, good = cards.decode(read.read_file(ctx, repo, head, "README.md", cards.MOST_BYTES))
    except EntryNotFound:
        text, good = f"\n# {repo.rid.name}\n", True
    if not good:
        raise BadRequest("README.md is not UTF-8: save it as UTF-8 first.")
    changed = cards.with_member(text, "pipeline_tag", task)
    header = Header(f"Set the task to {Task.of(task).label}", "", head)
    commits.commit(ctx, repo, "main", header, [AddFile("README.md", changed.encode())])
    return go(repo_url(repo.rid), "committed")
