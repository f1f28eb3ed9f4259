"""The unmodified clients, release by release, on a real model: what a user's script does must just work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from building import models
from building.clients import HUB_RELEASES, python_with, run_script
from building.git import WorkingCopy
from building.hub import Hub, Person
from corral.repos import fsck

NewRepo = Callable[..., str]
pytestmark = pytest.mark.slow

#: create, upload a folder, look, download, delete, branch, tag: printed as JSON for the test to judge
JOURNEY = """
import hashlib, json, sys
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError
api, name, source = HfApi(), sys.argv[1], Path(sys.argv[2])
repo = api.create_repo(name).repo_id
api.upload_folder(repo_id=repo, folder_path=source, commit_message="The model")
files = {f.rfilename: f for f in api.model_info(repo, files_metadata=True).siblings}
copy = Path(snapshot_download(repo))
digest = lambda file: hashlib.sha256(file.read_bytes()).hexdigest()
sent = {f.relative_to(source).as_posix(): digest(f) for f in source.rglob("*") if f.is_file()}
got = {f.relative_to(copy).as_posix(): digest(f) for f in copy.rglob("*") if f.is_file()}
api.create_branch(repo, branch="next")
api.upload_file(repo_id=repo, path_or_fileobj=b"on a branch", path_in_repo="note.txt", revision="next")
api.create_tag(repo, tag="v1", tag_message="first")
refs = api.list_repo_refs(repo)
api.delete_file("note.txt", repo, revision="next")
on_next = api.list_repo_files(repo, revision="next")
api.delete_branch(repo, branch="next")
api.delete_tag(repo, tag="v1")
titles = [c.title for c in api.list_repo_commits(repo)]
api.delete_repo(repo)
try:
    api.model_info(repo)
    gone = False
except RepositoryNotFoundError:
    gone = True
print(json.dumps({
    "large": files["model.safetensors"].lfs is not None, "sent": sent, "got": got, "gone": gone, "titles": titles,
    "branches": [b.name for b in refs.branches], "tags": [t.name for t in refs.tags], "on_next": on_next,
}))
"""


@pytest.mark.parametrize("way", ["xet", "lfs"])
@pytest.mark.parametrize("release", HUB_RELEASES)
def test_the_whole_journey_of_a_model(hub: Hub, person: Person, home: Path, release: str, way: str) -> None:
    python = python_with(f"huggingface_hub=={release}")
    environment = person.environment(home) | {"HF_HUB_DISABLE_XET": "1" if way == "lfs" else "0"}
    told = json.loads(run_script(python, JOURNEY, environment, f"{person.name}/model", str(models.minilm())))
    assert told["large"]
    assert told["sent"].items() <= told["got"].items()
    assert set(told["got"]) - set(told["sent"]) <= {".gitattributes"}
    assert sorted(told["branches"]) == ["main", "next"]
    assert told["tags"] == ["v1"]
    assert "note.txt" not in told["on_next"]
    assert told["titles"] == ["The model", "initial commit"]
    assert told["gone"]
    assert fsck.check(hub.ctx) == []


TRANSFORMERS = """
import json, sys
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel
repo, pushed = sys.argv[1:]
model, tokenizer = AutoModel.from_pretrained(repo), AutoTokenizer.from_pretrained(repo)
shape = list(model(**tokenizer("a horse in a paddock", return_tensors="pt")).last_hidden_state.shape)
size = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
tiny = BertModel(BertConfig(**size))
tiny.push_to_hub(pushed)
back = BertModel.from_pretrained(pushed)
same = all((a == b).all().item() for a, b in zip(tiny.state_dict().values(), back.state_dict().values()))
print(json.dumps({"shape": shape, "same": same}))
"""


def test_transformers_loads_and_pushes(alice: Person, new_repo: NewRepo, home: Path) -> None:
    repo = new_repo(alice)
    alice.api.upload_folder(repo_id=repo, folder_path=models.minilm())
    said = run_script(Path(sys.executable), TRANSFORMERS, alice.environment(home), repo, f"{repo}-tiny")
    told = json.loads(said.splitlines()[-1])
    assert told["shape"][2] == 384
    assert told["same"]


DATASETS = """
import json, sys
from datasets import Dataset, load_dataset
repo = sys.argv[1]
rows = {"text": [f"row {n}" for n in range(1000)], "label": [n % 7 for n in range(1000)]}
Dataset.from_dict(rows).push_to_hub(repo)
back = load_dataset(repo, split="train")
# to its end: a stream that is left half-way can take the interpreter down when that ends
streamed = list(load_dataset(repo, split="train", streaming=True))
print(json.dumps({"same": back.to_dict() == rows, "streamed": streamed[0], "rows": len(streamed)}))
"""


def test_datasets_pushes_and_loads(alice: Person, new_repo: NewRepo, home: Path) -> None:
    repo = new_repo(alice, "dataset")
    said = run_script(Path(sys.executable), DATASETS, alice.environment(home), repo)
    told = json.loads(said.splitlines()[-1])
    assert told["same"]
    assert (told["streamed"], told["rows"]) == ({"text": "row 0", "label": 0}, 1000)


def test_what_came_by_xet_is_cloned_changed_and_pushed_by_git(
    hub: Hub, alice: Person, new_repo: NewRepo, tmp_path: Path, home: Path
) -> None:
    repo = new_repo(alice)
    source = models.minilm()
    alice.api.upload_folder(repo_id=repo, folder_path=source)
    copy = WorkingCopy(tmp_path / "copy", alice.git_url(repo))
    copy.git("lfs", "install", "--local")
    copy.git("lfs", "pull")
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    changed = (source / "model.safetensors").read_bytes()[:-4] + b"\0\0\0\0"
    copy.write("model.safetensors", changed)
    copy.commit("Change four bytes")
    copy.git("push", "origin", "HEAD:main")
    assert Path(alice.api.hf_hub_download(repo, "model.safetensors", cache_dir=home)).read_bytes() == changed
    assert fsck.check(hub.ctx) == []


def test_the_hf_command(alice: Person, home: Path) -> None:
    hf = Path(sys.executable).with_name("hf")
    (home / "README.md").write_text("# hello\n")
    environment = alice.environment(home)

    def run(*words: str) -> str:
        return subprocess.run(
            [hf, *words], env=environment, capture_output=True, text=True, check=True, timeout=120
        ).stdout

    assert alice.name in run("auth", "whoami")
    run("upload", f"{alice.name}/by-command", str(home / "README.md"), "README.md")
    folder = run("download", f"{alice.name}/by-command", "--local-dir", str(home / "got"))
    assert (home / "got" / "README.md").read_text() == "# hello\n", folder
