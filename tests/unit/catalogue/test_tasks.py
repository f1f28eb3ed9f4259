from __future__ import annotations

from collections.abc import Callable

from corral.catalogue import tasks
from corral.context import Context
from corral.core.ids import RepoType
from corral.repos.lookup import Repo

Make = Callable[..., Repo]


def test_what_leads_in_each_task(ctx: Context, ann: Context, make: Make) -> None:
    for number in range(3):
        make(f"m{number}", "pipeline_tag: fill-mask")
    make("hidden", "pipeline_tag: translation", private=True)
    make("d", "task_categories: [translation]", type=RepoType.DATASET)
    everybody = tasks.leading(ctx, RepoType.MODEL, most=2)
    assert {task: len(found) for task, found in everybody.items()} == {"fill-mask": 2}
    assert tasks.leading(ann, RepoType.MODEL)["translation"] == [("ann/hidden", "")]
    assert tasks.leading(ctx, RepoType.DATASET) == {"translation": [("ann/d", "")]}


def test_models_that_nothing_runs_are_not_counted_as_running(ctx: Context, make: Make) -> None:
    make("m", "pipeline_tag: fill-mask")
    assert tasks.running(ctx) == {}
