"""The engine for pipelines of diffusers on tiny ones: what it draws is what was asked for, and nothing else."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from building import models_diffusion
from building.pictures import png
from corral.inference.calls import Media

if TYPE_CHECKING:
    from corral.inference.engines.base import Engine

pytestmark = pytest.mark.slow

LORA = "pytorch_lora_weights.safetensors"
#: few enough to be quick
STEPS = 4


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For models as small as these, threads cost more than they bring: above all where others compute too."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return models_diffusion.make(*models_diffusion.KINDS, into=tmp_path_factory.mktemp("pipelines"))


@pytest.fixture(scope="module")
def load(made: dict[str, Path]) -> Callable[..., Engine]:
    """The engine of a kind, kept; `base` makes it an adapter on that kind."""
    from corral.inference import engines

    known: dict[tuple[str, str], Engine] = {}

    def get(kind: str, base: str = "") -> Engine:
        if (kind, base) not in known:
            options = {"base": str(made[base]), "lora": LORA} if base else {}
            known[kind, base] = engines.load("diffusion", made[kind], options | {"name": f"me/{kind}"})
        return known[kind, base]

    return get


def draw(engine: Engine, prompt: str = "a cat", op: str = "text-to-image", *files: bytes, **params: Any) -> Media:
    from corral.inference.engines.base import Job

    preset = {"prompt": prompt, "seed": 1, "num_inference_steps": STEPS}
    result = engine.run(Job(op, preset | params, files))
    assert isinstance(result, Media)
    assert result.type == "image/png"
    return result


def pixels(data: bytes) -> Any:
    """Height, width, three colours; wide enough to be subtracted."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def mask(width: int, height: int, box: tuple[int, int, int, int], *, alpha: bool = False) -> bytes:
    """White in `box` (left, top, right, bottom), or transparent there."""
    from PIL import Image

    image = Image.new("RGBA" if alpha else "L", (width, height), "black")
    image.paste((0, 0, 0, 0) if alpha else 255, box)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_seed_is_a_picture_and_the_file_says_how_it_was_made(load: Callable[..., Engine]) -> None:
    from PIL import Image

    engine = load("drawing")
    first, again = (draw(engine, "a cat ☂", negative_prompt="a dog", guidance_scale=3.0) for _ in range(2))
    assert first.data == again.data
    assert draw(engine, "a cat ☂", seed=2).data != first.data
    assert draw(engine, "something else").data != draw(engine, "a cat ☂").data
    notes = Image.open(io.BytesIO(first.data)).text  # type: ignore[attr-defined]
    prompt, negative, rest = notes["parameters"].splitlines()
    assert (prompt, negative) == ("a cat ☂", "Negative prompt: a dog")
    wanted = "Steps: 4, Sampler: DDIMScheduler, CFG scale: 3.0, Seed: 1, Size: 32x32, Model: me/drawing"
    assert rest == wanted
    assert first.about["seed"] == 1
    chance = draw(engine, seed=None)
    assert draw(engine, seed=chance.about["seed"]).data == chance.data, "the seed that was thrown is told"


def test_pictures_of_a_batch_are_those_that_were_asked_for(load: Callable[..., Engine]) -> None:
    from corral.inference.engines.base import Job

    engine = load("drawing")
    assert engine.batch == 8
    asked = [{"prompt": f"number {n}", "seed": n, "num_inference_steps": STEPS} for n in range(3)]
    assert len({str(engine.together("text-to-image", params)) for params in asked}) == 1
    together = engine.run_many([Job("text-to-image", params) for params in asked])
    for params, drawn in zip(asked, together, strict=True):
        assert abs(pixels(drawn.data) - pixels(draw(engine, **params).data)).max() <= 3
    assert engine.together("text-to-image", asked[0] | {"num_inference_steps": 9}) != engine.together(
        "text-to-image", asked[0]
    )
    assert engine.together("image-to-image", asked[0]) is None
    assert engine.together("text-to-image", asked[0] | {"width": 64}) is None, "large ones keep the processor busy"


def test_progress_is_told_with_previews_and_nobody_waits_in_vain(
    load: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    from corral.inference.engines import diffusion_watch
    from corral.inference.engines.base import Job, Refused

    engine = load("drawing")
    monkeypatch.setattr(diffusion_watch, "LOOK", 0)
    seen: list[tuple[int, int, Media | None]] = []
    params = {"prompt": "a cat", "num_inference_steps": 6}
    engine.run(Job("text-to-image", params, progress=lambda *told: seen.append(told)))
    assert [(done, total) for done, total, _ in seen] == [(n, 6) for n in range(1, 7)]
    previews = [picture for _, _, picture in seen[:-1]]
    assert {Image.open(io.BytesIO(p.data)).size for p in previews if p} == {(16, 16)}
    assert len(previews) == len([p for p in previews if p])
    monkeypatch.setattr(diffusion_watch, "SIGN", 0)
    signs: list[int] = []
    engine.run(Job("text-to-image", params, progress=lambda done, *_: signs.append(done)))
    assert len(signs) > len(seen), "steps of large models are long: there are signs of life within them"
    assert signs == sorted(signs)
    leaving = Job("text-to-image", params, progress=lambda done, *_: leaving.cancelled.set() if done == 2 else None)
    counted = Job("text-to-image", params, progress=lambda *told: seen.append(told))
    seen.clear()
    with pytest.raises(Refused) as caught:
        engine.run(leaving)
    assert caught.value.status == 499
    counted.cancelled.set()
    drawn = engine.run_many([counted, Job("text-to-image", params)])
    assert len(drawn) == 2, "one who goes away takes nothing from the others"


def test_a_little_strength_leaves_the_picture_nearly_as_it_was(load: Callable[..., Engine]) -> None:
    engine, given = load("drawing"), png(32, 32)
    barely, little, much = (
        pixels(draw(engine, "a dog", "image-to-image", given, strength=strength, num_inference_steps=20).data)
        for strength in (0.05, 0.1, 0.9)
    )
    assert abs(little - barely).mean() < 3
    assert abs(much - barely).mean() > 10
    assert abs(little - pixels(given)).mean() < abs(much - pixels(given)).mean() < 60
    large = draw(engine, "a dog", "image-to-image", png(300, 200), strength=0.5)
    assert (large.about["width"], large.about["height"]) == (40, 24), "made as small as the model draws"
    sized = draw(engine, "a dog", "image-to-image", given, strength=0.5, width=64, height=48)
    assert (sized.about["width"], sized.about["height"]) == (64, 48)


@pytest.mark.parametrize("kind", ["drawing", "drawing-xl", "inpainting"])
def test_nothing_changes_outside_of_the_mask(load: Callable[..., Engine], kind: str) -> None:
    given, box = png(50, 40), (10, 5, 30, 25)
    drawn = draw(load(kind), "a dog", "image-to-image", given, mask(50, 40, box))
    changed = (pixels(drawn.data) != pixels(given)).any(2)
    assert changed.any()
    changed[box[1] : box[3], box[0] : box[2]] = False
    assert not changed.any()
    # a mask of another size is made to fit
    other = draw(load(kind), "a dog", "image-to-image", given, mask(100, 80, (20, 10, 60, 50)))
    assert other.data == drawn.data


def test_masks_as_openai_has_them(load: Callable[..., Engine]) -> None:
    engine, given, box = load("drawing"), png(50, 40), (10, 5, 30, 25)
    white = draw(engine, "a dog", "image-to-image", given, mask(50, 40, box))
    clear = draw(engine, "a dog", "image-to-image", given, mask(50, 40, box, alpha=True), mask_is_alpha=True)
    assert clear.data == white.data
    assert draw(engine, "a dog", "image-to-image", given, mask(50, 40, box), mask_is_alpha=True).data == white.data
    own = mask(50, 40, box, alpha=True)
    changed = (pixels(draw(engine, "a dog", "image-to-image", own, mask_is_alpha=True).data) != 0).any(2)
    assert changed.sum() <= 20 * 20
    assert draw(engine, "a dog", "image-to-image", given, mask_is_alpha=True).about["width"] == 32, (
        "nothing is transparent"
    )


def test_pipelines_of_another_family(load: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers that draw by flows: latents in rows, schedulers of their own."""
    from corral.inference.engines import diffusion_watch
    from corral.inference.engines.base import Job, Refused

    engine, small = load("flow"), {"width": 48, "height": 32}
    assert draw(engine, **small).data == draw(engine, **small).data
    drawn = draw(engine, "a dog", "image-to-image", png(32, 32), mask(32, 32, (8, 8, 24, 24)))
    changed = (pixels(drawn.data) != pixels(png(32, 32))).any(2)
    assert changed.any()
    assert not changed[:8].any()
    monkeypatch.setattr(diffusion_watch, "LOOK", 0)
    shown: list[Media | None] = []
    params = {"prompt": "a cat", "num_inference_steps": 3} | small
    engine.run(Job("text-to-image", params, progress=lambda done, total, picture: shown.append(picture)))
    assert [(p.about["width"], p.about["height"]) for p in shown if p] == [(24, 16)] * 2
    with pytest.raises(Refused, match="it takes: FlowMatchEulerDiscreteScheduler"):
        draw(engine, scheduler="DDIM")


def test_a_lora_changes_the_picture_as_much_as_asked(load: Callable[..., Engine]) -> None:
    plain, adapted = load("drawing"), load("lora", "drawing")
    reference = pixels(draw(plain).data)
    full, half, none = (abs(pixels(draw(adapted, lora_scale=s).data) - reference).mean() for s in (None, 0.3, 0))
    assert full > half > 0
    assert none == 0
    assert draw(adapted).data == draw(adapted, lora_scale=1.0).data
    given = png(32, 32)
    one, other = (draw(engine, "a", "image-to-image", given).data for engine in (plain, adapted))
    assert one != other, "all tasks have it, since they share the weights"


def test_a_small_picture_is_enlarged(load: Callable[..., Engine]) -> None:
    from corral.inference.engines.base import Refused

    drawn = draw(load("enlarging"), "a cat", "image-to-image", png(16, 24))
    # twice, since the VAE of the tiny one halves
    assert (drawn.about["width"], drawn.about["height"]) == (32, 48)
    with pytest.raises(Refused, match="at most 1024 pixels"):
        draw(load("enlarging"), "a cat", "image-to-image", png(100, 100))


@pytest.mark.parametrize(
    ("kind", "files", "params", "says"),
    [
        ("drawing", 0, {"width": 10**9}, "'width' must be from 8 to 128 pixels"),
        ("drawing", 0, {"width": 36}, "multiple of 8: 32 or 40"),
        ("drawing", 0, {"width": 128, "height": 128}, "at most 4096 pixels"),
        ("drawing", 0, {"num_inference_steps": 2000}, "trained for 999 steps"),
        ("drawing", 0, {"scheduler": "Nobody"}, "it takes: DDIMScheduler, "),
        ("drawing", 0, {"scheduler": "DPMSolverSDE"}, "package that is not installed"),
        ("drawing", 0, {"strength": 0.5}, "takes no 'strength'"),
        ("drawing", 0, {"lora_scale": 0.5}, "for LoRA adapters"),
        ("drawing", 1, {"strength": 0.1}, "raise one of the two"),
        ("drawing", "text", {}, "not a picture"),
        ("drawing", "mask", {}, "The mask is not a picture"),
        ("drawing", "black", {}, "black everywhere"),
        ("inpainting", 0, {}, "for inpainting, not for text-to-image"),
        ("inpainting", 1, {}, "for inpainting, not for image-to-image"),
        ("enlarging", 0, {}, "for image-to-image, not for text-to-image"),
        ("enlarging", 1, {"strength": 0.5}, "takes no 'strength'"),
    ],
)
def test_what_a_model_cannot_do_is_refused_and_it_goes_on(
    load: Callable[..., Engine], kind: str, files: Any, params: dict[str, Any], says: str
) -> None:
    from corral.inference.engines.base import Refused

    given = {0: (), 1: (png(16, 16),), "text": (b"text",), "mask": (png(16, 16), b"text")}
    given["black"] = (png(16, 16), mask(16, 16, (0, 0, 0, 0)))
    op = "image-to-image" if files else "text-to-image"
    with pytest.raises(Refused) as caught:
        draw(load(kind), "a cat", op, *given[files], **params)
    assert says in caught.value.message
    assert caught.value.status == 422


@pytest.mark.parametrize("name", ["Euler", "euler_discrete", "DPMSolverMultistepScheduler", "UniPC Multistep", "PNDM"])
def test_another_scheduler_is_for_one_picture(load: Callable[..., Engine], name: str) -> None:
    engine = load("drawing")
    before = draw(engine)
    other = draw(engine, scheduler=name, num_inference_steps=1)
    assert other.about["scheduler"].lower().startswith(name[:4].lower())
    assert draw(engine).data == before.data


def test_what_no_encoder_reads_is_told(load: Callable[..., Engine]) -> None:
    drawn = draw(load("drawing"), "y" * 200)
    assert set(drawn.about["unread"]) == {"y"}
    assert "unread" not in draw(load("drawing"), "a cat").about


@pytest.mark.parametrize(
    ("kind", "base", "says"),
    [
        ("lora-elsewhere", "drawing", "made for another base model"),
        ("lora", "drawing-xl", "made for another base model"),
    ],
)
def test_a_lora_of_another_shape_is_refused(load: Callable[..., Engine], kind: str, base: str, says: str) -> None:
    from corral.inference.engines.base import Refused

    with pytest.raises(Refused, match=says) as caught:
        load(kind, base)
    assert caught.value.status == 501


def test_code_and_pickles_of_a_repository_are_never_run(made: dict[str, Path], tmp_path: Path) -> None:
    from corral.inference import engines
    from corral.inference.engines.base import Refused

    trap = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\nclass Mine: ...\n"
    index = json.loads((made["drawing"] / "model_index.json").read_text())

    def broken(name: str, **parts: Any) -> Path:
        folder: Path = shutil.copytree(made["drawing"], tmp_path / name)
        (folder / "model_index.json").write_text(json.dumps(index | parts))
        for place in (folder, folder / "unet"):
            (place / "mine.py").write_text(trap)
        return folder

    cases = {
        "pipeline": {"_class_name": ["mine", "Mine"]},
        "component": {"unet": ["mine", "Mine"]},
        "system": {"unet": ["subprocess", "Popen"]},
        "unknown": {"_class_name": "NobodysPipeline"},
        "no-pipeline": {"_class_name": "UNet2DConditionModel"},
    }
    for name, parts in cases.items():
        with pytest.raises(Refused) as caught:
            engines.load("diffusion", broken(name, **parts), {})
        assert caught.value.status == 501
    pickled = broken("pickled")
    (pickled / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (pickled / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(OSError, match="safetensors"):
        engines.load("diffusion", pickled, {})
    auto = broken("auto")
    config = json.loads((auto / "text_encoder" / "config.json").read_text())
    (auto / "text_encoder" / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "mine.Mine"}}))
    with pytest.raises(Refused, match="program code"):
        engines.load("diffusion", auto, {})
    assert not list(tmp_path.rglob("ran"))
