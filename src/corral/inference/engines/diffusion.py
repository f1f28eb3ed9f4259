"""Pictures drawn by diffusers: from a text, from a picture, and within a mask, all with one set of weights."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from corral.inference import pipelines
from corral.inference.calls import Media
from corral.inference.engines import diffusion_loading, pictures
from corral.inference.engines.base import Engine, Job, Refused, device
from corral.inference.engines.diffusion_call import check_steps, parameters, preset, scheduled, steps_of, unread
from corral.inference.engines.diffusion_preview import Preview
from corral.inference.engines.diffusion_sizes import Sizes
from corral.inference.engines.diffusion_watch import Gone, Pulse, Watch

#: pictures drawn at once are together at most this many pixels. Small ones gain by it: eight of 64x64 on one core took
#: 0.39 s each, and 1.31 s alone (24 M parameters, 15 steps); large ones keep every core busy by themselves
BATCH_PIXELS, BATCH = 512 * 512, 8
_NEAREST = Image.Resampling.NEAREST
#: what jobs of one batch have in common
_SHARED = ("width", "height", "num_inference_steps", "guidance_scale", "scheduler", "lora_scale")


class Diffusion(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._pipe = diffusion_loading.load(Path(options.get("base") or folder))
        self._adapted = "lora" in options
        if self._adapted:
            diffusion_loading.adapt(self._pipe, folder / options["lora"])
        self._lora_scale = 1.0
        self._name: str = options.get("name", "")
        self._tasks = pipelines.tasks_of(type(self._pipe).__name__)
        self._sizes = Sizes(self._pipe)
        self._preview = Preview(self._pipe)
        self._pulse = Pulse(self._pipe)
        #: task -> the pipeline that does it, all of the same weights
        self._pipes: dict[str, Any] = {}
        most = BATCH_PIXELS * (16 if device().type == "cuda" else 1)
        self.batch = max(1, min(BATCH, most // self._sizes.native**2)) if "text-to-image" in self._tasks else 1

    def together(self, op: str, params: dict[str, Any]) -> Any:
        wide, high = params.get("width") or 0, params.get("height") or 0
        if op != "text-to-image" or max(wide, high) > self._sizes.native:
            return None
        return (op, bool(params.get("negative_prompt")), *(params.get(name) for name in _SHARED))

    def run(self, job: Job) -> Any:
        [result] = self.run_many([job])
        if isinstance(result, Exception):
            raise result
        return result

    def run_many(self, jobs: Sequence[Job]) -> list[Any]:
        op, files = jobs[0].op, jobs[0].files
        if op == "text-to-image":
            return self._from_text(jobs)
        if op != "image-to-image" or not files:
            raise Refused(f"This model cannot do {op!r}: it is for {', '.join(self._tasks)}.")
        masked = len(files) > 1 or (jobs[0].params.get("mask_is_alpha") and pictures.holes(files[0], "The input"))
        return [self._within(job) if masked else self._from_picture(job) for job in jobs]

    def _from_text(self, jobs: Sequence[Job]) -> list[Any]:
        pipe = self._pipeline("text-to-image")
        params = jobs[0].params
        wide, high = self._sizes.asked(params.get("width"), params.get("height"))
        given = {"width": wide, "height": high} if "width" in parameters(pipe) else {}
        return self._draw(pipe, jobs, given)

    def _from_picture(self, job: Job) -> Any:
        pipe = self._pipeline("image-to-image")
        params, takes = job.params, parameters(pipe)
        image = self._sizes.fitting(pictures.picture(job.files[0]), params.get("width"), params.get("height"))
        given: dict[str, Any] = {"image" if "image" in takes else "control_image": image}
        if "width" in takes:
            given |= {"width": image.width, "height": image.height}
        return self._draw(pipe, [job], given)[0]

    def _within(self, job: Job) -> Any:
        """What the mask leaves out is the given picture, to the pixel, in the size that it came in."""
        pipe = self._pipeline("inpainting")
        original = pictures.picture(job.files[0])
        mask = _mask(job.files[-1], bool(job.params.get("mask_is_alpha"))).resize(original.size, _NEAREST)
        if not mask.getbbox():
            raise Refused("The mask is black everywhere: it must be white where something is to be drawn.")
        image = self._sizes.fitting(original, job.params.get("width"), job.params.get("height"))
        given: dict[str, Any] = {"image": image, "mask_image": mask.resize(image.size, _NEAREST)}
        if "width" in parameters(pipe):
            given |= {"width": image.width, "height": image.height}

        def finish(drawn: Image.Image) -> Image.Image:
            return Image.composite(drawn.resize(original.size, Image.Resampling.LANCZOS), original, mask)

        return self._draw(pipe, [job], given, finish)[0]

    # --- drawing -----------------------------------------------------------------------------------------------------

    def _pipeline(self, task: str) -> Any:
        if task not in self._tasks:
            raise Refused(f"This model is for {' and '.join(self._tasks)}, not for {task}.")
        if task not in self._pipes:
            self._pipes[task] = self._pipe if self._serves(task) else _sibling(task).from_pipe(self._pipe)
            self._pipes[task].set_progress_bar_config(disable=True)
        return self._pipes[task]

    def _serves(self, task: str) -> bool:
        """Whether the pipeline that was loaded does `task` itself: some take a picture or none."""
        return task == self._tasks[0] or ({"image", "prompt"} <= parameters(self._pipe).keys() and task != "inpainting")

    def _draw(
        self,
        pipe: Any,
        jobs: Sequence[Job],
        given: dict[str, Any],
        finish: Callable[[Image.Image], Image.Image] = lambda drawn: drawn,
    ) -> list[Any]:
        params, takes = jobs[0].params, parameters(pipe)
        seeds = [_seed(job.params.get("seed")) for job in jobs]
        asked = {name: params.get(name) for name in ("guidance_scale", "strength")}
        asked["num_inference_steps"] = steps = params.get("num_inference_steps") or steps_of(takes)
        asked["prompt"] = [job.params.get("prompt") or "" for job in jobs]
        negative = [job.params.get("negative_prompt") or "" for job in jobs]
        asked["negative_prompt"] = negative if any(negative) else None
        for name, value in asked.items():
            if value is not None and name in takes:
                given[name] = value
            elif value not in (None, [""]) and name != "num_inference_steps":
                raise Refused(f"This model ({type(pipe).__name__}) takes no '{name}': leave it out.")
        self._scale(params.get("lora_scale"))
        with scheduled(pipe, params.get("scheduler")):
            check_steps(pipe, steps, given)
            watch = Watch(jobs, steps, given, self._preview)
            given |= watch.arguments(takes)
            given["generator"] = [torch.Generator().manual_seed(seed) for seed in seeds]
            with self._pulse.telling(watch.beat):
                drawn = _call(pipe, given)
            about = {
                "steps": steps,
                "guidance_scale": given.get("guidance_scale", preset(takes, "guidance_scale")),
                "scheduler": type(pipe.scheduler).__name__,
            }
        unsafe = getattr(drawn, "nsfw_content_detected", None) or [False] * len(jobs)
        return [
            Refused("The model's own safety checker holds this picture back: change the prompt or the seed.")
            if held
            else self._answer(finish(image), job.params, about | {"seed": seed} | _left_out(pipe, job.params))
            for image, job, seed, held in zip(drawn.images, jobs, seeds, unsafe, strict=True)
        ]

    def _scale(self, scale: float | None) -> None:
        """How strongly the LoRA acts."""
        if not self._adapted:
            if scale is not None:
                raise Refused("'lora_scale' is for LoRA adapters, and this model is none: leave it out.")
        elif (wanted := 1.0 if scale is None else scale) != self._lora_scale:
            self._pipe.set_adapters([diffusion_loading.ADAPTER], adapter_weights=[wanted])
            self._lora_scale = wanted

    def _answer(self, image: Image.Image, params: dict[str, Any], about: dict[str, Any]) -> Media:
        told = {
            "Steps": about["steps"],
            "Sampler": about["scheduler"],
            "CFG scale": about["guidance_scale"],
            "Seed": about["seed"],
            "Size": f"{image.width}x{image.height}",
            "Denoising strength": params.get("strength"),
            "Model": self._name or None,
        }
        lines = [params.get("prompt") or ""]
        if negative := params.get("negative_prompt"):
            lines.append(f"Negative prompt: {negative}")
        lines.append(", ".join(f"{name}: {value}" for name, value in told.items() if value is not None))
        made = pictures.png(image, {"parameters": "\n".join(lines)})
        return Media(made.data, made.type, made.about | about)


def _mask(data: bytes, is_alpha: bool) -> Image.Image:
    """White where something is drawn: as it is, or what is transparent (OpenAI's masks), where anything is."""
    holes = pictures.holes(data, "The mask") if is_alpha else None
    return holes or pictures.picture(data, "The mask").convert("L").point(lambda value: 255 * (value > 127))


def _sibling(task: str) -> Any:
    # these know every pipeline there is, and take a second to import
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, AutoPipelineForText2Image

    return {
        "text-to-image": AutoPipelineForText2Image,
        "image-to-image": AutoPipelineForImage2Image,
        "inpainting": AutoPipelineForInpainting,
    }[task]


def _call(pipe: Any, given: dict[str, Any]) -> Any:
    try:
        with torch.inference_mode():
            return pipe(**given)
    except Gone:
        raise Refused("The caller went away.", 499) from None
    except ValueError as error:
        # so say diffusers' own checks of what a pipeline is given
        raise Refused(f"This model's pipeline does not take that: {error}") from None


def _left_out(pipe: Any, params: dict[str, Any]) -> dict[str, str]:
    rest = unread(pipe, params.get("prompt") or "")
    return {"unread": rest} if rest else {}


def _seed(asked: int | None) -> int:
    """What was asked for, or one that fits into every program's numbers."""
    return secrets.randbelow(2**32) if asked is None else asked
