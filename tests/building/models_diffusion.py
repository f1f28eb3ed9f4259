"""Tiny pipelines of diffusers with random weights, and adapters for them, made in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = ("drawing", "drawing-xl", "flow", "inpainting", "enlarging", "lora", "lora-elsewhere")


def make(*kinds: str, into: Path) -> dict[str, Path]:
    """Save a tiny pipeline of each kind (`KINDS`) in a folder of its name. The test's process stays free of torch.

    They draw 32x32 pixels, but `flow`, which draws 256x256. `lora` is for `drawing`, `lora-elsewhere` for no kind.
    """
    folders = {kind: into / kind for kind in kinds}
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}
    words = [word for kind, folder in folders.items() for word in (kind, str(folder))]
    subprocess.run([sys.executable, __file__, *words], env=environment, check=True, capture_output=True)
    return folders


def _tokenizer(folder: Path) -> Any:
    """CLIP's, with bytes for words."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(vocab=str(vocabulary), merges=str(merges), model_max_length=77)


def _text_encoder(width: int = 16, kind: str = "CLIPTextModel") -> Any:
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=width,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        projection_dim=width,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    return getattr(transformers, kind)(config)


def _unet(cross: int = 16, width: int = 16, **options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    settings: dict[str, Any] = {
        "block_out_channels": (width, 2 * width),
        "layers_per_block": 1,
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": cross,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }
    return UNet2DConditionModel(**settings | options)


def _vae(**options: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=[16, 16],
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        norm_num_groups=4,
        **options,
    )


def _taught_vae() -> Any:
    """One that gives the gradient of `building.pictures` back, more or less: two seconds of training."""
    import torch

    vae = _vae()
    side = torch.arange(32) * 5 / 127.5 - 1
    gradient = torch.stack([side.expand(32, 32), side[:, None].expand(32, 32), torch.full((32, 32), -0.06)])[None]
    adam = torch.optim.Adam(vae.parameters(), 3e-3)
    for _ in range(120):
        turned = gradient.rot90(int(torch.randint(4, ())), (2, 3)) * (0.5 + 0.5 * torch.rand(1))
        found = vae.encode(turned).latent_dist
        given_back = vae.decode(found.mean + 0.2 * torch.randn_like(found.mean)).sample
        apart = (given_back - turned).abs().mean()
        loss = apart + 1e-3 * (found.mean.pow(2) - 1).pow(2).mean() + 1e-3 * (found.logvar + 8).pow(2).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    # the latents are as large as the noise already
    vae.register_to_config(scaling_factor=1.0)
    return vae


def _scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)


def _drawing(folder: Path, kind: str = "StableDiffusionPipeline", **parts: Any) -> None:
    import diffusers

    getattr(diffusers, kind)(
        **{
            "vae": _vae(),
            "text_encoder": _text_encoder(),
            "tokenizer": _tokenizer(folder / "tokenizer"),
            "unet": _unet(),
            "scheduler": _scheduler(),
            "safety_checker": None,
            "feature_extractor": None,
        }
        | parts
    ).save_pretrained(folder)


def _drawing_xl(folder: Path) -> None:
    from diffusers import StableDiffusionXLPipeline

    tokenizer = _tokenizer(folder / "tokenizer")
    StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_text_encoder(),
        text_encoder_2=_text_encoder(kind="CLIPTextModelWithProjection"),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(
            cross=32,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 16,
        ),
        scheduler=_scheduler(),
    ).save_pretrained(folder)


def _flow(folder: Path) -> None:
    """Flux: a transformer, a second text encoder of T5's kind, latents in rows."""
    import string

    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel, T5TokenizerFast

    letters = [(letter, -2.0) for letter in ("▁", *string.ascii_letters)]
    second = T5TokenizerFast(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters])
    FluxPipeline(
        vae=_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(folder / "tokenizer"),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(second) + 2, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        ),
        tokenizer_2=second,
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder)


def _inpainting(folder: Path) -> None:
    """With the nine channels of models that were trained for it."""
    _drawing(folder, "StableDiffusionInpaintPipeline", unet=_unet(in_channels=9))


def _enlarging(folder: Path) -> None:
    from diffusers import DDPMScheduler

    _drawing(
        folder,
        "StableDiffusionUpscalePipeline",
        unet=_unet(in_channels=7, num_class_embeds=1000),
        low_res_scheduler=DDPMScheduler(),
    )


def _lora(folder: Path, width: int = 16) -> None:
    import torch
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    unet = _unet(width=width)
    unet.add_adapter(LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v"], init_lora_weights="gaussian"))
    for name, weight in unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))


_MADE: dict[str, Callable[[Path], None]] = {
    "drawing": lambda folder: _drawing(folder, vae=_taught_vae()),
    "drawing-xl": _drawing_xl,
    "flow": _flow,
    "inpainting": _inpainting,
    "enlarging": _enlarging,
    "lora": _lora,
    "lora-elsewhere": lambda folder: _lora(folder, 32),
}

if __name__ == "__main__":
    import torch

    for kind, place in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        torch.manual_seed(0)
        _MADE[kind](Path(place))
