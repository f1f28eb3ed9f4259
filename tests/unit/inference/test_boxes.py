"""Boxes out of detectors' outputs: each layout written as its exporter writes it, recognised, and read again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from corral.inference.engines import boxes

Floats = npt.NDArray[np.float32]
SIZE = (320, 256)
LABELS = 3
#: two things that do not touch: left, top, right, bottom
WANTED = np.array([[40, 60, 120, 180], [200, 32, 264, 96]], np.float32)
#: their labels and how sure they are
KINDS, SURE = (2, 0), (0.9, 0.7)


def middles(corners: Floats) -> Floats:
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)


def table(rows: int) -> Floats:
    """Scores for each label, in rows of which the first two are the wanted ones."""
    scores = np.full((rows, LABELS), 0.01, np.float32)
    scores[[0, 1], KINDS] = SURE
    return scores


def padded(values: Floats, rows: int) -> Floats:
    return np.concatenate([values, np.full((rows - len(values), values.shape[1]), 5, np.float32)])


def yolov5() -> list[Floats]:
    rows = np.concatenate([padded(middles(WANTED), 50), np.ones((50, 1), np.float32), table(50)], 1)
    rows[2:, 4] = 0.001
    return [rows[None]]


def yolov8() -> list[Floats]:
    return [np.concatenate([padded(middles(WANTED), 50), table(50)], 1).T[None]]


def yolov8_in_shares() -> list[Floats]:
    [output] = yolov8()
    output[:, :4] /= np.array([*SIZE, *SIZE], np.float32)[:, None]
    return [output]


def yolov8_with_masks() -> list[Floats]:
    [output] = yolov8()
    return [np.concatenate([output, np.full((1, 32, 50), 9, np.float32)], 1), np.zeros((1, 32, 64, 80), np.float32)]


def yolov10() -> list[Floats]:
    rows = np.zeros((300, 6), np.float32)
    rows[:2] = np.concatenate([WANTED, np.array([SURE, KINDS], np.float32).T], 1)
    return [rows[None]]


def yolov7_end_to_end() -> list[Floats]:
    return [np.concatenate([np.zeros((2, 1)), WANTED, np.array([KINDS, SURE]).T], 1).astype(np.float32)]


def nanodet(plus: bool = False) -> list[Floats]:
    """Distances as whole numbers of strides: the bin of that number has nearly all the weight."""
    strides = (8, 16, 32, 64) if plus else (8, 16, 32)
    outputs = []
    for stride in strides:
        across, down = -(-SIZE[0] // stride), -(-SIZE[1] // stride)
        scores = np.full((across * down, LABELS), 0.01, np.float32)
        bins = np.zeros((across * down, 4, 8), np.float32)
        if stride == 32:
            for corners, kind, sure in zip(CELLS[plus], KINDS, SURE, strict=True):
                middle = (corners[:2] + corners[2:]) / 2
                place = middle // 32
                where = int(place[1]) * across + int(place[0])
                centre = (place + (0 if plus else 0.5)) * 32
                reach = np.concatenate([centre - corners[:2], corners[2:] - centre]) / 32
                scores[where, kind] = sure
                bins[where, np.arange(4), reach.astype(int)] = 50
        outputs.append((scores, bins.reshape(-1, 32)))
    if plus:
        return [np.concatenate([np.concatenate(pair, 1) for pair in outputs])[None]]
    return [scores[None] for scores, _ in outputs] + [bins[None] for _, bins in outputs]


#: what those distances can say, for cells that count from their middles and from their corners
CELLS = {
    False: np.array([[48, 16, 176, 144], [208, 112, 272, 176]], np.float32),
    True: np.array([[32, 32, 160, 160], [192, 96, 256, 160]], np.float32),
}


def tensorflow_ssd() -> list[Floats]:
    shares = (WANTED / np.array([*SIZE, *SIZE], np.float32))[:, [1, 0, 3, 2]]
    return [shares[None], np.array([KINDS], np.float32), np.array([SURE], np.float32), np.array([2], np.float32)]


def torchvision_ssd() -> list[npt.NDArray[np.generic]]:
    return [WANTED, np.array(KINDS, np.int64), np.array(SURE, np.float32)]


def detr(extra: int = 1) -> list[Floats]:
    logits = np.full((1, 20, LABELS + extra), -8, np.float32)
    if extra:
        logits[:, :, -1] = 0
    for row, (kind, sure) in enumerate(zip(KINDS, SURE, strict=True)):
        logits[0, row, kind] = np.log(sure / (1 - sure))
    return [logits, padded(middles(WANTED / np.array([*SIZE, *SIZE], np.float32)), 20)[None]]


@pytest.mark.parametrize(
    ("outputs", "layout", "wanted"),
    [
        (yolov5(), "yolov5", WANTED),
        (yolov8(), "yolov8", WANTED),
        (yolov8_in_shares(), "yolov8", WANTED),
        (yolov8_with_masks(), "yolov8", WANTED),
        (yolov10(), "yolov10", WANTED),
        (yolov7_end_to_end(), "yolov10", WANTED),
        (nanodet(), "nanodet", CELLS[False]),
        (nanodet(plus=True), "nanodet", CELLS[True]),
        (tensorflow_ssd(), "ssd", WANTED),
        (torchvision_ssd(), "ssd", WANTED),
        (detr(), "detr", WANTED),
        (detr(extra=0), "detr", WANTED),
    ],
)
def test_a_layout_is_recognised_and_read(outputs: list[Floats], layout: str, wanted: Floats) -> None:
    assert boxes.recognise(outputs, LABELS) == layout
    y_first = outputs[-1].shape == (1,)
    found = boxes.decode(layout, outputs, LABELS, SIZE, 0.5, y_first)
    assert found.labels.tolist() == list(KINDS)
    assert found.scores == pytest.approx(SURE, abs=0.01)
    assert found.corners == pytest.approx(wanted, abs=0.05)
    assert len(boxes.decode(layout, outputs, LABELS, SIZE, 0.8, y_first).scores) == 1


def test_yolox_writes_offsets_in_its_cells() -> None:
    across = SIZE[0] // 8
    count = sum((SIZE[0] // s) * (SIZE[1] // s) for s in (8, 16, 32))
    rows = np.zeros((count, 5 + LABELS), np.float32)
    # the cell in column 10 of row 15 of the first grid: its middle is at (10.5, 15.5) strides, and its size e² of them
    rows[15 * across + 10] = [0.5, 0.5, 2, 2, 1, 0, 0.9, 0]
    found = boxes.decode("yolox", [rows[None]], LABELS, SIZE, 0.5)
    half = 8 * np.exp(2) / 2
    assert found.corners[0] == pytest.approx([84 - half, 124 - half, 84 + half, 124 + half], abs=0.01)
    assert found.labels.tolist() == [1]


def test_of_boxes_that_overlap_the_surest_of_each_label_stays() -> None:
    one, near, far = [10, 10, 50, 50], [12, 12, 52, 52], [30, 30, 90, 90]
    given = boxes.Boxes(
        np.array([one, near, near, far], np.float32), np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.array([0, 0, 1, 0])
    )
    kept = boxes.suppressed(given)
    assert kept.corners.tolist() == [one, near, far]
    assert kept.labels.tolist() == [0, 1, 0]


def test_what_has_no_layout_is_not_taken_for_one() -> None:
    assert boxes.recognise([np.zeros((1, 1000))], 0) is None
    with pytest.raises(ValueError, match="cells fit no grids"):
        boxes.decode("nanodet", [np.zeros((1, 77, 35), np.float32)], LABELS, SIZE, 0.5)


def test_numbers_that_are_none_are_no_boxes() -> None:
    [output] = yolov8()
    output[0, 0, 0] = np.nan
    output[0, 2, 1] = np.inf
    assert len(boxes.decode("yolov8", [output], LABELS, SIZE, 0.5).scores) == 0
