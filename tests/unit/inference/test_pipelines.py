"""What a repository of diffusers is for, and which of its files are read."""

from __future__ import annotations

from typing import Any

import pytest

from corral.inference.detect import Detection, detect, on_base
from corral.inference.pipelines import variant, weights

UNET = "unet/diffusion_pytorch_model.safetensors"
LORA = "pytorch_lora_weights.safetensors"


def look(kind: Any, *files: str, card: dict[str, Any] | None = None, **parts: Any) -> Detection:
    index = {"_class_name": kind} | parts
    return detect(card or {}, {"model_index.json": index}, ("model_index.json", *(files or (UNET,))))


@pytest.mark.parametrize(
    ("kind", "task", "also"),
    [
        ("StableDiffusionPipeline", "text-to-image", ("image-to-image", "inpainting")),
        ("StableDiffusionXLPipeline", "text-to-image", ("image-to-image", "inpainting")),
        ("FluxPipeline", "text-to-image", ("image-to-image", "inpainting")),
        ("FluxKontextPipeline", "image-to-image", ("text-to-image",)),
        ("PixArtSigmaPipeline", "text-to-image", ()),
        ("StableDiffusionInpaintPipeline", "inpainting", ()),
        ("FluxFillPipeline", "inpainting", ()),
        ("StableDiffusionUpscalePipeline", "image-to-image", ()),
        ("StableDiffusionInstructPix2PixPipeline", "image-to-image", ()),
        ("StableDiffusionXLControlNetPipeline", "image-to-image", ()),
    ],
)
def test_the_pipeline_decides_the_tasks(kind: str, task: str, also: tuple[str, ...]) -> None:
    found = look(kind)
    assert (found.task, found.also, found.engine, found.problem) == (task, also, "diffusion", "")
    assert kind in found.reason


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("AudioLDM2Pipeline", "text-to-audio"),
        ("CogVideoXPipeline", "text-to-video"),
        ("WanImageToVideoPipeline", "image-to-video"),
        ("StableVideoDiffusionPipeline", "image-to-video"),
        ("DDPMPipeline", "unconditional-image-generation"),
        ("ShapEPipeline", "text-to-3d"),
    ],
)
def test_what_draws_no_pictures_is_named_and_declined(kind: str, task: str) -> None:
    found = look(kind)
    assert (found.task, found.engine) == (task, None)
    assert task in found.problem


def test_the_card_chooses_among_what_the_pipeline_does() -> None:
    assert look("StableDiffusionPipeline", card={"pipeline_tag": "image-to-image"}).task == "image-to-image"
    also = look("StableDiffusionPipeline", card={"pipeline_tag": "image-to-image"}).also
    assert also == ("text-to-image", "inpainting")
    # so are most inpainting models tagged, which cannot draw from nothing
    assert look("StableDiffusionInpaintPipeline", card={"pipeline_tag": "text-to-image"}).task == "inpainting"


@pytest.mark.parametrize(
    ("index", "files", "says"),
    [
        ({"_class_name": ["pipeline", "Mine"]}, (UNET, "pipeline.py"), "program code"),
        ({"unet": ["mine", "MyUNet"]}, (UNET, "unet/mine.py"), "program code"),
        ({"_class_name": "OnnxStableDiffusionPipeline"}, ("unet/model.onnx",), "ONNX"),
        ({"_class_name": "KandinskyV22Pipeline"}, (UNET,), "one half"),
        ({"_class_name": "StableCascadePriorPipeline"}, (UNET,), "one half"),
        ({"_class_name": "StableDiffusionControlNetImg2ImgPipeline"}, (UNET,), "second picture"),
        ({"unet": ["diffusers", "UNet2DConditionModel"]}, ("unet/diffusion_pytorch_model.bin",), "unet/ are pickle"),
        ({"vae": ["diffusers", "AutoencoderKL"]}, (UNET, "vae/diffusion_pytorch_model.bin"), "vae/ are pickle"),
        ({}, ("README.md",), "no weights"),
        ({"_class_name": None}, (UNET,), "names no pipeline"),
        ({"_class_name": 7, "unet": [[], {}]}, (UNET,), "names no pipeline"),
    ],
)
def test_what_cannot_run_says_why(index: dict[str, Any], files: tuple[str, ...], says: str) -> None:
    named = {"_class_name": "StableDiffusionPipeline"} | index
    found = detect({}, {"model_index.json": named}, ("model_index.json", *files))
    assert found.engine is None
    assert says in found.problem


@pytest.mark.parametrize(
    ("files", "configs", "says"),
    [
        (("v1-5.safetensors",), {}, "from_single_file"),
        (("v1-5.ckpt",), {}, "pickle"),
        (("diffusion_pytorch_model.safetensors",), {"config.json": {"_class_name": "ControlNetModel"}}, "ControlNet"),
        ((), {}, "model_index.json"),
    ],
)
def test_what_is_no_pipeline_says_what_to_do(files: tuple[str, ...], configs: dict[str, Any], says: str) -> None:
    found = detect({"library_name": "diffusers"}, configs, (*files, *configs))
    assert (found.task, found.engine) == ("text-to-image", None)
    assert says in found.problem


def test_a_lora_runs_on_its_base() -> None:
    card = {"base_model": ["them/drawing"], "tags": ["lora"]}
    found = detect(card, {}, (LORA,))
    assert (found.library, found.base, found.task) == ("diffusers", "them/drawing", "text-to-image")
    assert dict(found.options) == {"lora": LORA}
    whole = on_base(found, look("StableDiffusionPipeline", scheduler=["diffusers", "PNDMScheduler"]))
    assert (whole.engine, whole.also) == ("diffusion", ("image-to-image", "inpainting"))
    assert dict(whole.choices)["scheduler"][0] == "PNDMScheduler"
    over = on_base(found, look("StableDiffusionInpaintPipeline"))
    assert over.also == ("inpainting",), "what the base does can be asked for by name"
    chat = Detection("text-generation", "transformers", "it is", "text-generation")
    assert "no model of diffusers" in on_base(found, chat).problem


def test_which_files_are_adapters() -> None:
    card = {"library_name": "diffusers", "base_model": "them/drawing"}
    assert detect(card, {}, ("my_style_LoRA.safetensors",)).base == "them/drawing"
    assert detect(card | {"tags": ["lora"]}, {}, ("style.safetensors",)).base == "them/drawing"
    checkpoint = detect(card, {}, ("style.safetensors",))
    assert (checkpoint.base, checkpoint.engine) == (None, None), "a fine-tuned model names its base as well"
    assert look("StableDiffusionPipeline", UNET, LORA, card=card).base is None
    nameless = detect({"library_name": "diffusers"}, {}, (LORA,))
    assert nameless.engine is None
    assert "base_model" in nameless.problem


def test_variants_are_read_where_there_is_nothing_else() -> None:
    plain = ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")
    half = ("unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.fp16.safetensors")
    parts = tuple(f"unet/diffusion_pytorch_model.fp16-0000{n}-of-00002.safetensors" for n in (1, 2))
    old = tuple(f"unet/diffusion_pytorch_model-0000{n}-of-00002.fp16.safetensors" for n in (1, 2))
    assert (variant(plain), weights(plain)) == ("", set(plain))
    assert (variant((*plain, *half)), weights((*plain, *half))) == ("", set(plain))
    assert (variant(half), weights(half)) == ("fp16", set(half))
    mixed = (half[0], plain[1])
    assert (variant(mixed), weights(mixed)) == ("fp16", set(mixed))
    both = (half[0], *plain[1:], half[1])
    assert weights(both) == set(half), "of a part that has both, the variant that the others are read in"
    assert (variant(parts), weights(parts)) == ("fp16", set(parts))
    assert (variant(old), weights(old)) == ("fp16", set(old))
    assert weights(("v1-5.safetensors", *plain)) == set(plain), "a checkpoint beside it is not read"


def test_the_pipelines_own_scheduler_comes_first() -> None:
    found = look("StableDiffusionPipeline", scheduler=["diffusers", "EulerDiscreteScheduler"])
    [(name, choices)] = found.choices
    assert (name, choices[0], len(set(choices))) == ("scheduler", "EulerDiscreteScheduler", len(choices))
    assert look("FluxPipeline", scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"]).choices == ()
