"""From the outputs of detectors to boxes: the layouts that exporters write, recognised by the shapes of the outputs.

| `output_layout` | outputs | boxes |
|---|---|---|
| `yolov5` (v5 to v7) | [1, n, 5 + labels] | centre and size, sureness of the box, of each label |
| `yolov8` (v8, v9, 11) | [1, 4 + labels, n] | centre and size, sureness of each label |
| `yolov10`, and others with suppression inside | [1, n, 6] | two corners, score, label |
| `yolox` | as `yolov5` | centre and size as offsets in the cells of three grids; never guessed |
| `nanodet` | [1, n, labels] and [1, n, 4 * bins] of each grid, or [1, n, labels + 4 * bins] | distances in bins |
| `ssd` | boxes [1, n, 4], labels [1, n] and scores [1, n] | two corners; TensorFlow's have y first |
| `detr` | [1, n, labels (+ 1)] and [1, n, 4] | centre and size in shares of the input |

All but DETR's are in pixels of the input, or in shares of it where none is above 2.

Sources: the exporters of Ultralytics, YOLOX, NanoDet, TensorFlow's detection API and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corral.inference.engines.graphs import Array

Floats = npt.NDArray[np.float32]
LAYOUTS = ("yolov5", "yolov8", "yolov10", "yolox", "nanodet", "ssd", "detr")
#: more boxes than this are not looked at, nor told
_LOOKED_AT, MOST = 3000, 300
_OVERLAP = 0.5


class Boxes(NamedTuple):
    """Corners (n, 4: left, top, right, bottom in pixels of the input), scores (n) and labels (n)."""

    corners: Floats
    scores: Floats
    labels: npt.NDArray[np.int64]


def recognise(outputs: Sequence[Array], labels: int) -> str | None:
    """The layout, by the shapes; `labels` is how many there are, 0 where that is not known."""
    shapes = [o.shape for o in outputs]
    if len([s for s in shapes if len(s) == 3 and s[0] == 1]) >= 2:
        four = [s for s in shapes if len(s) == 3 and s[2] == 4]
        grids = {s[1] for s in shapes if len(s) == 3}
        # of three labels and one for none of them there are four as well
        if four and len([s for s in shapes if len(s) == 3 and s[1] == four[0][1]]) >= 2:
            return "detr"
        if len(grids) * 2 == len(shapes) and all(len(s) == 3 for s in shapes):
            return "nanodet"
    if any(s[-1:] == (4,) for s in shapes) and len(shapes) >= 3:
        return "ssd"
    first = next((s for s in shapes if len(s) == 3 and s[0] == 1), None)
    if first is None:
        return "yolov10" if shapes and len(shapes[0]) == 2 and shapes[0][1] == 7 else None
    if first[2] == 6 and first[1] <= 1000:
        return "yolov10"
    if labels and first[2] == labels + 5:
        return "yolov5"
    if first[1] < first[2] or (labels and first[1] == labels + 4):
        return "yolov8"
    if labels and first[2] > labels + 5 and (first[2] - labels) % 4 == 0:
        return "nanodet"
    return "yolov5"


def decode(
    layout: str, outputs: Sequence[Array], labels: int, size: tuple[int, int], threshold: float, y_first: bool = False
) -> Boxes:
    """The boxes that are at least as sure as `threshold`, the surest first; `size` is (width, height) of the input.

    Raises KeyError for a layout that is not in LAYOUTS, ValueError or IndexError where the outputs do not fit it.
    """
    floats = [np.asarray(o, np.float32) for o in outputs]
    match layout:
        case "yolov5":
            found = _yolo(floats[0][0], sure=True)
        case "yolov8":
            rows = floats[0][0].T
            # masks' coefficients may come after the labels
            found = _yolo(rows[:, : 4 + labels] if 0 < labels < rows.shape[1] - 4 else rows, sure=False)
        case "yolov10":
            return _finished(floats[0], size, threshold)
        case "yolox":
            found = _yolo(_on_grids(floats[0][0], size), sure=True)
        case "nanodet":
            found = _nanodet([f[0] for f in floats], labels, size)
        case "ssd":
            return _ssd(outputs, size, threshold, y_first)
        case "detr":
            return _detr(floats, labels, size, threshold)
        case _:
            raise KeyError(layout)
    corners, table = found
    places = table.argmax(1)
    scores = table[np.arange(len(table)), places]
    return suppressed(_surest(Boxes(_pixels(corners, size), scores, places.astype(np.int64)), threshold))


def suppressed(boxes: Boxes) -> Boxes:
    """Without those that overlap a surer one of the same label; `boxes` are the surest first."""
    kept = kept_of(boxes)
    return Boxes(boxes.corners[kept], boxes.scores[kept], boxes.labels[kept])


def kept_of(boxes: Boxes) -> list[int]:
    """The places of those that no surer one of the same label overlaps (non-maximum suppression)."""
    corners, scores, labels = boxes
    areas = np.maximum(corners[:, 2:] - corners[:, :2], 0).prod(1)
    kept: list[int] = []
    left = np.arange(len(scores))
    while len(left) and len(kept) < MOST:
        best, rest = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(corners[rest, :2], corners[best, :2])
        high = np.minimum(corners[rest, 2:], corners[best, 2:])
        common = np.maximum(high - low, 0).prod(1)
        share = common / np.maximum(areas[rest] + areas[best] - common, 1e-9)
        left = rest[(share <= _OVERLAP) | (labels[rest] != labels[best])]
    return kept


def _surest(boxes: Boxes, threshold: float) -> Boxes:
    sure = np.flatnonzero((boxes.scores >= threshold) & np.isfinite(boxes.corners).all(1))
    order = sure[np.argsort(-boxes.scores[sure], kind="stable")][:_LOOKED_AT]
    return Boxes(boxes.corners[order], boxes.scores[order], boxes.labels[order])


def _pixels(corners: Floats, size: tuple[int, int]) -> Floats:
    shares = corners.size > 0 and corners.max() <= 2
    return corners * np.array([*size, *size], np.float32) if shares else corners


def _sigmoid(values: Floats) -> Floats:
    """Unless it has been done: exporters differ."""
    if values.size and (values.min() < 0 or values.max() > 1):
        return np.asarray(1 / (1 + np.exp(-values.clip(-60, 60))), np.float32)
    return values


def _corners(middles: Floats) -> Floats:
    """Centre and size to two corners."""
    half = middles[:, 2:4] / 2
    return np.concatenate([middles[:, :2] - half, middles[:, :2] + half], 1)


def _yolo(rows: Floats, sure: bool) -> tuple[Floats, Floats]:
    scores = _sigmoid(rows[:, 4:])
    table = scores[:, 1:] * scores[:, :1] if sure else scores
    return _corners(rows), table if table.shape[1] else scores


def _on_grids(rows: Floats, size: tuple[int, int]) -> Floats:
    points, strides = _grids(len(rows), size)
    middles = (rows[:, :2] + points) * strides[:, None]
    return np.concatenate([middles, np.exp(rows[:, 2:4].clip(-20, 20)) * strides[:, None], rows[:, 4:]], 1)


def _grids(count: int, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """The cells' places (count, 2) and strides (count): of grids of strides 8, 16, 32 (and 64), `count` in all."""
    for strides in ((8, 16, 32), (8, 16, 32, 64)):
        cells = [(-(-size[0] // s), -(-size[1] // s)) for s in strides]
        if sum(w * h for w, h in cells) == count:
            points = [np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).reshape(-1, 2) for w, h in cells]
            steps = [np.full(w * h, s) for (w, h), s in zip(cells, strides, strict=True)]
            return np.concatenate(points).astype(np.float32), np.concatenate(steps).astype(np.float32)
    raise ValueError(f"{count} cells fit no grids over {size[0]}x{size[1]}")


def _nanodet(outputs: list[Floats], labels: int, size: tuple[int, int]) -> tuple[Floats, Floats]:
    if len(outputs) == 1:
        cut = labels or outputs[0].shape[1] - 32
        table, bins = outputs[0][:, :cut], outputs[0][:, cut:]
    else:
        pairs: dict[int, list[Floats]] = {}
        for output in outputs:
            pairs.setdefault(len(output), []).append(output)
        first = next(iter(pairs.values()))
        # the labels' are as wide as there are labels, else they are the wider ones
        wide = labels or max(o.shape[1] for o in first)
        grids = [pairs[n] for n in sorted(pairs, reverse=True)]
        table = np.concatenate([next(o for o in grid if o.shape[1] == wide) for grid in grids])
        bins = np.concatenate([next(o for o in grid if o.shape[1] != wide) for grid in grids])
    points, strides = _grids(len(table), size)
    # NanoDet-Plus, which has a fourth grid, counts from the cells' corners
    middle = 0.0 if strides.max() > 32 else 0.5
    shares = bins.reshape(len(bins), 4, -1)
    shares = np.exp(shares - shares.max(2, keepdims=True))
    shares /= shares.sum(2, keepdims=True)
    reach = (shares * np.arange(shares.shape[2], dtype=np.float32)).sum(2) * strides[:, None]
    middles = (points + middle) * strides[:, None]
    return np.concatenate([middles - reach[:, :2], middles + reach[:, 2:]], 1), _sigmoid(table)


def _finished(rows: Floats, size: tuple[int, int], threshold: float) -> Boxes:
    """Suppression is inside: corners, score, label, or a place in the batch, corners, label, score."""
    table = rows.reshape(-1, rows.shape[-1])
    if table.shape[1] == 7:
        table = table[:, [1, 2, 3, 4, 6, 5]]
    return _surest(Boxes(_pixels(table[:, :4], size), table[:, 4], table[:, 5].astype(np.int64)), threshold)


def _ssd(outputs: Sequence[Array], size: tuple[int, int], threshold: float, y_first: bool) -> Boxes:
    boxes = next(o for o in outputs if o.shape[-1:] == (4,)).reshape(-1, 4).astype(np.float32)
    flat = [o.reshape(-1) for o in outputs if o.size == len(boxes)]
    whole = [o for o in flat if np.array_equal(o, np.floor(o))]
    labels = next((o for o in whole if o.dtype.kind in "iu"), whole[0] if whole else np.zeros(len(boxes)))
    scores = next(o for o in flat if o is not labels).astype(np.float32)
    corners = _pixels(boxes[:, [1, 0, 3, 2]] if y_first else boxes, size)
    return _surest(Boxes(corners, scores, labels.astype(np.int64)), threshold)


def _detr(outputs: list[Floats], labels: int, size: tuple[int, int], threshold: float) -> Boxes:
    tables = [o[0] for o in outputs if o.ndim == 3]
    # the boxes come after the labels
    boxes = [o for o in tables if o.shape[1] == 4][-1]
    logits = next(o for o in tables if o is not boxes and len(o) == len(boxes))
    if labels and logits.shape[1] == labels:
        table = np.asarray(1 / (1 + np.exp(-logits.clip(-60, 60))), np.float32)
    else:
        # the last one is for "nothing here"
        powers = np.exp(logits - logits.max(1, keepdims=True))
        table = (powers / powers.sum(1, keepdims=True))[:, :-1]
    places = table.argmax(1)
    corners = _corners(boxes) * np.array([*size, *size], np.float32)
    return _surest(Boxes(corners, table[np.arange(len(table)), places], places.astype(np.int64)), threshold)
