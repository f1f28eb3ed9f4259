"""What a repository of diffusers is for, from the names of its pipeline and of its files.

Pure, like `detect`, which asks it. Classes are those of diffusers 0.42; their names say what they are for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

#: tasks that a picture is drawn for
DRAWING = ("text-to-image", "image-to-image", "inpainting")

#: part of a pipeline's class -> its task; the first that is found counts
_KINDS = tuple(
    (re.compile(pattern), task)
    for pattern, task in (
        (r"Audio|Music|AceStep|DanceDiffusion|Spectrogram", "text-to-audio"),
        (r"(ImageTo|Image2|Img2)Video|I2V|StableVideoDiffusion|WanAnimate|^PIA", "image-to-video"),
        (r"VideoTo(Video|World)|VACE|LucyEdit|LatentUpsample|FunControl", "video-to-video"),
        (r"Video|T2V|TI2V|Wan|LTX|Mochi|Allegro|Animate|Latte|SkyReels|Helios|AnyFlow", "text-to-video"),
        (r"Cosmos(?!2TextToImage)|SanaWM", "text-to-video"),
        (r"ShapEImg2Img", "image-to-3d"),
        (r"ShapE", "text-to-3d"),
        (r"MarigoldDepth", "depth-estimation"),
        (r"Marigold", "image-feature-extraction"),
        (r"LLaDA|DiffusionGemma", "text-generation"),
        (r"^(DDPM|DDIM|PNDM|KarrasVe|ScoreSdeVe|ConsistencyModel|DiT|LDMP)", "unconditional-image-generation"),
        (r"Inpaint|Fill|RePaint", "inpainting"),
        (r"Img2Img|I2I|Upscale|SuperResolution|Pix2Pix|Variation|Edit|Kontext|Depth2Img|Refiner", "image-to-image"),
        (r"Control|Adapter|VisualCloze|CycleDiffusion|Layered", "image-to-image"),
        (r"", "text-to-image"),
    )
)
#: pipelines of two repositories, of which this is one
_HALVES = re.compile(
    r"Prior|(Cascade|Wuerstchen)Decoder|Kandinsky(V22)?(Controlnet)?(Img2Img|Inpaint)?Pipeline|Redux|BlipDiffusion"
)
#: they draw from one picture and are controlled by another
_TWO_PICTURES = re.compile(r"Control\w*(Img2Img|Inpaint)")
#: a family of pipelines that share their weights (diffusers' `AutoPipelineFor…`) -> what else it does
_FAMILIES = {
    **dict.fromkeys(
        (
            "StableDiffusionPipeline",
            "StableDiffusionXLPipeline",
            "StableDiffusion3Pipeline",
            "StableDiffusionPAGPipeline",
            "StableDiffusionXLPAGPipeline",
            "FluxPipeline",
            "QwenImagePipeline",
            "ZImagePipeline",
        ),
        ("image-to-image", "inpainting"),
    ),
    **dict.fromkeys(
        (
            "StableDiffusion3PAGPipeline",
            "LatentConsistencyModelPipeline",
            "Kandinsky3Pipeline",
            "KolorsPipeline",
            "Flux2Pipeline",
            "Flux2KleinPipeline",
        ),
        ("image-to-image",),
    ),
    "FluxKontextPipeline": ("text-to-image",),
}
#: schedulers that can take one another's place (diffusers' `compatibles`) without further packages
SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
#: `model.safetensors` and `diffusion_pytorch_model.safetensors`, in parts or not, with a variant before or after that
_WEIGHTS = re.compile(
    r"(?P<part>[^/]+)/(diffusion_pytorch_)?model(-\d+-of-\d+)?(\.(?P<variant>\w+))?(-\d+-of-\d+)?\.safetensors"
)
_PICKLE = re.compile(r"(?P<part>[^/]+)/(diffusion_)?pytorch_model[^/]*\.bin")
_LORA = re.compile(r"(?i)[^/]*lora[^/]*\.safetensors")
_ROOT = re.compile(r"[^/]+\.safetensors")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`also` are further tasks that the same weights do. `lora` is the file of an adapter, '' for a whole pipeline.
    `problem` is a sentence, where nothing here runs it."""

    task: str | None
    reason: str = ""
    also: tuple[str, ...] = ()
    lora: str = ""
    schedulers: tuple[str, ...] = ()
    problem: str = ""


def examine(
    card: Mapping[str, Any], index: Mapping[str, Any], config: Mapping[str, Any], names: Collection[str]
) -> Pipeline:
    """`index` is model_index.json and `config` config.json, empty where there are none; `names` are all paths."""
    if "model_index.json" in names:
        return _whole(card.get("pipeline_tag"), index, names)
    task, reason = _said(card)
    if lora := adapter(card, names):
        reason = reason or f"it holds {lora}, an adapter of a model that draws"
        return Pipeline(task or "text-to-image", reason, lora=lora)
    kind = config.get("_class_name")
    if isinstance(kind, str):
        problem = f"It is one part of a pipeline ({kind}): Corral runs whole ones, with a model_index.json."
    elif any(map(_ROOT.fullmatch, names)):
        problem = (
            "It is a checkpoint in one file, and what it is made of is not written there: save it as a folder, with "
            "from_single_file and then save_pretrained of diffusers."
        )
    elif any(n.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")) for n in names):
        problem = "Its weights are pickle files, which can run code when they are read: add them as safetensors."
    else:
        problem = "It has no model_index.json, which says what a pipeline is made of."
    return Pipeline(task or "text-to-image", reason or "it is of diffusers", problem=problem)


def adapter(card: Mapping[str, Any], names: Collection[str]) -> str:
    """The file of a LoRA adapter, '' where the repository is none. `names` are its paths."""
    if "model_index.json" in names:
        return ""
    tags = card.get("tags")
    tagged = isinstance(tags, list) and any(isinstance(t, str) and t.lower() == "lora" for t in tags)
    found = sorted(n for n in names if _LORA.fullmatch(n) or (tagged and _ROOT.fullmatch(n)))
    usual = "pytorch_lora_weights.safetensors"
    return usual if usual in found else (found[0] if found else "")


def variant(names: Collection[str]) -> str:
    """Which variant of the weights to read: '' for the plain ones, where every part has them; else fp16 and the like.

    A part that lacks the variant is read from its plain files (diffusers does the same).
    """
    kinds: dict[str, set[str]] = {}
    for name in names:
        if found := _WEIGHTS.fullmatch(name):
            kinds.setdefault(found["part"], set()).add(found["variant"] or "")
    if all("" in of for of in kinds.values()):
        return ""
    lacking = [of for of in kinds.values() if "" not in of]
    return min(set.intersection(*lacking), default="", key=lambda v: (v != "fp16", v != "bf16", v))


def weights(names: Collection[str]) -> frozenset[str]:
    """The files that weights are read from."""
    chosen = variant(names)
    found = [m for m in map(_WEIGHTS.fullmatch, names) if m]
    having = {m["part"] for m in found if m["variant"] == chosen} if chosen else set()
    return frozenset(m[0] for m in found if (m["variant"] or "") == (chosen if m["part"] in having else ""))


def tasks_of(kind: str) -> tuple[str, ...]:
    """What the pipeline class `kind` is for, and what else is done with its weights."""
    return (next(task for pattern, task in _KINDS if pattern.search(kind)), *_FAMILIES.get(kind, ()))


def _whole(tag: Any, index: Mapping[str, Any], names: Collection[str]) -> Pipeline:
    kind = index.get("_class_name")
    if not isinstance(kind, str):
        problem = "Its model_index.json names no pipeline."
        if isinstance(kind, list):
            problem = "This pipeline brings its own program code, which Corral does not run."
        named = tag if isinstance(tag, str) and tag else "text-to-image"
        return Pipeline(named, "it has a model_index.json", problem=problem)
    tasks = tasks_of(kind)
    # the card may choose among them; it cannot have a model do what its pipeline does not
    task = tag if tag in tasks else tasks[0]
    reason = f"its card says pipeline_tag: {tag}" if tag == task else f"its model_index.json names a {kind}"
    schedulers = _schedulers(index)
    return Pipeline(
        task, reason, tuple(t for t in tasks if t != task), "", schedulers, _problem(kind, tasks[0], index, names)
    )


def _problem(kind: str, task: str, index: Mapping[str, Any], names: Collection[str]) -> str:
    if task in DRAWING and _HALVES.search(kind):
        return f"It is one half of a pipeline (a {kind}), and Corral runs whole ones."
    if _TWO_PICTURES.search(kind):
        return f"It takes a second picture, which controls it (a {kind}), and Corral asks for one."
    parts = {name: part for name, part in index.items() if isinstance(part, list) and len(part) == 2}
    if "Onnx" in kind or ["diffusers", "OnnxRuntimeModel"] in parts.values():
        return "Corral does not run diffusers' ONNX pipelines: add the weights as safetensors."
    if any(f"{name}/{library}.py" in names for name, (library, _) in parts.items()):
        return "This pipeline brings its own program code, which Corral does not run."
    having = {m["part"] for m in map(_WEIGHTS.fullmatch, names) if m}
    pickles = {m["part"] for m in map(_PICKLE.fullmatch, names) if m} & parts.keys()
    if lacking := sorted(pickles - having):
        return (
            f"The weights in {lacking[0]}/ are pickle files, which can run code when they are read: add them as "
            "safetensors."
        )
    return "" if having else "It has no weights where diffusers looks for them."


def _schedulers(index: Mapping[str, Any]) -> tuple[str, ...]:
    """The pipeline's own one first, and what can take its place."""
    named = index.get("scheduler")
    own = named[1] if isinstance(named, list) and len(named) == 2 else None
    return (own, *(s for s in SCHEDULERS if s != own)) if own in SCHEDULERS else ()


def _said(card: Mapping[str, Any]) -> tuple[str | None, str]:
    tag = card.get("pipeline_tag")
    return (tag, f"its card says pipeline_tag: {tag}") if isinstance(tag, str) and tag else (None, "")
