"""Which files of a model count as a download, per library: HF's `countDownloads` rules as patterns on the whole path.

Source: the package @huggingface/tasks 0.21.54 (MIT), `model-libraries.ts`; for diffusers and GGUF hub-docs,
`docs/hub/models-download-stats.md`. A model of a library that is not here counts by `DEFAULT`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

DEFAULT = r"config\.json|config\.yaml|hyperparams\.yaml|params\.json|meta\.yaml"

#: counted whatever the library is
ALWAYS = r".*\.gguf"

#: (libraries, pattern)
_RULES: tuple[tuple[str, str], ...] = (
    ("diffusers", r"(modular_)?model_index\.json|[^/]*\.safetensors|[^/]*\.ckpt|[^/]*\.bin"),
    ("3dtopia-xl", r"model_vae_fp16\.pt"),
    ("acestep", r"ace_step_transformer/config\.json"),
    ("adapter-transformers colpali peft", r"adapter_config\.json"),
    ("anemoi medvae tirex wham", r".*\.ckpt"),
    ("asteroid flair", r"pytorch_model\.bin"),
    ("audiocraft", r"state_dict\.bin"),
    ("audioseal bboxmaskpose cotracker depth-anything-v2 phantom-wan rwkv sana seedvr ssr-speech", r".*\.pth"),
    ("aviation-ner gliformer gliner", r"gliner_config\.json"),
    ("bagel-mot", r"llm_config\.json"),
    ("big_vision videoprism", r".*\.npz"),
    ("bionemo clara", r".*\.ckpt|config\.json"),
    ("birder ccpfn clipscope depth-pro diff-interpretation-tuning eupe flextab kronos lagernvs", r".*\.pt"),
    ("manas-1 mect merlin ml-sharp opendde perception-encoder sam2 sap-rpt-1-oss self-forcing", r".*\.pt"),
    ("songbloom tunejury ultralytics uni-3dar vui", r".*\.pt"),
    ("bm25s", r"params\.index\.json"),
    ("boltzgen", r"boltzgen1_diverse\.ckpt"),
    ("cancertathomev2", r"run\.py"),
    ("causilo", r"classifier/config\.json|regressor/config\.json"),
    ("champ", r"champ/motion_module\.pth"),
    ("chaossim", r"ChaosSim\.nb"),
    ("chat_tts", r"asset/GPT\.pt"),
    ("chatterbox", r"tokenizer\.json"),
    ("chexmix colipri diffusion-single-file habibi-tts image-matching-models infinitetalk", r".*\.safetensors"),
    ("ising-decoding ltx mflux robo-orchard-lab sapiens2 trellis trellis2 videox_fun", r".*\.safetensors"),
    ("cloud-agents docking-at-home", r"setup\.py"),
    ("collectorvision holomotion microduck ml-agents tensorrt", r".*\.onnx"),
    ("comet", r"hparams\.yaml"),
    ("cortiq", r".*\.cmf"),
    ("cosmos", r"config\.json|.*\.pt"),
    ("cosyvoice", r".*\.onnx|.*\.pt"),
    ("cxr-foundation", r"precomputed_embeddings/embeddings\.npz|pax-elixr-b-text/saved_model\.pb"),
    ("derm-foundation", r"scin_dataset_precomputed_embeddings\.npz|saved_model\.pb"),
    ("diffree", r"diffree-step=000010999\.ckpt"),
    ("edsnlp", r"(.*/)?config\.cfg"),
    ("elm", r"(.*/)?slicex_elm_config\.json"),
    ("encoderfile", r".*\.encoderfile"),
    ("f5-tts", r".*\.safetensors|.*\.pt"),
    ("fastprint", r".*\.cs"),
    ("fasttext", r".*\.bin"),
    ("fixer", r"pretrained/pretrained_fixer\.pkl"),
    ("flexray", r".*\.safetensors|.*\.onnx"),
    ("fme", r".*\.tar"),
    ("gaussianformer univa", r"config\.json"),
    ("gemma.cpp", r".*\.sbs"),
    ("genmo", r"vae_stats\.json"),
    ("geometry-crafter", r"point_map_vae/diffusion_pytorch_model\.safetensors"),
    ("glm-tts", r"flow/flow\.pt"),
    ("glyph-byt5", r"checkpoints/byt5_model\.pt"),
    ("granite-library", r"(.*/)?adapter_config\.json"),
    ("grok", r"ckpt/tensor00000_000|ckpt-0/tensor00000_000"),
    ("hallo", r"hallo/net\.pth"),
    ("hermes", r"ckpt/hermes_final\.pth"),
    ("hezar", r"model_config\.yaml|embedding/embedding_config\.yaml"),
    ("hunyuan-dit", r"pytorch_model_ema\.pt|pytorch_model_distill\.pt"),
    ("hunyuan3d-2", r"(.*/)?model_index(\.[^/]*)?|(.*/)?config(\.[^/]*)?"),
    ("hy-world-2 hy-worldplay", r".*\.json"),
    ("imstoucan", r"embedding_gan\.pt|Vocoder\.pt|ToucanTTS\.pt"),
    (
        "infinite-you",
        r"infu_flux_v1\.0/sim_stage1/image_proj_model\.bin|infu_flux_v1\.0/aes_stage2/image_proj_model\.bin",
    ),
    ("intellifold", r".*\.pt|.*\.zst"),
    ("jev-style", r".*\.gguf|(.*/)?config\.json"),
    ("keras", r"config\.json|.*\.keras"),
    ("kernels", r"(.*/)?_ops\.py"),
    ("laya", r"rl_agent_config\.json"),
    ("lightglue", r".*\.pth|config\.json"),
    ("litert", r".*\.tflite"),
    ("litert-lm", r".*\.litertlm|.*\.task"),
    ("liveportrait", r"liveportrait/landmark\.onnx"),
    ("lvface", r".*\.pt|.*\.onnx"),
    ("lyra-2.0", r"checkpoints/image_encoder/model\.pth"),
    (
        "magenta-realtime",
        r"checkpoints/llm_base_x4286_c1860k\.tar|"
        r"checkpoints/llm_large_x3047_c1860k\.tar|"
        r"checkpoints/llm_large_x3047_c1860k/checkpoint",
    ),
    (
        "magenta-realtime-2",
        r"models/mrt2_base/mrt2_base\.mlxfn|"
        r"models/mrt2_small/mrt2_small\.mlxfn|"
        r"checkpoints/mrt2_base\.safetensors|"
        r"checkpoints/mrt2_small\.safetensors",
    ),
    ("magi-1", r"ckpt/vae/config\.json"),
    ("mars5-tts", r"mars5_ar\.safetensors"),
    ("mesh-anything", r"MeshAnything_350m\.pth"),
    ("mini-omni2 sam-3d-body", r"model_config\.yaml"),
    ("minimax-h3", r".*\.safetensors|(.*/)?model_index(\.[^/]*)?|(.*/)?config(\.[^/]*)?|modular_model_index\.json"),
    ("mitie", r"(.*/)?total_word_feature_extractor(\.[^/]*)?"),
    ("mlc-llm", r"mlc-chat-config\.json"),
    ("mlx-image refiners stable-audio-tools timee-ts", r"model\.safetensors"),
    ("mobilint", r"config\.json|.*\.mxq"),
    ("monkeyocr", r"Recognition/config\.json"),
    ("montreal-forced-aligner", r"acoustic/final\.mdl|.*\.zip"),
    ("moshi", r"tokenizer-e351c8d8-checkpoint125\.safetensors"),
    ("mtvcraft", r"vae/3d-vae\.pt"),
    ("nemo", r".*\.nemo|model_config\.yaml|.*\.json"),
    ("ninfer", r".*\.ninfer"),
    ("nv-medtech", r".*\.pt|.*\.safetensors|config\.json"),
    ("open-oasis", r"oasis500m\.safetensors"),
    ("open-sora", r"Open_Sora_v2\.safetensors"),
    ("open_clip", r"open_clip_model\.safetensors|model\.safetensors|open_clip_pytorch_model\.bin|pytorch_model\.bin"),
    ("openasr", r".*\.oasr"),
    ("openpeerllm", r"\.meta-huggingface\.json"),
    ("paddlenlp stable-audio-3", r"model_config\.json"),
    ("PaddleOCR", r".*\.safetensors|inference\.pdiparams|inference\.onnx"),
    ("piper", r".*\.onnx|.*\.ckpt"),
    ("pocket-tts", r"tts_b6369a24\.safetensors"),
    ("quantumpeer", r".*\.setup\.py"),
    ("recurrentgemma", r"tokenizer\.model"),
    ("rkllm", r".*\.rkllm"),
    ("routee-powertrain", r".*\.onnx|.*\.joblib"),
    ("sam-3d-objects", r"checkpoints/pipeline\.yaml"),
    ("same", r"ckpt/SAME\.pt|pretrain/Attnq_pretrained_ckpt\.pt"),
    ("sample-factory", r"cfg\.json"),
    ("sapiens", r".*\.pt2|.*\.pth|.*\.onnx"),
    ("scail-2", r"model/1/fsdp2_rank_0000_checkpoint\.pt"),
    ("seed-story", r"cvlm_llama2_tokenizer/tokenizer\.model"),
    ("shadow", r".*\.shdw"),
    ("skala", r".*\.fun"),
    ("sklearn", r"sklearn_model\.joblib"),
    ("soloaudio", r"soloaudio_v2\.pt"),
    ("spacy", r".*\.whl"),
    ("speechbrain", r"hyperparams\.yaml"),
    ("stable-baselines3", r".*\.zip"),
    ("stanza", r"models/default\.zip"),
    ("synthefy-migas", r"model\.pt"),
    ("tencent-song-generation", r"ckpt/songgeneration_base/model\.pt"),
    ("terratorch", r".*\.pt|.*\.ckpt"),
    ("tf-keras", r"saved_model\.pb"),
    ("tic-clip", r"checkpoints/.*\.pt"),
    (
        "timesfm",
        r"config\.json|"
        r"torch_model\.ckpt|"
        r"checkpoints/checkpoint_1100000/state/checkpoint|"
        r"checkpoints/checkpoint_2150000/state/checkpoint",
    ),
    ("timm", r"pytorch_model\.bin|model\.safetensors"),
    ("tirex-2", r"model-config\.yaml"),
    ("torchgeo", r".*\.pt|.*\.pth"),
    ("unity-sentis", r".*\.sentis"),
    ("vfi-mamba", r".*\.pkl"),
    ("vismatch", r"vismatch\.yaml"),
    ("vqweb", r".*\.vqw"),
    ("wan2.2", r"(.*/)?config\.json"),
    ("whisperkit", r".+/model\.mil"),
    ("yolov10 yolov26", r".*\.pt|.*\.safetensors"),
    ("zeromodels", r"model\.weights\.h5|model\.weights\.json"),
)

_BY_LIBRARY = {library.lower(): pattern for libraries, pattern in _RULES for library in libraries.split()}


@cache
def _matcher(library: str) -> re.Pattern[str]:
    return re.compile(f"{_BY_LIBRARY.get(library, DEFAULT)}|{ALWAYS}")


def counts(library: str | None, path: str) -> bool:
    """Whether one request (GET or HEAD) for `path` of a model of this library is a download."""
    name = (library or "").lower()
    return _matcher(name if name in _BY_LIBRARY else "").fullmatch(path) is not None


_ANY = re.compile("|".join([*dict.fromkeys(_BY_LIBRARY.values()), DEFAULT, ALWAYS]))


@lru_cache(maxsize=4096)
def may_count(path: str) -> bool:
    """Whether `path` counts for some library: a first look that costs next to nothing."""
    return _ANY.fullmatch(path) is not None
