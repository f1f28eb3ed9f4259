"""The tasks Corral runs: what a request may look like, what an engine is asked, what an answer looks like.

To add one: a file here, and a line in `TASKS`.
"""

from __future__ import annotations

from corral.inference.tasks import (
    feature_extraction,
    image_classification,
    image_to_image,
    sentence_similarity,
    text_generation,
)
from corral.inference.tasks.base import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        sentence_similarity.TASK,
        feature_extraction.TASK,
        image_classification.TASK,
        image_to_image.TASK,
        text_generation.TASK,
    )
}
