"""What a repository is for, from every kind of evidence, and what happens with hostile evidence."""

from __future__ import annotations

from typing import Any

import pytest

from corral.inference.detect import Detection, detect

WEIGHTS = "model.safetensors"
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
BERT = {"architectures": ["BertModel"], "model_type": "bert"}


def look(card: dict[str, Any] | None = None, files: tuple[str, ...] = (WEIGHTS,), **configs: Any) -> Detection:
    named = {f"{name}.json": value for name, value in configs.items()}
    return detect(card or {}, named, (*files, *named))


@pytest.mark.parametrize(
    ("card", "files", "configs", "task", "library", "engine"),
    [
        # the card decides, whatever the configuration says
        ({"pipeline_tag": "fill-mask"}, (WEIGHTS,), {"config": LLAMA}, "fill-mask", "transformers", "fill-mask"),
        ({}, (WEIGHTS,), {"config": LLAMA}, "text-generation", "transformers", "text-generation"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["GPT2LMHeadModel"]}}, "text-generation", "transformers",
         "text-generation"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["ViTForImageClassification"]}}, "image-classification",
         "transformers", "image-classification"),
        ({}, (WEIGHTS,), {"config": BERT}, "feature-extraction", "transformers", "embedding"),
        ({}, (WEIGHTS,), {"config": BERT, "modules": []}, "sentence-similarity", "sentence-transformers", "embedding"),
        ({"tags": ["sentence-similarity"]}, (WEIGHTS,), {"config": BERT}, "sentence-similarity", "transformers",
         "embedding"),
        ({}, ("tiny-Q4_K_M.gguf",), {}, "text-generation", "gguf", "llama-cpp"),
        ({}, (), {"model_index": {}}, "text-to-image", "diffusers", None),
        ({}, ("adapter_model.safetensors",), {"adapter_config": {}}, None, "peft", None),
        ({}, (WEIGHTS,), {"config": {"architecture": "resnet18", "num_classes": 10}}, "image-classification", "timm",
         "timm-classification"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"}},
         "automatic-speech-recognition", "transformers", "speech-recognition"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["WhisperForAudioClassification"], "model_type": "whisper"}},
         "audio-classification", "transformers", "audio-classification"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["HubertForSequenceClassification"], "model_type": "hubert"}},
         "audio-classification", "transformers", "audio-classification"),
        ({}, ("model.bin", "vocabulary.json"), {"config": {"lang_ids": [1]}}, "automatic-speech-recognition",
         "ctranslate2", "faster-whisper"),
        ({"library_name": "transformers.js"}, ("onnx/model.onnx", "voices/af_heart.bin"),
         {"config": {"model_type": "style_text_to_speech_2"}}, "text-to-speech", "kokoro", "kokoro"),
        ({"library_name": "transformers.js"}, ("onnx/model.onnx",), {}, None, "onnx", None),
        ({}, ("en/a.onnx", "en/a.onnx.json"), {}, "text-to-speech", "piper", "piper"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["VitsModel"], "model_type": "vits"}}, "text-to-speech",
         "transformers", "text-to-speech"),
        ({}, (WEIGHTS,), {"config": {"architectures": ["MusicgenForConditionalGeneration"], "model_type": "musicgen"}},
         "text-to-audio", "transformers", "text-to-speech"),
        ({}, (), {}, None, None, None),
    ],
)  # fmt: skip
def test_task_library_and_engine(
    card: dict[str, Any],
    files: tuple[str, ...],
    configs: dict[str, Any],
    task: str | None,
    library: str | None,
    engine: str | None,
) -> None:
    found = look(card, files, **configs)
    assert (found.task, found.library, found.engine) == (task, library, engine)
    assert found.reason
    assert bool(found.problem) == (engine is None), "what cannot run says why, and nothing else does"


def test_the_reason_names_the_evidence() -> None:
    assert "pipeline_tag: text-generation" in look({"pipeline_tag": "text-generation"}, config=LLAMA).reason
    assert "LlamaForCausalLM" in look(config=LLAMA).reason
    assert "modules.json" in look(config=BERT, modules=[]).reason
    assert "tagged feature-extraction" in look({"tags": ["feature-extraction"]}).reason


def test_pickled_weights_are_not_run_and_the_way_out_is_named() -> None:
    found = look(files=("pytorch_model.bin",), config=LLAMA)
    assert found.engine is None
    assert "safetensors" in found.problem


def test_a_model_with_code_of_its_own_is_not_run() -> None:
    found = look(config=LLAMA | {"auto_map": {"AutoModelForCausalLM": "modeling.Mine"}})
    assert found.engine is None
    assert "program code" in found.problem


def test_a_chat_template_makes_a_model_conversational() -> None:
    assert not look(config=LLAMA).conversational
    assert look(config=LLAMA, tokenizer_config={"chat_template": "{{ messages }}"}).conversational
    assert look(files=(WEIGHTS, "chat_template.jinja"), config=LLAMA).conversational
    assert not look(config=BERT, tokenizer_config={"chat_template": "{{ messages }}"}).conversational


def test_the_best_gguf_file_is_chosen() -> None:
    found = look(files=("m.Q2_K.gguf", "m.Q8_0.gguf", "m.Q4_K_M.gguf", "folder/m.Q8_0.gguf"))
    assert dict(found.options) == {"gguf": "m.Q8_0.gguf"}


def test_voices_are_read_from_the_names_of_files() -> None:
    kokoro = look(files=("voices/am_adam.bin", "voices/af_heart.bin", "voices/af_bella.bin", "voices/x.bin", "m.onnx"))
    assert dict(kokoro.choices) == {"voice": ("af_heart", "af_bella", "am_adam")}
    piper = look(files=("de/b.onnx", "de/b.onnx.json", "a.onnx", "a.onnx.json", "c.onnx", "d.onnx.json"))
    assert dict(piper.choices) == {"voice": ("a", "b")}
    assert look(files=("a.onnx", "a.onnx.json")).choices == (), "one voice is no choice"
    vits = {"architectures": ["VitsModel"], "model_type": "vits"}
    assert dict(look(config=vits | {"num_speakers": 3}).choices) == {"voice": ("0", "1", "2")}
    assert look(config=vits | {"num_speakers": 10**12}).choices == ()


def test_the_onnx_file_that_is_quickest_is_chosen() -> None:
    voice = "voices/af_heart.bin"
    files = ("onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_quantized.onnx", "deep/er/m.onnx")
    found = look(files=(voice, *files))
    assert dict(found.options) == {"onnx": "onnx/model_quantized.onnx"}
    assert dict(look(files=(voice, "onnx/model_fp16.onnx", "onnx/model.onnx")).options) == {"onnx": "onnx/model.onnx"}


@pytest.mark.parametrize(
    "configs",
    [
        {"config": []},
        {"config": "text"},
        {"config": {"architectures": "LlamaForCausalLM"}},
        {"config": {"architectures": [None, 7, {}]}},
        {"config": {"architectures": ["X"], "model_type": ["list"]}},
        {"config": None, "tokenizer_config": 3},
    ],
)
def test_evidence_of_any_form_is_survived(configs: dict[str, Any]) -> None:
    found = look({"tags": "one", "pipeline_tag": ["a"], "library_name": 5}, **configs)
    assert found.engine is None


def test_gguf_files_only_in_folders_are_not_run() -> None:
    found = look({"library_name": "gguf", "pipeline_tag": "text-generation"}, files=("q4/m.gguf",))
    assert found.engine is None
