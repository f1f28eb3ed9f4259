"""The tasks Corral runs: what a request may look like, what an engine is asked, what an answer looks like.

To add one: a file here, and a line in `TASKS`.
"""

from __future__ import annotations

from corral.inference.tasks import (
    audio_classification,
    automatic_speech_recognition,
    depth_estimation,
    feature_extraction,
    fill_mask,
    image_classification,
    image_segmentation,
    image_to_image,
    image_to_text,
    inpainting,
    keypoint_detection,
    object_detection,
    question_answering,
    sentence_similarity,
    summarization,
    table_question_answering,
    tabular_classification,
    tabular_regression,
    text2text_generation,
    text_classification,
    text_generation,
    text_ranking,
    text_to_image,
    text_to_speech,
    token_classification,
    translation,
    zero_shot_classification,
    zero_shot_image_classification,
)
from corral.inference.tasks.base import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        sentence_similarity.TASK,
        feature_extraction.TASK,
        image_classification.TASK,
        zero_shot_image_classification.TASK,
        object_detection.TASK,
        image_segmentation.TASK,
        depth_estimation.TASK,
        keypoint_detection.TASK,
        image_to_text.TASK,
        text_to_image.TASK,
        image_to_image.TASK,
        inpainting.TASK,
        text_generation.TASK,
        text_classification.TASK,
        token_classification.TASK,
        question_answering.TASK,
        table_question_answering.TASK,
        fill_mask.TASK,
        zero_shot_classification.TASK,
        text_ranking.TASK,
        translation.TASK,
        summarization.TASK,
        text2text_generation.TASK,
        tabular_classification.TASK,
        tabular_regression.TASK,
        automatic_speech_recognition.TASK,
        audio_classification.TASK,
        text_to_speech.TASK,
        text_to_speech.TEXT_TO_AUDIO,
    )
}
