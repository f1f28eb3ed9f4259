"""What a new repository holds: `.gitattributes` as on Hugging Face, a README where a Space or a licence needs one."""

from __future__ import annotations

from corral.core.ids import RepoType
from corral.repos.lookup import Repo

#: file names that are large files from their first byte on (`.gitattributes` of a new repository on Hugging Face)
_LARGE = {
    RepoType.MODEL: (
        "*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy *.npz "
        "*.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar "
        "*.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*"
    ),
    RepoType.DATASET: (
        "*.7z *.arrow *.avro *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.lz4 *.mds *.mlmodel *.model "
        "*.msgpack *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors "
        "saved_model/**/* *.tar.* *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents* "
        # sound, pictures and film
        "*.pcm *.sam *.raw *.aac *.flac *.mp3 *.ogg *.wav *.bmp *.gif *.png *.tiff *.jpg *.jpeg *.webp *.mp4 *.webm"
    ),
}
_LARGE[RepoType.SPACE] = _LARGE[RepoType.MODEL]

_SPACE_README = """\
---
title: {title}
emoji: 🐎
colorFrom: green
colorTo: yellow
sdk: {sdk}
{more}pinned: false
{license}---

Check out the configuration reference at https://huggingface.co/docs/hub/spaces-config-reference
"""

_STATIC_PAGE = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>{title}</title>
    <link rel="stylesheet" href="style.css" />
  </head>
  <body>
    <main>
      <h1>Welcome to your static Space!</h1>
      <p>Change this page by editing <code>index.html</code> in the <em>Files</em> tab.</p>
    </main>
  </body>
</html>
"""

_STATIC_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; padding: 2rem; }
main { max-width: 40rem; margin: auto; }
"""


def gitattributes(type: RepoType) -> str:
    return "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LARGE[type].split())


def initial_files(repo: Repo, license: str | None) -> dict[str, bytes]:
    """Path -> contents of the first commit."""
    files = {".gitattributes": gitattributes(repo.type)}
    stated = f"license: {license}\n" if license else ""
    title = repo.rid.name.replace("-", " ").replace("_", " ").strip().title() or repo.rid.name
    if repo.type is RepoType.SPACE:
        sdk = repo.sdk or "static"
        more = {"gradio": "app_file: app.py\n", "docker": "app_port: 7860\n"}.get(sdk, "")
        files["README.md"] = _SPACE_README.format(title=title, sdk=sdk, more=more, license=stated)
        if sdk == "static":
            files["index.html"] = _STATIC_PAGE.format(title=title)
            files["style.css"] = _STATIC_STYLE
    elif stated:
        files["README.md"] = f"---\n{stated}---\n"
    return {path: text.encode() for path, text in files.items()}
