"""Engines asked as a caller asks: through the task's check of the body, the engine, and the task's shape of the answer.

Needs torch in the test's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from corral.inference.tasks import TASKS
from corral.inference.tasks.base import Body

if TYPE_CHECKING:
    from corral.inference.engines.base import Engine, Job


def job(task: str, **value: Any) -> Job:
    from corral.inference.engines.base import Job

    asked = TASKS[task].request(Body(value))
    return Job(asked.op, asked.params)


def ask(engine: Engine, task: str, **value: Any) -> Any:
    """What a caller gets: through the task's check, the engine and the task's shape."""
    asked = TASKS[task].request(Body(value))
    return TASKS[task].answer(asked, engine.run(job(task, **value)))


def refused(engine: Engine, task: str, says: str, **value: Any) -> None:
    from corral.inference.engines.base import Refused

    with pytest.raises(Refused, match=says) as caught:
        ask(engine, task, **value)
    assert caught.value.status == 422


def same(found: Any, wanted: Any) -> None:
    """Equal, numbers nearly so."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=1e-5)
    else:
        assert found == wanted
