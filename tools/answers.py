"""Has a running hub run the first example of every model of the zoo, and lays the answers down to be looked at.

    python tools/answers.py http://127.0.0.1:7070 build/answers

HF_TOKEN is sent where it is set. The folder gets a file for each answer (JSON, PNG, WAV) and `index.html`, a table of
all of them. Ends with status 1 if a model did not answer.
"""

from __future__ import annotations

import base64
import html
import json
import mimetypes
import os
import sys
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import RECIPES  # noqa: E402 - found beside this folder
from zoo.ask import Answer, address_of, first_example, shortened  # noqa: E402

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-top: 1px solid #ccc; padding: .6rem; text-align: left; vertical-align: top; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 46rem; max-height: 20rem; overflow: auto; margin: 0; }
img, svg { max-width: 320px; max-height: 320px; height: auto; }
.bad { color: #a00; }
"""


def main(endpoint: str, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[str] = []
    failed = 0
    for recipe in (r for r in RECIPES if r.task):
        answer = first_example(endpoint, os.environ.get("HF_TOKEN", ""), recipe.repo)
        failed += bool(answer.problem)
        print(f"{recipe.repo}\t{answer.task}\t{answer.seconds:.1f} s\t{answer.summary}", flush=True)
        rows.append(_row(endpoint, folder, recipe.name, answer))
    head = "<tr><th>Model</th><th>Task</th><th>Example</th><th>Answer</th><th>Seconds</th></tr>"
    page = f"<!doctype html><meta charset=utf-8><title>Answers</title><style>{_STYLE}</style>"
    (folder / "index.html").write_text(f"{page}<h1>Answers</h1><table>{head}{''.join(rows)}</table>")
    return 1 if failed else 0


def _row(endpoint: str, folder: Path, name: str, answer: Answer) -> str:
    shown, size = _example(endpoint, folder, name, answer)
    cells = [html.escape(answer.repo), html.escape(answer.task), shown, _answer(folder, name, answer, shown, size)]
    cells.append(f"{answer.seconds:.1f}")
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _example(endpoint: str, folder: Path, name: str, answer: Answer) -> tuple[str, tuple[int, int]]:
    """HTML of what went in, and the size of the picture in it, if it is one."""
    source = _source(answer.example)
    if source is None:
        rest = {k: v for k, v in (answer.example or {}).items() if k != "example_title"}
        return f"<pre>{html.escape(json.dumps(rest, ensure_ascii=False, indent=1))}</pre>", (0, 0)
    came = httpx.get(endpoint + address_of(answer.repo, source), follow_redirects=True).raise_for_status()
    file = folder / f"{name}-example{Path(source).suffix}"
    file.write_bytes(came.content)
    if (mimetypes.guess_type(file.name)[0] or "").startswith("audio/"):
        return f'<audio controls src="{file.name}"></audio>', (0, 0)
    from PIL import Image

    with Image.open(file) as picture:
        return f'<img src="{file.name}" alt="">', picture.size


def _source(value: Any) -> str | None:
    if isinstance(value, dict):
        if isinstance(value.get("src"), str):
            return str(value["src"])
        return next((found for inner in value.values() if (found := _source(inner))), None)
    return None


def _answer(folder: Path, name: str, answer: Answer, shown: str, size: tuple[int, int]) -> str:
    if answer.problem:
        return f'<p class="bad">{html.escape(answer.problem)}</p>'
    if isinstance(answer.value, bytes):
        end = {"audio/wav": ".wav", "audio/x-wav": ".wav"}.get(answer.type) or mimetypes.guess_extension(answer.type)
        file = folder / f"{name}{end or '.bin'}"
        file.write_bytes(answer.value)
        sound = answer.type.startswith("audio/")
        return f'<audio controls src="{file.name}"></audio>' if sound else f'<img src="{file.name}" alt="">'
    (folder / f"{name}.json").write_text(json.dumps(answer.value, ensure_ascii=False, indent=1))
    drawn = _pictures(folder, name, answer.value) + (_drawing(answer.value, shown, size) if size[0] else "")
    return f"{drawn}<pre>{html.escape(json.dumps(shortened(answer.value), ensure_ascii=False))}</pre>"


def _pictures(folder: Path, name: str, value: Any) -> str:
    """Masks and depth maps, as files."""
    found = []
    for index, one in enumerate(value if isinstance(value, list) else [value]):
        encoded = next((one[k] for k in ("mask", "depth") if isinstance(one.get(k), str)), None) if _is(one) else None
        if encoded:
            file = folder / f"{name}-{index}.png"
            file.write_bytes(base64.b64decode(encoded))
            found.append(f'<img src="{file.name}" alt="">')
    return "".join(found)


def _drawing(value: Any, shown: str, size: tuple[int, int]) -> str:
    """Boxes and points over the picture that they were found in."""
    pieces = []
    for one in value if isinstance(value, list) else []:
        if not _is(one) or not _is(one.get("box")):
            continue
        box, label = one["box"], html.escape(f"{one['label']} {one['score']:.2f}")
        wide, high = box["xmax"] - box["xmin"], box["ymax"] - box["ymin"]
        at = f'x="{box["xmin"]}" y="{box["ymin"]}"'
        pieces.append(f'<rect {at} width="{wide}" height="{high}" fill="none" stroke="#0f0" stroke-width="3"/>')
        pieces.append(f'<text x="{box["xmin"] + 4}" y="{box["ymin"] + 22}" font-size="22" fill="#0f0">{label}</text>')
        sure = [p for p in one.get("keypoints", ()) if p["score"] > 0.2]
        pieces += [f'<circle cx="{p["x"]}" cy="{p["y"]}" r="6" fill="#f0f"/>' for p in sure]
    if not pieces:
        return ""
    source = shown.split('"')[1]
    ground = f'<image href="{source}" width="{size[0]}" height="{size[1]}"/>'
    return f'<svg viewBox="0 0 {size[0]} {size[1]}" width="320">{ground}{"".join(pieces)}</svg>'


def _is(value: Any) -> bool:
    return isinstance(value, dict)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1].rstrip("/"), Path(sys.argv[2])))
