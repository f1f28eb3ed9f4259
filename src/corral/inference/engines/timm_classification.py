"""Image classification by timm: `config.json` names the architecture and says how pictures are prepared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from corral.inference.engines.base import Engine, Job, Refused, device
from corral.inference.engines.classes import TOGETHER, TOGETHER_ON_GPU, ranked
from corral.inference.engines.graphs import config_of, label
from corral.inference.engines.pictures import picture
from corral.inference.engines.preparing import IMAGENET, Preparation, timm_preparation
from corral.inference.engines.timm_loading import import_timm


class TimmClassification(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.batch = TOGETHER_ON_GPU if device().type == "cuda" else TOGETHER
        timm = import_timm()
        config = config_of(folder)
        # timm's own saving: what is in `model_args` was given to the architecture when it was made
        args = config.get("model_args")
        given: dict[str, Any] = args if isinstance(args, dict) else {}
        own = config["pretrained_cfg"] if isinstance(config.get("pretrained_cfg"), dict) else config
        name, count = config.get("architecture"), config.get("num_classes", own.get("num_classes"))
        if not isinstance(name, str) or not timm.is_model(name):
            raise Refused(f"config.json names the architecture {name!r}, which timm does not have.", 501)
        sizes = {"num_classes": count} if isinstance(count, int) else {}
        pool = {"global_pool": config["global_pool"]} if isinstance(config.get("global_pool"), str) else {}
        self._model = timm.create_model(name, pretrained=False, **{**sizes, **pool, **given})
        self._model.load_state_dict(load_file(folder / "model.safetensors"))
        self._model.eval().to(device())
        self._prepare = timm_preparation(own, Preparation(224, 224, *IMAGENET, crop=0.875))
        self._labels = _labels(config, own)

    def run(self, job: Job) -> Any:
        [result] = self.run_many([job])
        if isinstance(result, Exception):
            raise result
        return result

    def run_many(self, jobs: Sequence[Job]) -> list[Any]:
        results: list[Any] = [None] * len(jobs)
        values: dict[int, torch.Tensor] = {}
        for i, job in enumerate(jobs):
            try:
                if job.op != "classify":
                    raise Refused(f"This model cannot do {job.op!r}: it classifies pictures.")
                values[i] = torch.from_numpy(self._prepare.planes(picture(job.files[0])))
            except Refused as refused:
                results[i] = refused
        if values:
            with torch.inference_mode():
                logits = self._model(torch.stack(list(values.values())).to(device())).float().cpu()
            for i, row in zip(values, logits, strict=True):
                results[i] = ranked(row.numpy(), jobs[i].params, lambda place: label(self._labels, place))
        return results


def _labels(config: dict[str, Any], own: dict[str, Any]) -> tuple[str, ...]:
    names = config.get("label_names", own.get("label_names"))
    texts = config.get("label_descriptions", own.get("label_descriptions"))
    if isinstance(names, list):
        said = texts if isinstance(texts, dict) else {}
        return tuple(str(said.get(name, name)) for name in names)
    places = config.get("id2label", {})
    return tuple(str(places.get(str(i), f"LABEL_{i}")) for i in range(len(places))) if isinstance(places, dict) else ()
