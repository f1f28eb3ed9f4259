"""Loading a pipeline of diffusers, or an adapter on one, from a folder: safetensors only, and none of its code."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline
from safetensors import SafetensorError, safe_open

from corral.inference import pipelines
from corral.inference.engines.base import SAFE, Refused, device, dtype_for

# the logs of the libraries are no place for prompts, nor for bars that move
diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
#: libraries that a component may be of; what else is named must be a module of diffusers' own pipelines
_LIBRARIES = ("diffusers", "transformers")
#: the component that most of the time is spent in; the first that there is
_DENOISERS = ("transformer", "unet", "prior")
_STORED = {"F16": torch.float16, "BF16": torch.bfloat16}
#: under this name the adapter is known to its pipeline
ADAPTER = "adapter"


def load(folder: Path) -> Any:
    """The pipeline in `folder`, on the device, in the format that the processor is quick with.

    Raises Refused (501) for what is none, and for what would bring code or pickles in.
    """
    index = _json(folder / "model_index.json")
    kind = getattr(diffusers, str(index.get("_class_name")), None)
    if not (isinstance(kind, type) and issubclass(kind, DiffusionPipeline)):
        name = index.get("_class_name")
        raise Refused(f"diffusers {diffusers.__version__} has no pipeline {name!r} that Corral could run.", 501)
    for name, part in index.items():
        if isinstance(part, list):
            _check(folder, name, part)
    names = {path.relative_to(folder).as_posix() for path in folder.glob("*/*.safetensors")}
    variant = pipelines.variant(names)
    made: Any = kind
    pipe = made.from_pretrained(
        folder, dtype=dtype_for(_stored(folder)), **SAFE, **({"variant": variant} if variant else {})
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device())


def adapt(pipe: Any, file: Path) -> None:
    """Add the LoRA in `file` to the pipeline. Raises Refused (501) where the two do not belong together."""
    try:
        with safe_open(file, "pt") as stored:
            of_lora = sum("lora" in key.lower() for key in stored.keys())  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError) as error:
        raise Refused(f"{file.name} is no safetensors file that can be read: {error}", 501) from None
    if not of_lora:
        raise Refused(f"{file.name} is no LoRA adapter: none of its tensors is called one.", 501)
    if not hasattr(pipe, "load_lora_weights"):
        raise Refused(f"Its base is a {type(pipe).__name__}, which takes no LoRA adapters.", 501)
    try:
        pipe.load_lora_weights(
            str(file.parent),
            weight_name=file.name,
            adapter_name=ADAPTER,
            local_files_only=True,
            use_safetensors=True,
        )
    except Exception as error:
        # libraries below say by many kinds of errors that shapes or names do not fit
        raise Refused(
            f"This LoRA was made for another base model than the one its card names: {_short(error)}", 501
        ) from None
    if ADAPTER not in {name for names in pipe.get_list_adapters().values() for name in names}:
        raise Refused("This LoRA changes nothing in the base model that its card names: it was made for another.", 501)


def _check(folder: Path, name: str, part: list[Any]) -> None:
    """Raises Refused for a component that is not of the libraries, since diffusers imports what the file names."""
    if len(part) != 2 or part[0] is None:
        return
    library, kind = str(part[0]), str(part[1])
    if library not in _LIBRARIES and not hasattr(diffusers.pipelines, library):
        raise Refused(f"Its {name} is of {library!r}: Corral runs components of {' and '.join(_LIBRARIES)} only.", 501)
    config = _json(folder / name / "config.json") | _json(folder / name / "tokenizer_config.json")
    if "auto_map" in config or (folder / name / f"{library}.py").exists():
        raise Refused(f"Its {name} ({kind}) brings its own program code, which Corral does not run.", 501)


def _stored(folder: Path) -> torch.dtype | None:
    """The format of most tensors of the part that draws, where that is half precision."""
    part = next((folder / name for name in _DENOISERS if (folder / name).is_dir()), None)
    files = sorted(part.glob("*.safetensors")) if part else []
    if not files:
        return None
    with safe_open(files[0], "pt") as stored:
        kinds = Counter(stored.get_slice(key).get_dtype() for key in stored.keys())  # noqa: SIM118 - it is no mapping
    return _STORED.get(kinds.most_common(1)[0][0]) if kinds else None


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file() or file.stat().st_size > 2**24:
        return {}
    try:
        value = json.loads(file.read_text())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _short(error: Exception) -> str:
    """The first line or two: the libraries list every tensor."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]
