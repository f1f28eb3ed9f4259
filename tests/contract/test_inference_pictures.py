"""Drawing over HTTP: the stock InferenceClient and OpenAI's own client on tiny pipelines of diffusers and a LoRA."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from building import models_diffusion
from building.hub import Hub, Person
from building.pictures import png

pytestmark = pytest.mark.slow

PATIENCE = 120
WAITS = {"x-wait-for-model": "true"}
#: few enough to be quick
FEW = {"num_inference_steps": 3, "seed": 1}


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def repos(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    kinds = ("drawing", "lora", "lora-elsewhere")
    folders = models_diffusion.make(*kinds, into=tmp_path_factory.mktemp("pipelines"))
    made = {}
    for kind, folder in folders.items():
        made[kind] = owner.api.create_repo(f"{owner.name}/{kind}").repo_id
        if kind != "drawing":
            (folder / "README.md").write_text(f"---\nbase_model: {made['drawing']}\ntags: [lora]\n---\n")
        owner.api.upload_folder(repo_id=made[kind], folder_path=folder)
    return made


@pytest.fixture(scope="module")
def web(hub: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub.url, timeout=PATIENCE, headers=WAITS) as client:
        yield client


@pytest.fixture(scope="module")
def ai(hub: Hub, owner: Person) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{hub.url}/v1", api_key=owner.token, timeout=PATIENCE, max_retries=0) as client:
        yield client


def client(hub: Hub, repo: str, path: str = "") -> InferenceClient:
    return InferenceClient(model=f"{hub.url}/inference/{repo}{path}", headers=WAITS, timeout=PATIENCE)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def white(width: int, height: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGBA", (width, height), "white").save(out, "PNG")
    return out.getvalue()


def decoded(answer: Any) -> bytes:
    [picture] = answer.data
    return base64.b64decode(picture.b64_json)


def test_the_stock_client_draws(hub: Hub, repos: dict[str, str]) -> None:
    asked = client(hub, repos["drawing"])
    first, again = (asked.text_to_image("a cat", negative_prompt="a dog", guidance_scale=3.0, **FEW) for _ in range(2))
    assert first.size == (32, 32)
    assert first.tobytes() == again.tobytes()
    assert f"Model: {repos['drawing']}" in first.info["parameters"]
    wide = asked.text_to_image("a cat", width=48, height=32, scheduler="EulerDiscreteScheduler", num_inference_steps=2)
    assert wide.size == (48, 32)
    assert asked.text_to_image("").size == (32, 32)


def test_the_same_address_draws_from_pictures_and_within_masks(hub: Hub, repos: dict[str, str]) -> None:
    asked = client(hub, repos["drawing"])
    assert asked.image_to_image(png(32, 32)).size == (32, 32)
    drawn = asked.image_to_image(png(32, 32), "a dog", strength=0.5, target_size={"width": 64, "height": 32}, **FEW)
    assert drawn.size == (64, 32)
    within = asked.image_to_image(png(50, 40), "a dog", mask_image=encoded(white(50, 40)), **FEW)
    assert within.size == (50, 40)
    named = client(hub, repos["drawing"], "/pipeline/inpainting")
    same = named.image_to_image(png(50, 40), "a dog", mask_image=encoded(white(50, 40)), **FEW)
    assert same.tobytes() == within.tobytes()
    with pytest.raises(HfHubHTTPError, match="mask_image"):
        named.image_to_image(png(50, 40), "a dog")


def test_the_example_of_inpainting_can_be_tried(hub: Hub, repos: dict[str, str], web: httpx.Client) -> None:
    from corral.inference.tasks import TASKS

    [example] = TASKS["inpainting"].examples([])
    sources = (example["inputs"]["src"], example["parameters"]["mask_image"]["src"])
    picture, mask = (web.get(source, follow_redirects=True) for source in sources)
    assert (picture.status_code, mask.status_code) == (200, 200)
    parameters = {"mask_image": encoded(mask.content), "prompt": "a red balloon"} | FEW
    body = {"inputs": encoded(picture.content), "parameters": parameters}
    answer = web.post(f"/inference/{repos['drawing']}/pipeline/inpainting", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"


def test_several_callers_at_once_get_the_pictures_of_their_seeds(hub: Hub, repos: dict[str, str]) -> None:
    import numpy as np

    asked = client(hub, repos["drawing"])

    def draw(seed: int) -> Any:
        return np.asarray(asked.text_to_image("a cat", num_inference_steps=3, seed=seed)).astype(int)

    alone = [draw(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(draw, range(6)))
    for one, other in zip(alone, together, strict=True):
        assert abs(one - other).max() <= 3


def test_a_lora_is_drawn_with_over_its_base(hub: Hub, repos: dict[str, str], web: httpx.Client) -> None:
    told = web.get(f"/inference/{repos['lora']}").json()
    assert (told["task"], told["runnable"]) == ("text-to-image", True)
    assert "lora_scale" in {knob["name"] for knob in told["knobs"]}
    plain_knobs = web.get(f"/inference/{repos['drawing']}").json()["knobs"]
    assert "lora_scale" not in {knob["name"] for knob in plain_knobs}
    [schedulers] = [knob["choices"] for knob in plain_knobs if knob["name"] == "scheduler"]
    assert schedulers[0] == "DDIMScheduler"
    asked, base = client(hub, repos["lora"]), client(hub, repos["drawing"])
    plain = base.text_to_image("a cat", **FEW).tobytes()
    assert asked.text_to_image("a cat", **FEW).tobytes() != plain
    assert asked.text_to_image("a cat", extra_body={"lora_scale": 0}, **FEW).tobytes() == plain
    assert asked.image_to_image(png(32, 32), "a cat", **FEW).size == (32, 32)


def test_a_lora_of_another_base_says_so(hub: Hub, repos: dict[str, str], web: httpx.Client) -> None:
    answer = web.post(f"/inference/{repos['lora-elsewhere']}", json={"inputs": "a cat"})
    assert answer.status_code == 501
    assert "made for another base model" in answer.json()["error"]


def test_people_see_the_picture_come(repos: dict[str, str], web: httpx.Client) -> None:
    body = {"inputs": "a cat", "parameters": {"num_inference_steps": 200}}
    kinds: list[str] = []
    values: list[dict[str, Any]] = []
    headers = {"x-corral-events": "true"}
    with web.stream("POST", f"/inference/{repos['drawing']}", json=body, headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            elif line.startswith("data: "):
                values.append(json.loads(line.removeprefix("data: ")))
    steps = [value for kind, value in zip(kinds, values, strict=True) if kind == "progress"]
    assert [(step["done"], step["total"]) for step in steps] == [(n, 200) for n in range(1, 201)]
    assert any(step.get("picture", "").startswith("data:image/png;base64,") for step in steps)
    assert kinds[-1] == "result"
    assert values[-1]["media"].startswith("data:image/png;base64,")
    assert values[-1]["about"]["steps"] == 200


def test_one_who_leaves_frees_the_model(hub: Hub, repos: dict[str, str]) -> None:
    body = {"inputs": "a cat", "parameters": {"num_inference_steps": 999}}
    headers = {"x-corral-events": "true"}
    with (
        httpx.Client(base_url=hub.url, timeout=PATIENCE) as leaving,
        leaving.stream("POST", f"/inference/{repos['drawing']}", json=body, headers=headers) as answer,
    ):
        next(line for line in answer.iter_lines() if line.startswith("event: progress"))
    # were it not stopped, this would wait for a thousand steps
    quick = httpx.post(f"{hub.url}/inference/{repos['drawing']}", json={"inputs": "a", "parameters": FEW}, timeout=5)
    assert quick.status_code == 200


@pytest.mark.parametrize(
    ("inputs", "parameters", "says"),
    [
        ("x" * 1_000_000, {}, "shorten"),
        (7, {}, "'inputs'"),
        ("a", {"width": 10**9}, "'width'"),
        ("a", {"width": 8000}, "from 8 to 128 pixels"),
        ("a", {"num_inference_steps": 0}, "'num_inference_steps'"),
        ("a", {"num_inference_steps": 10**6}, "'num_inference_steps'"),
        (encoded(b"GIF89a no picture"), {}, "picture"),
        (encoded(png(8, 8)), {"mask_image": "AAAA"}, "mask"),
        (encoded(png(8, 8)), {"mask_image": 5}, "mask_image"),
    ],
)
def test_bad_input_is_refused_and_the_worker_lives(
    repos: dict[str, str], web: httpx.Client, inputs: Any, parameters: dict[str, Any], says: str
) -> None:
    url = f"/inference/{repos['drawing']}"
    answer = web.post(url, json={"inputs": inputs, "parameters": parameters})
    assert 400 <= answer.status_code < 500, answer.text
    assert says in answer.json()["error"]
    assert web.get(url).json()["state"] == "ready"


def test_openais_client_draws(ai: openai.OpenAI, hub: Hub, repos: dict[str, str]) -> None:
    model = repos["drawing"]
    answer = ai.images.generate(model=model, prompt="a cat", n=2, size="48x32", extra_body=FEW)  # type: ignore[arg-type]
    assert len(answer.data or []) == 2
    one, two = (base64.b64decode(p.b64_json or "") for p in answer.data or [])
    assert one != two
    assert answer.size == "48x32"
    extra = {"num_inference_steps": 3, "seed": 1, "width": 48, "height": 32}
    same = client(hub, model).text_to_image("a cat", extra_body=extra)
    from PIL import Image

    assert Image.open(io.BytesIO(one)).tobytes() == same.tobytes()
    auto = ai.images.generate(model=model, prompt="a cat", size="auto", response_format="b64_json", extra_body=FEW)
    assert Image.open(io.BytesIO(decoded(auto))).size == (32, 32)


def test_openais_client_edits_and_varies(ai: openai.OpenAI, repos: dict[str, str]) -> None:
    from PIL import Image

    hole = Image.open(io.BytesIO(white(40, 32)))
    hole.paste((0, 0, 0, 0), (8, 8, 24, 24))
    clear = io.BytesIO()
    hole.save(clear, "PNG")
    picture = ("picture.png", png(40, 32), "image/png")
    asked: dict[str, Any] = {"model": repos["drawing"], "image": picture, "prompt": "a dog", "extra_body": FEW}
    edited = Image.open(io.BytesIO(decoded(ai.images.edit(mask=("m.png", clear.getvalue()), **asked))))
    before = Image.open(io.BytesIO(png(40, 32)))
    assert edited.size == (40, 32)
    assert edited.crop((24, 0, 40, 32)).tobytes() == before.crop((24, 0, 40, 32)).tobytes()
    assert edited.crop((8, 8, 24, 24)).tobytes() != before.crop((8, 8, 24, 24)).tobytes()
    whole = Image.open(io.BytesIO(decoded(ai.images.edit(**asked))))
    assert whole.tobytes() != before.tobytes()
    assert decoded(ai.images.create_variation(model=repos["drawing"], image=picture, extra_body=FEW))


def test_openais_client_sees_the_picture_come(ai: openai.OpenAI, repos: dict[str, str]) -> None:
    steps = {"num_inference_steps": 200, "seed": 1}
    events = list(
        ai.images.generate(model=repos["drawing"], prompt="a cat", stream=True, partial_images=1, extra_body=steps)
    )
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert all(base64.b64decode(event.b64_json).startswith(b"\x89PNG") for event in events)


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ({"prompt": None}, 400, "'prompt'"),
        ({"response_format": "url"}, 501, "b64_json"),
        ({"output_format": "webp"}, 501, "output_format"),
        ({"size": "large"}, 400, "'size'"),
        ({"size": "4096x4096"}, 422, "from 8 to 128"),
        ({"n": 11}, 400, "'n'"),
        ({"n": 2, "stream": True}, 501, "'stream'"),
        ({"model": "nobody/nothing"}, 404, "not found"),
    ],
)
def test_openais_client_hears_what_is_wrong(
    owner: Person, hub: Hub, repos: dict[str, str], options: dict[str, Any], status: int, says: str
) -> None:
    body = {"model": repos["drawing"], "prompt": "a cat"} | options
    with owner.client() as asked:
        answer = asked.post("/v1/images/generations", json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.text


@pytest.mark.parametrize(
    ("files", "values", "says"),
    [
        ({}, {"prompt": "a"}, "form"),
        ({"mask": b"x"}, {"prompt": "a"}, "'image'"),
        ({"image": png(8, 8)}, {}, "'prompt'"),
        ({"image": png(8, 8)}, {"prompt": "a", "seed": "one"}, "'seed'"),
        ({"image": b"text"}, {"prompt": "a"}, "not a picture"),
    ],
)
def test_a_form_that_is_not_right_is_refused(
    owner: Person, repos: dict[str, str], files: dict[str, bytes], values: dict[str, str], says: str
) -> None:
    with owner.client() as asked:
        answer = asked.post("/v1/images/edits", data={"model": repos["drawing"]} | values, files=files)
    assert 400 <= answer.status_code < 500, answer.text
    assert says in answer.text
