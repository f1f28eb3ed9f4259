from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from corral.catalogue import index
from corral.catalogue.listing import Listing, listing_of
from corral.context import Context
from corral.core.ids import RepoType
from corral.repos import commits, lifecycle, lookup, refs
from corral.repos.lookup import Repo

Make = Callable[..., Repo]


def shard(shape: list[int]) -> bytes:
    raw = orjson.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}})
    return struct.pack("<Q", len(raw)) + raw


def listing(ctx: Context, repo: Repo) -> Listing:
    return listing_of(ctx, [repo.id])[repo.id]


def push(ctx: Context, repo: Repo, files: dict[str, Any], *, branch: str = "main") -> str:
    operations = [commits.AddFile(p, c if isinstance(c, bytes) else c.encode()) for p, c in files.items()]
    return commits.commit(ctx, repo, branch, commits.Header("Add files"), operations).oid


def test_a_model_is_described_by_its_card_config_and_weights(ann: Context, make: Make) -> None:
    repo = make(
        "m",
        "license: mit\nlanguage: en\npipeline_tag: fill-mask\ndatasets: squad",
        {
            "config.json": '{"architectures": ["BertForMaskedLM"], "model_type": "bert", "hidden_size": 4}',
            "tokenizer_config.json": '{"mask_token": {"content": "[MASK]"}, "model_max_length": 512}',
            "model.safetensors": shard([7, 3]),
        },
    )
    found = listing(ann, repo)
    assert (found.pipeline_tag, found.library, found.license) == ("fill-mask", "transformers", "mit")
    assert found.parameters == 21
    assert found.details.safetensors == {"parameters": {"F32": 21}, "total": 21}
    assert found.details.config == {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "tokenizer_config": {"mask_token": "[MASK]"},
    }
    assert found.details.card["datasets"] == "squad"
    assert {"transformers", "safetensors", "bert", "fill-mask", "en", "dataset:squad", "license:mit"} <= set(
        found.details.tags
    )
    assert "model.safetensors" in found.details.files
    assert found.size > 200


def test_parameters_of_a_sharded_model_are_summed(ann: Context, make: Make) -> None:
    weight_map = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    repo = make(
        "m",
        files={
            "model.safetensors.index.json": orjson.dumps({"weight_map": weight_map}),
            "model-1.safetensors": shard([10]),
            "model-2.safetensors": shard([20]),
        },
    )
    assert listing(ann, repo).parameters == 30


def test_a_new_commit_replaces_what_was_known(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit\ntags: [cats]")
    push(ann, repo, {"README.md": "---\nlicense: apache-2.0\n---\n"})
    index.refresh(ann, repo.id)
    found = listing(ann, repo)
    assert found.license == "apache-2.0"
    assert found.details.tags == ("license:apache-2.0",)


def test_commits_to_other_branches_change_nothing(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    before = listing(ann, repo)
    refs.create_branch(ann, repo, "dev", before.sha)
    oid = push(ann, repo, {"README.md": "---\nlicense: apache-2.0\n---\n"}, branch="dev")
    index.refresh(ann, repo.id)
    assert listing(ann, repo) == before
    assert index.at(ann, repo, oid).license == "apache-2.0"
    assert index.at(ann, repo, oid).sha == oid


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": b"---\n\xff\xfe: [\n---\n"},
        {"README.md": "---\na: &a [*a]\n---\n"},
        {"config.json": "{not json"},
        {"config.json": "[1, 2]"},
        {"config.json": '{"model_type": ["x"], "auto_map": 3, "quantization_config": []}'},
        {"config.json": '{"model_type": "a\\u0000b", "architectures": [3]}'},
        {"tokenizer_config.json": '{"mask_token": 3, "chat_template": [[["x"]]]}'},
        {"adapter_config.json": "null"},
        {"model_index.json": "3"},
        {"model.safetensors": b"\xff" * 100},
        {"model.safetensors.index.json": '{"weight_map": {"a": "../../etc/passwd"}}'},
        {"model.safetensors.index.json": '{"weight_map": [1]}'},
        {"m.gguf": b"GGUF\xff\xff\xff\xff"},
        {"README.md": "---\nlicense: [[1]]\ntags: {a: b}\nlanguage: 3\npipeline_tag: [x]\nbase_model: {a: 1}\n---\n"},
        {"README.md": "---\nlibrary_name: " + "x" * 1000 + "\npipeline_tag: " + "y" * 1000 + "\n---\n"},
    ],
)
@pytest.mark.parametrize("type", [RepoType.MODEL, RepoType.DATASET, RepoType.SPACE])
def test_nothing_in_a_repository_keeps_it_out_of_the_catalogue(
    ann: Context, make: Make, files: dict[str, bytes | str], type: RepoType
) -> None:
    repo = make("odd", files=files, type=type)
    assert listing(ann, repo).sha != ""


def test_what_could_not_be_read_is_said(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit", {"config.json": "{not json"})
    (warning,) = listing(ann, repo).details.warnings
    assert warning.startswith("config.json is no valid JSON")


def test_a_data_set_has_rows_and_a_summary(ann: Context, make: Make) -> None:
    front = "dataset_info:\n  splits: [{name: train, num_examples: 10}]"
    text = f"---\n{front}\n---\n# Cats\n\nPictures of cats and what they do.\n"
    repo = make("cats", files={"README.md": text}, type=RepoType.DATASET)
    found = listing(ann, repo)
    assert (found.rows, found.summary) == (10, "Pictures of cats and what they do.")
    assert "size_categories:n<1K" in found.details.tags


def test_a_spaces_card_chooses_its_sdk(ann: Context, make: Make) -> None:
    repo = make("demo", "sdk: gradio", type=RepoType.SPACE)
    again = lookup.get(ann, repo.id)
    assert again is not None
    assert again.sdk == "gradio"
    assert listing(ann, repo).details.tags == ("gradio",)


def test_the_task_comes_from_the_detection_that_is_handed_in(ann: Context, make: Make) -> None:
    repo = make("m", files={"config.json": '{"x": 1}'})

    def detect(clues: index.Clues) -> index.Told:
        return index.Told(f"seen-{clues.json('config.json')['x']}", "it says so", "an engine")

    index.refresh(ann, repo.id, detect, force=True)
    found = listing(ann, repo)
    assert (found.pipeline_tag, found.engine, found.details.pipeline_reason) == ("seen-1", "an engine", "it says so")


def test_a_repository_that_is_gone_is_left_alone(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    lifecycle.remove(ann, repo)
    index.refresh(ann, repo.id)
    assert listing(ann, repo) == Listing(repo.id)
