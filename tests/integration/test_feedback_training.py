"""Feedback that was accepted is a data set that `trl` trains on, by its stock trainer and from the hub."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

from building import models
from building.clients import run_script
from building.hub import Person

pytestmark = pytest.mark.slow

TRAIN = """
import json, sys
from datasets import load_dataset
from trl import DPOConfig, DPOTrainer
from transformers import AutoModelForCausalLM, AutoTokenizer
model, data, out = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model)
before = AutoModelForCausalLM.from_pretrained(model)
start = before.get_input_embeddings().weight.clone()
settings = DPOConfig(
    output_dir=out, max_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True, bf16=False,
    save_strategy="no",
)
trainer = DPOTrainer(
    before, args=settings, train_dataset=load_dataset(data, "preference", split="train"), processing_class=tokenizer
)
loss = trainer.train().training_loss
unpaired = load_dataset(data, "unpaired_preference", split="train")
moved = not bool((before.get_input_embeddings().weight == start).all())
print(json.dumps({"loss": loss, "moved": moved, "labels": unpaired["label"][:]}))
"""


def test_a_preference_data_set_trains_a_model(alice: Person, home: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="trl is not installed: install corral[dev].")
    model = alice.api.create_repo(f"{alice.name}/to-align").repo_id
    alice.api.upload_folder(repo_id=model, folder_path=models.make("chat", tmp_path / "model"))
    url = f"{alice.url}/api/models/{model}/feedback"
    ids = []
    for number in range(4):
        body = {
            "input": {"messages": [{"role": "user", "content": f"What is {number} and {number}?"}]},
            "output": "No idea.",
            "rating": "down",
            "better": f"It is {2 * number}.",
        }
        answer = httpx.post(url, json=body, headers=alice.headers)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    accepted = httpx.post(f"{url}/accept", json={"ids": ids}, headers=alice.headers).json()
    said = run_script(
        Path(sys.executable), TRAIN, alice.environment(home), model, accepted["dataset"], str(tmp_path / "out")
    )
    told = json.loads(said.splitlines()[-1])
    # ln 2: the model and its reference are the same at the first step
    assert told["loss"] == pytest.approx(0.693, abs=0.05)
    assert told["moved"]
    assert told["labels"] == [False] * 4
