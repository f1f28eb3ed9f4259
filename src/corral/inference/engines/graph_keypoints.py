"""Keypoints by ONNX and TFLite models: people's poses, hands and faces. The layouts, by the shapes of the outputs:

| `output_layout` | outputs |
|---|---|
| `movenet` | [1, 1, 17, 3]: y, x in shares of the input, score |
| `movenet-multipose` | [1, 6, 56]: 17 times that, then the box and the score of each of six people |
| `landmarks` | [1, 195] (BlazePose), [1, 63], [1, 1404] (MediaPipe's hands, faces): x, y, z in pixels of the input |
| `yolo-pose` | [1, 5 + 3 * points, n]: box, score, and x, y, score of each point, in pixels of the input |
| `heatmaps` | [1, points, height, width]: how likely each point is where |

Names of points and the edges between them are the model's own (`config.json`: `keypoints`, `edges`) or the usual ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corral.inference.engines import boxes
from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.graphs import Array, config_of, open_graph
from corral.inference.engines.pictures import picture
from corral.inference.engines.points import BLAZEPOSE, COCO, FACE, HAND, Floats, Skeleton, figure
from corral.inference.engines.preparing import IMAGENET, Preparation, preparation


class _Found(NamedTuple):
    """`points` (n, 3): x, y in pixels of the input, and a score."""

    score: float
    points: Floats


#: how many numbers landmarks are -> whose they are, and how many numbers each of them is
_LANDMARKS = {195: (BLAZEPOSE, 5), 63: (HAND, 3), 1404: (FACE, 3)}
_WHOLE = Preparation(256, 256, pad=0)
_USUAL = {
    "movenet": Preparation(256, 256, pad=0, factor=1.0),
    "movenet-multipose": Preparation(256, 256, pad=0, factor=1.0),
    "landmarks": _WHOLE,
    "yolo-pose": Preparation(640, 640, pad=114),
    "heatmaps": Preparation(192, 256, *IMAGENET),
}


class GraphKeypoints(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = config_of(folder)
        self._graph = open_graph(folder, options)
        first = preparation(folder, config, self._graph, _WHOLE)
        values = np.zeros(first.values_shape(self._graph), self._graph.picture.type)
        outputs = self._graph.run(values, (first.width, first.height))
        self._layout = config.get("output_layout") or _recognise(outputs)
        if self._layout not in _USUAL:
            raise Refused(
                "The outputs of this model are of no layout that Corral knows: name one in config.json, as "
                f"output_layout ({', '.join(_USUAL)}).",
                501,
            )
        self._prepare = preparation(folder, config, self._graph, _USUAL[self._layout])
        self._names = [str(n) for n in config["keypoints"]] if isinstance(config.get("keypoints"), list) else None
        self._edges = config["edges"] if _pairs(config.get("edges")) else None
        sure = config.get("threshold")
        self._threshold = float(sure) if isinstance(sure, int | float) else 0.2

    def run(self, job: Job) -> Any:
        if job.op != "keypoints":
            raise Refused(f"This model cannot do {job.op!r}: it finds keypoints.")
        image = picture(job.files[0])
        asked = job.params.get("threshold")
        least = self._threshold if asked is None else asked
        values, placed = self._prepare(image, self._graph)
        outputs = [np.asarray(o, np.float32) for o in self._graph.run(values, image.size)]
        found, skeleton = self._read(outputs, least)
        answer = []
        for one in sorted(found, key=lambda f: -f.score):
            if one.score >= least:
                points = np.concatenate([placed.back(one.points[:, :2]), one.points[:, 2:]], 1)
                answer.append(figure(self._own(skeleton), one.score, points, image.size))
        return answer

    def _own(self, usual: Skeleton) -> Skeleton:
        """With the names and edges that the repository says, as far as they fit."""
        count = len(usual.names)
        names = self._names if self._names and len(self._names) == count else usual.names
        edges = usual.edges if self._edges is None else [pair for pair in self._edges if max(pair) < count]
        return Skeleton(usual.label, names, edges)

    def _read(self, outputs: list[Floats], least: float) -> tuple[list[_Found], Skeleton]:
        size = np.array([self._prepare.width, self._prepare.height], np.float32)
        match self._layout:
            case "movenet":
                points = _yx(outputs[0].reshape(-1, 3), size)
                return [_Found(float(points[:, 2].mean()), points)], COCO
            case "movenet-multipose":
                rows = outputs[0].reshape(-1, 56)
                return [_Found(float(row[55]), _yx(row[:51].reshape(17, 3), size)) for row in rows], COCO
            case "landmarks":
                return _landmarks(outputs)
            case "yolo-pose":
                rows = outputs[0][0].T
                return _yolo_pose(rows[rows[:, 4] >= least]), _counted((rows.shape[1] - 5) // 3)
        maps = outputs[0][0]
        return [_heatmaps(maps, size)], _counted(len(maps))


def _recognise(outputs: Sequence[Array]) -> str:
    shapes = [o.shape for o in outputs]
    if shapes[0][-2:] == (17, 3):
        return "movenet"
    if shapes[0][-1:] == (56,):
        return "movenet-multipose"
    if any(o.size in _LANDMARKS for o in outputs):
        return "landmarks"
    if len(shapes[0]) == 3 and shapes[0][1] > 5 and (shapes[0][1] - 5) % 3 == 0:
        return "yolo-pose"
    return "heatmaps" if len(shapes[0]) == 4 else ""


def _pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair) for pair in value
    )


def _counted(count: int) -> Skeleton:
    return COCO if count == len(COCO.names) else Skeleton("figure", [f"point {i}" for i in range(count)])


def _yx(points: Floats, size: Floats) -> Floats:
    return np.concatenate([points[:, 1::-1] * size, points[:, 2:]], 1)


def _landmarks(outputs: list[Floats]) -> tuple[list[_Found], Skeleton]:
    values = next(o for o in outputs if o.size in _LANDMARKS).reshape(-1)
    skeleton, numbers = _LANDMARKS[values.size]
    # how sure the model is that there is anything at all
    presence = next((float(o.reshape(-1)[0]) for o in outputs if o.size == 1), 1.0)
    score = presence if 0 <= presence <= 1 else float(_sigmoid(np.array([presence], np.float32))[0])
    # BlazePose has six more, which say where the body is to be cut out of the next picture of a film
    rows = values.reshape(-1, numbers)[: len(skeleton.names)]
    sure = _sigmoid(rows[:, 3:4]) if numbers > 3 else np.full((len(rows), 1), score, np.float32)
    return [_Found(score, np.concatenate([rows[:, :2], sure], 1))], skeleton


def _yolo_pose(rows: Floats) -> list[_Found]:
    half = rows[:, 2:4] / 2
    corners = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], 1)
    order = np.argsort(-rows[:, 4], kind="stable")[:3000]
    people = boxes.Boxes(corners[order], rows[order, 4], np.zeros(len(order), np.int64))
    kept = rows[order[boxes.kept_of(people)]]
    return [_Found(float(row[4]), row[5:].reshape(-1, 3)) for row in kept]


def _heatmaps(maps: Floats, size: Floats) -> _Found:
    count, height, width = maps.shape
    best = maps.reshape(count, -1).argmax(1)
    places = np.stack([best % width, best // width], 1) + 0.5
    scores = maps.reshape(count, -1).max(1).clip(0, 1)
    points = np.concatenate([places * size / np.array([width, height]), scores[:, None]], 1).astype(np.float32)
    return _Found(float(scores.mean()), points)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values.clip(-60, 60))), np.float32)
