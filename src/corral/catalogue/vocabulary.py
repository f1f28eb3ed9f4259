"""The words that cards are written in: tasks, libraries, licences, with the names shown to people.

Sources: the package @huggingface/tasks 0.21.54 (MIT) for tasks and libraries; hub-docs, `repositories-licenses.md`, for
the identifiers of licences.
"""

from __future__ import annotations

#: modality -> heading, in the order in which a list of tasks shows them
MODALITIES = {
    "multimodal": "Multimodal",
    "cv": "Computer Vision",
    "nlp": "Natural Language Processing",
    "audio": "Audio",
    "tabular": "Tabular",
    "rl": "Reinforcement Learning",
    "other": "Other",
}

#: task -> (name, modality)
TASKS: dict[str, tuple[str, str]] = {
    "text-classification": ("Text Classification", "nlp"),
    "token-classification": ("Token Classification", "nlp"),
    "table-question-answering": ("Table Question Answering", "nlp"),
    "question-answering": ("Question Answering", "nlp"),
    "zero-shot-classification": ("Zero-Shot Classification", "nlp"),
    "translation": ("Translation", "nlp"),
    "summarization": ("Summarization", "nlp"),
    "feature-extraction": ("Feature Extraction", "nlp"),
    "text-generation": ("Text Generation", "nlp"),
    "fill-mask": ("Fill-Mask", "nlp"),
    "sentence-similarity": ("Sentence Similarity", "nlp"),
    "text-to-speech": ("Text-to-Speech", "audio"),
    "text-to-audio": ("Text-to-Audio", "audio"),
    "automatic-speech-recognition": ("Automatic Speech Recognition", "audio"),
    "audio-to-audio": ("Audio-to-Audio", "audio"),
    "audio-classification": ("Audio Classification", "audio"),
    "audio-text-to-text": ("Audio-Text-to-Text", "multimodal"),
    "voice-activity-detection": ("Voice Activity Detection", "audio"),
    "depth-estimation": ("Depth Estimation", "cv"),
    "image-classification": ("Image Classification", "cv"),
    "object-detection": ("Object Detection", "cv"),
    "image-segmentation": ("Image Segmentation", "cv"),
    "text-to-image": ("Text-to-Image", "cv"),
    "image-to-text": ("Image-to-Text", "cv"),
    "image-to-image": ("Image-to-Image", "cv"),
    "image-to-video": ("Image-to-Video", "cv"),
    "unconditional-image-generation": ("Unconditional Image Generation", "cv"),
    "video-classification": ("Video Classification", "cv"),
    "reinforcement-learning": ("Reinforcement Learning", "rl"),
    "robotics": ("Robotics", "rl"),
    "tabular-classification": ("Tabular Classification", "tabular"),
    "tabular-regression": ("Tabular Regression", "tabular"),
    "tabular-to-text": ("Tabular to Text", "tabular"),
    "table-to-text": ("Table to Text", "nlp"),
    "multiple-choice": ("Multiple Choice", "nlp"),
    "text-ranking": ("Text Ranking", "nlp"),
    "text-retrieval": ("Text Retrieval", "nlp"),
    "time-series-forecasting": ("Time Series Forecasting", "tabular"),
    "text-to-video": ("Text-to-Video", "cv"),
    "image-text-to-text": ("Image-Text-to-Text", "multimodal"),
    "image-text-to-image": ("Image-Text-to-Image", "multimodal"),
    "image-text-to-video": ("Image-Text-to-Video", "multimodal"),
    "visual-question-answering": ("Visual Question Answering", "multimodal"),
    "document-question-answering": ("Document Question Answering", "multimodal"),
    "zero-shot-image-classification": ("Zero-Shot Image Classification", "cv"),
    "graph-ml": ("Graph Machine Learning", "other"),
    "mask-generation": ("Mask Generation", "cv"),
    "zero-shot-object-detection": ("Zero-Shot Object Detection", "cv"),
    "text-to-3d": ("Text-to-3D", "cv"),
    "image-to-3d": ("Image-to-3D", "cv"),
    "image-feature-extraction": ("Image Feature Extraction", "cv"),
    "video-text-to-text": ("Video-Text-to-Text", "multimodal"),
    "keypoint-detection": ("Keypoint Detection", "cv"),
    "visual-document-retrieval": ("Visual Document Retrieval", "multimodal"),
    "any-to-any": ("Any-to-Any", "multimodal"),
    "video-to-video": ("Video-to-Video", "cv"),
}

#: libraries that a filter offers even where no repository has them yet -> name; others are shown as they are written
LIBRARIES = {
    "adapter-transformers": "Adapters",
    "allennlp": "AllenNLP",
    "asteroid": "Asteroid",
    "bertopic": "BERTopic",
    "diffusers": "Diffusers",
    "espnet": "ESPnet",
    "fairseq": "Fairseq",
    "fastai": "fastai",
    "fasttext": "fastText",
    "flair": "Flair",
    "keras": "Keras",
    "keras-hub": "KerasHub",
    "ml-agents": "ml-agents",
    "mlx": "MLX",
    "nemo": "NeMo",
    "open_clip": "OpenCLIP",
    "paddlenlp": "paddlenlp",
    "PaddleOCR": "PaddleOCR",
    "peft": "PEFT",
    "pyannote-audio": "pyannote.audio",
    "sample-factory": "sample-factory",
    "sentence-transformers": "sentence-transformers",
    "setfit": "setfit",
    "sklearn": "Scikit-learn",
    "spacy": "spaCy",
    "span-marker": "SpanMarker",
    "speechbrain": "speechbrain",
    "stable-baselines3": "stable-baselines3",
    "stanza": "Stanza",
    "timm": "timm",
    "transformers": "Transformers",
    "transformers.js": "Transformers.js",
    "unity-sentis": "unity-sentis",
}

#: what `license:` of a card may be
LICENSES = (
    "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1",
    "eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "h-research",
    "intel-research", "lppl-1.3c", "ms-pl", "apple-ascl", "apple-amlr", "mpl-2.0", "odc-by", "odbl", "openmdw-1.0",
    "openmdw-1.1", "openrail++", "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl", "lgpl-lr",
    "deepfloyd-if-license", "fair-noncommercial-research-license", "llama2", "llama3", "llama3.1", "llama3.2",
    "llama3.3", "llama4", "grok2-community", "gemma", "unknown", "other",
)  # fmt: skip

SIZE_CATEGORIES = (
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B",
    "100B<n<1T", "n>1T",
)  # fmt: skip

SDKS = ("gradio", "docker", "static")

COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")


def size_category(rows: int) -> str:
    """The size category that a number of rows falls into."""
    bounds = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12)
    return SIZE_CATEGORIES[sum(rows >= bound for bound in bounds)]
