from __future__ import annotations

import pytest

from corral.catalogue import tags
from corral.catalogue.cards import Card, parse
from corral.catalogue.tags import Read, tags_of
from corral.core.ids import RepoType


def card(front: str, text: str = "") -> Card:
    return parse(f"---\n{front}\n---\n{text}")


def test_a_models_tags_have_hugging_faces_form() -> None:
    read = Read(
        type=RepoType.MODEL,
        card=card(
            "license: mit\nlanguage: [en, FR]\ndatasets: [squad, ann/data]\nbase_model: org/base\ntags: [cats]\n"
            "model-index: [{name: x, results: []}]",
            "See https://arxiv.org/abs/2001.01234 and https://huggingface.co/papers/2307.09288.",
        ),
        files=["model.safetensors", "pytorch_model.bin", "onnx/model.onnx", "runs/events.out.tfevents.1"],
        config={"model_type": "bert", "auto_map": {"AutoModel": "x"}},
        pipeline_tag="fill-mask",
        library="transformers",
    )
    assert set(tags_of(read).shown) == {
        "transformers", "pytorch", "onnx", "safetensors", "tensorboard", "bert", "fill-mask", "custom_code", "cats",
        "en", "fr", "dataset:squad", "dataset:ann/data", "arxiv:2001.01234", "arxiv:2307.09288",
        "base_model:org/base", "base_model:finetune:org/base", "license:mit", "model-index",
    }  # fmt: skip


def test_a_data_sets_tags_have_prefixes() -> None:
    read = Read(
        type=RepoType.DATASET,
        card=card(
            "license: cc-by-4.0\nlanguage: [en]\ntask_categories: [image-classification]\ntags: [cats]\n"
            "dataset_info: {features: [{name: image, dtype: image}, {name: label, dtype: int64}],"
            " splits: [{name: train, num_examples: 1500}, {name: test, num_examples: 500}]}"
        ),
        files=["README.md", ".gitattributes", "data/train-0.parquet"],
        rows=2000,
    )
    assert set(tags_of(read).shown) == {
        "task_categories:image-classification", "language:en", "license:cc-by-4.0", "size_categories:1K<n<10K",
        "format:parquet", "modality:image", "library:datasets", "library:pandas", "library:polars",
        "library:mlcroissant", "cats",
    }  # fmt: skip
    assert tags.rows_of(read.card) == 2000


def test_a_space_uses_models_that_are_not_among_its_shown_tags() -> None:
    found = tags_of(Read(type=RepoType.SPACE, card=card("tags: [demo]\nmodels: [ann/m]\nlicense: mit"), sdk="gradio"))
    assert found.shown == ("gradio", "demo", "license:mit")
    assert found.kinds["model:ann/m"] == "uses"


@pytest.mark.parametrize(
    ("front", "files", "config", "relation"),
    [
        ("base_model: a/b", [], {}, "finetune"),
        ("base_model: a/b\nbase_model_relation: quantized", [], {}, "quantized"),
        ("base_model: a/b\nbase_model_relation: nonsense", [], {}, "finetune"),
        ("base_model: a/b", ["adapter_config.json"], {}, "adapter"),
        ("base_model: a/b", ["m.Q4_K_M.GGUF"], {}, "quantized"),
        ("base_model: a/b", [], {"quantization_config": {"quant_method": "awq"}}, "quantized"),
        ("base_model: [a/b, c/d]", [], {}, "merge"),
        ("base_model: a/b\ntags: [mergekit]", [], {}, "merge"),
    ],
)
def test_how_a_model_comes_from_its_base(
    front: str, files: list[str], config: dict[str, object], relation: str
) -> None:
    read = Read(type=RepoType.MODEL, card=card(front), files=files, config=config)
    assert tags.base_models(read)[1] == relation
    assert f"base_model:{relation}:a/b" in tags_of(read).shown


@pytest.mark.parametrize(
    ("front", "files", "config", "library"),
    [
        ("library_name: flair", ["adapter_config.json"], None, "flair"),
        ("tags: [timm]", ["config.json"], {"model_type": "x", "architectures": ["X"]}, "timm"),
        (
            "tags: [cats]",
            ["modules.json", "config.json"],
            {"model_type": "bert", "architectures": ["X"]},
            "sentence-transformers",
        ),
        ("tags: [cats]", ["model_index.json"], None, "diffusers"),
        ("tags: [cats]", ["config.json"], {"model_type": "bert", "architectures": ["BertModel"]}, "transformers"),
        ("tags: [cats]", ["config.json"], {"hidden": 3}, None),
        ("tags: [cats]", ["meta.json", "config.cfg"], None, "spacy"),
        ("library_name: [1, 2]", [], None, "1"),
    ],
)
def test_library_by_card_then_tag_then_files(
    front: str, files: list[str], config: dict[str, object] | None, library: str | None
) -> None:
    assert tags.library_of(card(front), files, config) == library


def test_quantization_becomes_tags() -> None:
    read = Read(
        type=RepoType.MODEL,
        card=Card(),
        config={"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
    )
    assert tags_of(read).shown == ("4-bit", "bitsandbytes")


def test_a_chat_template_makes_a_text_generator_conversational() -> None:
    read = Read(type=RepoType.MODEL, card=Card(), pipeline_tag="text-generation", chat=True)
    assert "conversational" in tags_of(read).shown
    assert (
        "conversational"
        not in tags_of(Read(type=RepoType.MODEL, card=Card(), pipeline_tag="fill-mask", chat=True)).shown
    )


def test_tags_that_cannot_be_stored_are_left_out() -> None:
    many = [f"t{i}" for i in range(2000)]
    found = tags_of(Read(type=RepoType.MODEL, card=Card({"tags": ["x" * 201, "line\nbreak", *many]})))
    assert len(found.kinds) == tags.MOST_TAGS
    assert all(tag.isprintable() and len(tag) <= tags.MOST_LENGTH for tag in found.kinds)


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        (["train/cat/1.jpg", "train/dog/2.jpg", "metadata.csv"], {"format:imagefolder", "modality:image"}),
        (["a.wav"], {"format:audiofolder", "modality:audio"}),
        (["data.csv"], {"format:csv", "modality:tabular"}),
        (["data.jsonl"], {"format:json"}),
        (["README.md", "dataset_infos.json"], set()),
    ],
)
def test_formats_and_modalities_of_data_files(files: list[str], shown: set[str]) -> None:
    found = tags_of(Read(type=RepoType.DATASET, card=Card(), files=files)).shown
    assert {tag for tag in found if tag.startswith(("format:", "modality:"))} == shown


@pytest.mark.parametrize("info", [None, 3, "x", [], [3, None], {"splits": 3}, {"splits": [{"num_examples": "many"}]}])
def test_odd_dataset_info_tells_no_rows(info: object) -> None:
    assert tags.rows_of(Card({"dataset_info": info})) is None
    assert tags_of(Read(type=RepoType.DATASET, card=Card({"dataset_info": info}))).shown == ()
