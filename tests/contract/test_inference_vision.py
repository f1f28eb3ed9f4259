"""Tasks about pictures over HTTP with the stock InferenceClient, and by what the widgets do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from PIL import Image

from building import models_vision
from building.hub import Hub, Person

pytestmark = pytest.mark.slow

PATIENCE = 180
CAT = Path(__file__).parents[2] / "src" / "corral" / "web" / "static" / "example-cat.jpg"


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def repos(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    kinds = ("yolos", "segformer", "depth", "clip", "blip", "timm")
    folders = models_vision.make_all(folder, {kind: kind for kind in kinds})
    boxes = np.zeros((1, 6, 60), np.float32)
    boxes[0, :, 0] = (160, 160, 80, 40, 0.9, 0)
    models_vision.onnx_model(
        folder / "onnx" / "model.onnx", {"output0": boxes}, ("images", [1, 3, 320, 320]), names="{0: 'cat', 1: 'car'}"
    )
    (folder / "onnx" / "README.md").write_text("---\npipeline_tag: object-detection\n---\n")
    folders["onnx"] = folder / "onnx"
    models_vision.onnx_model(folder / "upscaler" / "x2.onnx", {}, enlarge=2)
    models_vision.ncnn_model(folder / "ncnn")
    for name in ("upscaler", "ncnn"):
        (folder / name / "README.md").write_text("---\npipeline_tag: image-to-image\n---\n")
        folders[name] = folder / name
    made = {}
    for kind, place in folders.items():
        made[kind] = owner.api.create_repo(f"{owner.name}/{kind}").repo_id
        owner.api.upload_folder(repo_id=made[kind], folder_path=place)
    return made


@pytest.fixture(scope="module")
def client(hub: Hub, repos: dict[str, str]) -> Callable[[str], InferenceClient]:
    def make(kind: str) -> InferenceClient:
        headers = {"x-wait-for-model": "true"}
        return InferenceClient(model=f"{hub.url}/inference/{repos[kind]}", headers=headers, timeout=PATIENCE)

    return make


@pytest.fixture(scope="module")
def web(hub: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub.url, timeout=PATIENCE) as opened:
        yield opened


def events_of(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    parts = [part.split("\n", 1) for part in answer.text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in parts]


def test_object_detection(client: Callable[[str], InferenceClient]) -> None:
    found = client("yolos").object_detection(CAT, threshold=0.1)
    assert found
    assert {one.label for one in found} <= set(models_vision.LABELS.values())
    assert all(0 <= one.box.xmin <= one.box.xmax <= 451 for one in found)
    [cat] = client("onnx").object_detection(CAT.read_bytes())
    assert (cat.label, round(cat.score, 3)) == ("cat", 0.9)
    assert cat.box.ymin < cat.box.ymax <= 300


def test_image_segmentation(client: Callable[[str], InferenceClient]) -> None:
    for one in client("segformer").image_segmentation(CAT):
        # the client has decoded it
        assert one.mask.size == (451, 300)  # type: ignore[attr-defined]


def test_labels_of_ones_own(client: Callable[[str], InferenceClient]) -> None:
    asked = client("clip")
    found = asked.zero_shot_image_classification(CAT, candidate_labels=["a cat", "a dog"], hypothesis_template="A {}")
    assert {one.label for one in found} == {"a cat", "a dog"}
    assert sum(one.score for one in found) == pytest.approx(1, abs=1e-4)


def test_timms_models(client: Callable[[str], InferenceClient]) -> None:
    found = client("timm").image_classification(CAT, top_k=2)
    assert len(found) == 2
    assert {one.label for one in found} <= set(models_vision.LABELS.values())


def test_captions(client: Callable[[str], InferenceClient]) -> None:
    assert isinstance(client("blip").image_to_text(CAT).generated_text, str)


def test_a_picture_made_larger(
    client: Callable[[str], InferenceClient], repos: dict[str, str], web: httpx.Client
) -> None:
    large = client("upscaler").image_to_image(CAT)
    assert large.size == (902, 600)
    fitted = client("upscaler").image_to_image(CAT, target_size={"width": 300, "height": 200})  # type: ignore[arg-type]
    assert fitted.size == (300, 200)
    assert client("ncnn").image_to_image(CAT).size == (902, 600)
    told = web.get(f"/inference/{repos['upscaler']}").json()
    assert [one["at"] for one in told["form"]] == ["inputs"], "a prompt is for models that draw"
    assert told["knobs"] == []
    answer = web.post(f"/inference/{repos['upscaler']}", content=CAT.read_bytes(), headers={"x-corral-events": "true"})
    events = events_of(answer)
    steps = [value for kind, value in events if kind == "progress"]
    assert [step["done"] for step in steps] == list(range(1, steps[0]["total"] + 1))
    assert events[-1][1]["media"].startswith("data:image/png;base64,")
    assert events[-1][1]["about"] == {"width": 902, "height": 600}


def test_depth_is_json_for_programs_and_a_picture_for_people(repos: dict[str, str], web: httpx.Client) -> None:
    url = f"/inference/{repos['depth']}"
    answer = web.post(url, content=CAT.read_bytes(), headers={"x-wait-for-model": "true"}).json()
    assert Image.open(io.BytesIO(base64.b64decode(answer["depth"]))).size == (451, 300)
    assert len(answer["predicted_depth"]) == 300
    events = events_of(web.post(url, content=CAT.read_bytes(), headers={"x-corral-events": "true"}))
    assert events[-1][1]["media"] == f"data:image/png;base64,{answer['depth']}"


@pytest.mark.parametrize("kind", ["yolos", "segformer", "depth", "blip", "onnx", "upscaler"])
def test_what_is_no_picture_is_refused_and_the_model_goes_on(
    kind: str, client: Callable[[str], InferenceClient], repos: dict[str, str], web: httpx.Client
) -> None:
    url = f"/inference/{repos[kind]}"
    headers = {"x-wait-for-model": "true"}
    cut = CAT.read_bytes()[:4000]
    for bad, status in ((b"", 400), (b"no picture", 422), (cut, 422), (b'{"inputs": "%%%"}', 400), (b"{}", 400)):
        answer = web.post(url, content=bad, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"].endswith(".") or status == 422
    assert web.post(url, content=CAT.read_bytes()).status_code == 200, "it was not unloaded"


def test_a_label_is_asked_for(client: Callable[[str], InferenceClient]) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        client("clip").zero_shot_image_classification(CAT, candidate_labels=["a", "b"], hypothesis_template="none")
    assert caught.value.response.status_code == 400
    assert "{}" in caught.value.response.json()["error"]
