"""Tells 26 languages apart, by a very small BERT that is trained here on the names and search words of emoji."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from zoo.base import HERE, Recipe
from zoo.sources import Tarball

RECIPE = Recipe(
    name="language_id",
    repo="corral/tiny-language-id",
    type="model",
    title="a tiny model that tells 26 languages apart",
    proof="model.safetensors",
    license="mit",
    task="text-classification",
    sources=(
        Tarball(
            "emojibase-data",
            "17.0.0",
            "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
            "package",
            7,
            files=("*/compact.json",),
        ),
    ),
    needs=("torch", "transformers", "tokenizers", "safetensors"),
)
#: as Emojibase calls them
LANGUAGES = "bn da de en es et fi fr hi hu it ja ko lt ms nb nl pl pt ru sv th uk vi zh zh-hant".split()
_EPOCHS, _BATCH, _RATE = 4, 256, 3e-3
_LONGEST = 32

Text = tuple[str, int]


def build(sources: list[Path], folder: Path) -> None:
    import torch

    from zoo.writing import write_json

    # so small that several threads would only wait for each other
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    learned, held_out = texts(sources[0])
    tokenizer = _tokenizer([text for text, _ in learned])
    model = _train(tokenizer, learned)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    found = predict(tokenizer, model, [text for text, _ in held_out])
    measured = _measured(found, [number for _, number in held_out])
    said = json.loads((HERE / "language_id" / "sentences.json").read_text(encoding="utf-8"))
    sentences = [(said[name], number) for number, name in enumerate(LANGUAGES)]
    found = predict(tokenizer, model, [text for text, _ in sentences])
    right = sum(one == number for one, (_, number) in zip(found, sentences, strict=True))
    write_json(folder / "evaluation.json", measured | {"sentences": len(sentences), "sentences_right": right})


def _measured(found: list[int], wanted: list[int]) -> dict[str, Any]:
    right: dict[str, list[bool]] = {name: [] for name in LANGUAGES}
    for one, other in zip(found, wanted, strict=True):
        right[LANGUAGES[other]].append(one == other)
    shares = {name: round(sum(marks) / max(1, len(marks)), 3) for name, marks in right.items()}
    accuracy = sum(map(sum, right.values())) / len(wanted)
    return {"texts": len(wanted), "accuracy": round(accuracy, 4), "by_language": shares}


def texts(package: Path) -> tuple[list[Text], list[Text]]:
    """(text, number of the language) to learn from, and those of every tenth emoji, which are kept out of it.

    What is learned from are names, and search words, up to five together; what is kept out are names alone.
    """
    learned: list[Text] = []
    held_out: list[Text] = []
    for number, language in enumerate(LANGUAGES):
        emoji = json.loads((package / language / "compact.json").read_text(encoding="utf-8"))
        for one in emoji:
            if "regional" in one["label"].lower() or one.get("order") is None:
                continue
            # the same emoji are kept out in all languages
            if one["order"] % 10 == 0:
                held_out.append((one["label"], number))
                continue
            words = one.get("tags") or []
            learned.append((one["label"], number))
            learned.append((" ".join(words[:5]), number))
    return learned, held_out


def predict(tokenizer: Any, model: Any, said: list[str]) -> list[int]:
    import torch

    found: list[int] = []
    model = model.float().eval()
    with torch.inference_mode():
        for start in range(0, len(said), 512):
            batch = tokenizer(said[start : start + 512], padding=True, truncation=True, return_tensors="pt")
            found += model(**batch).logits.argmax(-1).tolist()
    return found


def _tokenizer(said: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        said, trainers.WordPieceTrainer(vocab_size=20_000, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {f"{name[1:-1].lower()}_token": name for name in special}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=_LONGEST, **names)


def _train(tokenizer: Any, learned: list[Text]) -> Any:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=128,
            max_position_embeddings=_LONGEST,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            num_labels=len(LANGUAGES),
            id2label=dict(enumerate(LANGUAGES)),
            label2id={name: i for i, name in enumerate(LANGUAGES)},
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=0.01)
    steps = _EPOCHS * -(-len(learned) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1, pct_start=0.1)
    # texts of like length go together, so that little is filled up
    numbers = tokenizer([text for text, _ in learned], truncation=True)["input_ids"]
    order = list(range(len(learned)))
    model.train()
    for _ in range(_EPOCHS):
        order.sort(key=lambda i: len(numbers[i]) + random.random() * 4)
        batches = [order[i : i + _BATCH] for i in range(0, len(order), _BATCH)]
        random.shuffle(batches)
        for batch in batches:
            inputs = tokenizer.pad({"input_ids": [numbers[i] for i in batch]}, return_tensors="pt")
            loss = model(**inputs, labels=torch.tensor([learned[i][1] for i in batch])).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model
