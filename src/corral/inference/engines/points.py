"""Keypoints as they are answered, and the skeletons that most models of poses have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Skeleton(NamedTuple):
    """What has the points, their names, and which of them, by their places, are joined."""

    label: str
    names: Sequence[str]
    edges: Sequence[Sequence[int]] = ()


#: COCO's 17 points, as MoveNet and ViTPose name them
COCO = Skeleton(
    "person",
    (
        "nose,left_eye,right_eye,left_ear,right_ear,left_shoulder,right_shoulder,left_elbow,right_elbow,left_wrist,"
        "right_wrist,left_hip,right_hip,left_knee,right_knee,left_ankle,right_ankle"
    ).split(","),
    (
        *((0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
        *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
    ),
)
BLAZEPOSE = Skeleton(
    "person",
    (
        "nose,left_eye_inner,left_eye,left_eye_outer,right_eye_inner,right_eye,right_eye_outer,left_ear,right_ear,"
        "mouth_left,mouth_right,left_shoulder,right_shoulder,left_elbow,right_elbow,left_wrist,right_wrist,left_pinky,"
        "right_pinky,left_index,right_index,left_thumb,right_thumb,left_hip,right_hip,left_knee,right_knee,left_ankle,"
        "right_ankle,left_heel,right_heel,left_foot_index,right_foot_index"
    ).split(","),
    (
        *((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10), (11, 12), (11, 13), (13, 15)),
        *((15, 17), (15, 19), (15, 21), (17, 19), (12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20)),
        *((11, 23), (12, 24), (23, 24), (23, 25), (24, 26), (25, 27), (26, 28), (27, 29), (28, 30), (29, 31)),
        *((30, 32), (27, 31), (28, 32)),
    ),
)
#: MediaPipe's hands: the wrist, then four points of each finger
HAND = Skeleton(
    "hand",
    ("wrist", *(f"{finger}_{i}" for finger in ("thumb", "index", "middle", "ring", "pinky") for i in range(1, 5))),
    (
        *((0, first) for first in (1, 5, 17)),
        *((5, 9), (9, 13), (13, 17)),
        *((first + i, first + i + 1) for first in (1, 5, 9, 13, 17) for i in range(3)),
    ),
)
#: MediaPipe's faces
FACE = Skeleton("face", [f"point {i}" for i in range(468)])


def figure(skeleton: Skeleton, score: float, points: Floats, size: tuple[int, int]) -> dict[str, Any]:
    """One answer of keypoint detection. `points` is x, y in pixels and a score for each name; `size` the picture's.

    The box is that of the points, cut to the picture.
    """
    width, height = size
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return {
        "label": skeleton.label,
        "score": round(float(score), 6),
        "box": {
            "xmin": int(np.clip(low[0], 0, width)),
            "ymin": int(np.clip(low[1], 0, height)),
            "xmax": int(np.clip(high[0], 0, width)),
            "ymax": int(np.clip(high[1], 0, height)),
        },
        "keypoints": [
            {"label": name, "x": round(float(x), 2), "y": round(float(y), 2), "score": round(float(s), 6)}
            for name, (x, y, s) in zip(skeleton.names, points, strict=True)
        ],
        "edges": [list(edge) for edge in skeleton.edges],
    }
