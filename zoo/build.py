"""Makes one starter repository's files: `python -m zoo.build RECIPE FOLDER [SOURCE …]`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    recipe, folder, *sources = arguments
    module = importlib.import_module(f"zoo.{recipe}.recipe")
    module.build([Path(source) for source in sources], Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
