"""The tags that lists can be filtered by (`HfApi.get_model_tags`, `get_dataset_tags`) and the tasks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from corral.api.deps import Ctx
from corral.api.wire import Json
from corral.catalogue import facets, tasks
from corral.catalogue.vocabulary import LIBRARIES, LICENSES, MODALITIES, SIZE_CATEGORIES, TASKS
from corral.context import Context
from corral.core.ids import RepoType
from corral.inference.libraries import LIBRARIES as RUNNING_LIBRARIES
from corral.inference.libraries import runnable_tasks

router = APIRouter()

_Tag = dict[str, Any]


def _merged(known: dict[str, str], used: list[tuple[str, int]], type: str, prefix: str = "") -> list[_Tag]:
    """The tags that repositories have, the most used first, then those that are known but not used."""
    ids = dict.fromkeys([tag for tag, _ in used] + [prefix + word for word in known])
    found = []
    for tag in ids:
        word = tag.removeprefix(prefix)
        found.append({"id": tag, "label": known.get(word) or word, "type": type})
    return found


def _tasks(used: list[tuple[str, int]], type: str, prefix: str = "") -> list[_Tag]:
    names = {task: name for task, (name, _) in TASKS.items()}
    found = _merged(names, used, type, prefix)
    for tag in found:
        _, modality = TASKS.get(tag["id"].removeprefix(prefix), ("", "other"))
        tag["subType"] = MODALITIES[modality]
    return found


def _by_kind(ctx: Context, type: RepoType) -> dict[str, list[tuple[str, int]]]:
    return defaultdict(list, facets.public(ctx, type).kinds)


@router.get("/api/models-tags-by-type")
def model_tags(ctx: Ctx) -> Response:
    """Every tag of models by its type."""
    used = _by_kind(ctx, RepoType.MODEL)
    return Json(
        {
            "pipeline_tag": _tasks(used["task"], "pipeline_tag"),
            "library": _merged(LIBRARIES, used["library"], "library"),
            "language": _merged({}, used["language"], "language"),
            "license": _merged(dict.fromkeys(LICENSES, ""), used["license"], "license", "license:"),
            "dataset": _merged({}, used["dataset"], "dataset", "dataset:"),
            "other": _merged({}, used["other"] + used["format"], "other"),
        }
    )


@router.get("/api/datasets-tags-by-type")
def dataset_tags(ctx: Ctx) -> Response:
    """Every tag of data sets by its type."""
    used = _by_kind(ctx, RepoType.DATASET)
    sizes = dict(zip(SIZE_CATEGORIES, SIZE_CATEGORIES, strict=True))
    return Json(
        {
            "task_categories": _tasks(used["task"], "task_categories", "task_categories:"),
            "language": _merged({}, used["language"], "language", "language:"),
            "license": _merged(dict.fromkeys(LICENSES, ""), used["license"], "license", "license:"),
            "size_categories": _merged(sizes, used["size"], "size_categories", "size_categories:"),
            "modality": _merged({}, used["modality"], "modality", "modality:"),
            "format": _merged({}, used["format"], "format", "format:"),
            "library": _merged({}, used["library"], "library", "library:"),
            "other": _merged({}, used["other"], "other"),
        }
    )


@router.get("/api/tasks")
def list_tasks(ctx: Ctx) -> Response:
    """The tasks by id, as huggingface.js's `TaskData`, with repositories of this hub.

    Beside its members: `modality`, `count` (public models), `running` (how many run here), `runs` (whether any could).
    """
    counts = dict(_by_kind(ctx, RepoType.MODEL)["task"])
    running = tasks.running(ctx)
    models, datasets = (tasks.leading(ctx, type) for type in (RepoType.MODEL, RepoType.DATASET))
    here = runnable_tasks()

    def entries(found: dict[str, list[tuple[str, str]]], task: str) -> list[dict[str, str]]:
        return [{"id": name, "description": summary} for name, summary in found.get(task, [])]

    return Json(
        {
            task: {
                "id": task,
                "label": label,
                "modality": MODALITIES[modality],
                "summary": "",
                "isPlaceholder": False,
                "demo": {"inputs": [], "outputs": []},
                "models": entries(models, task),
                "datasets": entries(datasets, task),
                "spaces": [],
                "metrics": [],
                "widgetModels": [name for name, _ in models.get(task, [])][:1] if running.get(task) else [],
                "libraries": [name for name, library in RUNNING_LIBRARIES.items() if task in library.engines],
                "count": counts.get(task, 0),
                "running": running.get(task, 0),
                "runs": task in here,
            }
            for task, (label, modality) in TASKS.items()
        }
    )
