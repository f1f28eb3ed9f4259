"""Install Corral with the extras named, in the versions of constraints.txt: `python tools/install.py ml dev`.

Works on the environment of the Python that runs it. uv is about ten times as fast as pip but does not read pip's
configuration, so what matters of that is passed on; where uv cannot do it, pip does.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
PIP = (sys.executable, "-m", "pip")


def configured() -> dict[str, list[str]]:
    """pip's settings on this machine, whichever file or variable they come from, each as a list of words."""
    found: dict[str, list[str]] = {}
    for line in subprocess.run([*PIP, "config", "list"], capture_output=True, text=True).stdout.splitlines():
        key, _, value = line.partition("=")
        words = found.setdefault(key.rpartition(".")[2], [])
        words += [word for word in str(ast.literal_eval(value)).split() if word not in words]
    return found


def is_there(place: str) -> bool:
    """False for a folder on this machine that does not exist: pip ignores it, uv would not."""
    url = urlsplit(place)
    return url.scheme not in ("", "file") or Path(url.path).is_dir()


def with_uv(wanted: list[str]) -> bool:
    if subprocess.run([*PIP, "install", "--quiet", "--disable-pip-version-check", "uv"]).returncode != 0:
        return False
    settings = configured()
    command = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
    for option in ("index-url", "extra-index-url", "find-links", "trusted-host"):
        for place in settings.get(option, ()):
            if option == "trusted-host" or is_there(place):
                command += [f"--{option}", place]
    if "extra-index-url" in settings:
        # as pip does it: the newest version, wherever it is
        command += ["--index-strategy", "unsafe-best-match"]
    environment = dict(os.environ)
    if certificates := settings.get("cert"):
        environment.setdefault("SSL_CERT_FILE", certificates[-1])
    # uv reads its own settings from the folder that it runs in
    return subprocess.run(command + wanted, env=environment, cwd=ROOT).returncode == 0


def main() -> int:
    extras = f"[{','.join(sys.argv[1:])}]" if sys.argv[1:] else ""
    wanted = ["-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}{extras}"]
    if with_uv(wanted):
        return 0
    print("uv could not install this; pip tries it. That takes longer.", flush=True)
    return subprocess.run([*PIP, "install", "--disable-pip-version-check", *wanted]).returncode


if __name__ == "__main__":
    sys.exit(main())
