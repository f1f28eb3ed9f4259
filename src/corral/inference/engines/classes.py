"""From what a classifier says of a picture to labels and scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

#: pictures that go through a classifier at once. On two cores (EfficientNet-Lite0, 16 pictures) fours take 0.70 to 0.95
#: of the time of one by one, eights up to 1.6 of it where others compute too: the processor's caches are full
TOGETHER = 4
TOGETHER_ON_GPU = 16


def ranked(
    logits: npt.NDArray[np.float32], params: dict[str, Any], name: Callable[[int], str], usual: str = "softmax"
) -> list[dict[str, Any]]:
    """`[{"label", "score"}]`, the best first, as many as `params` ask for.

    `logits` is one row; `usual` is what makes scores of it unless `params` say it: softmax, sigmoid, none.
    """
    scores = scored(logits, params.get("function_to_apply") or usual)
    best = np.argsort(-scores, kind="stable")[: params.get("top_k") or 5]
    return [{"label": name(int(i)), "score": float(scores[i])} for i in best]


def scored(values: npt.NDArray[np.float32], function: str) -> npt.NDArray[np.float32]:
    match function:
        case "softmax":
            powers = np.exp(values - values.max())
            return np.asarray(powers / powers.sum(), np.float32)
        case "sigmoid":
            return np.asarray(1 / (1 + np.exp(-values.clip(-60, 60))), np.float32)
    return values
