"""How data/train-00000-of-00001.parquet was made; run by hand, since its sources are npm packages.

npm pack @iconify-json/fluent-emoji-flat@1.2.6 emojibase-data@17.0.0     # and unpack each
pip install resvg_py pillow pyarrow
python zoo/emoji/render.py FLUENT_FOLDER EMOJIBASE_FOLDER
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import resvg_py
from PIL import Image

SIZE = 128
LANGUAGES = {"de": "de", "es": "es", "fr": "fr", "it": "it", "pt": "pt", "ja": "ja", "zh": "zh"}
OUT = Path(__file__).parent / "data" / "train-00000-of-00001.parquet"


def main(fluent: Path, emojibase: Path) -> None:
    icons = json.loads((fluent / "icons.json").read_text())["icons"]
    names = {_plain(code): name for code, name in json.loads((fluent / "chars.json").read_text()).items()}
    groups = json.loads((emojibase / "meta" / "groups.json").read_text())
    entries = json.loads((emojibase / "en" / "data.json").read_text())
    labels = {
        language: {e["hexcode"]: e["label"] for e in json.loads((emojibase / folder / "data.json").read_text())}
        for language, folder in LANGUAGES.items()
    }
    rows = []
    for entry in sorted(entries, key=lambda e: e.get("order", 10**6)):
        name = names.get(_plain(entry["hexcode"]))
        # regional indicators and the like have no place in a group
        if name is None or "group" not in entry:
            continue
        rows.append(
            {
                "image": {"bytes": _render(icons[name]["body"]), "path": f"{entry['hexcode'].lower()}.webp"},
                "text": entry["label"],
                "emoji": entry["emoji"],
                "tags": ", ".join(entry.get("tags", [])),
                "group": groups["groups"][str(entry["group"])],
                "subgroup": groups["subgroups"][str(entry["subgroup"])],
                "hexcode": entry["hexcode"],
                **{f"text_{language}": labels[language].get(entry["hexcode"], "") for language in LANGUAGES},
            }
        )
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [c for c in rows[0] if c != "image"]
    features: dict[str, object] = {"image": {"_type": "Image"}}
    features |= {c: {"dtype": "string", "_type": "Value"} for c in columns}
    schema = pa.schema(
        [("image", picture), *((c, pa.string()) for c in columns)],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    OUT.parent.mkdir(exist_ok=True)
    # several groups, so that a reader by Range need not take all
    pq.write_table(pa.Table.from_pylist(rows, schema), OUT, row_group_size=200, compression="snappy")
    print(len(rows), "pictures,", OUT.stat().st_size, "bytes")


def _plain(code: str) -> str:
    """Without the variation selector, which the two sources write differently."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def _render(body: str) -> bytes:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="{SIZE}" height="{SIZE}">{body}</svg>'
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE))
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).save(out, "WEBP", quality=82, method=6)
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
