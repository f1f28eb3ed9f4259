"""What a program that is not trusted may see of the machine: by bubblewrap, which needs no rights and no daemon.

The program gets namespaces of its own (users, processes, network, IPC, host name) and a file system of its own that has
the system's programs and libraries and the Python environment, read only, and the folders that it is given. It has no
sight of the hub's data, other programs' files or processes, or any network, the loopback of the machine included.

Source: bwrap(1), bubblewrap 0.8. What it does not do: limit processor and memory (cgroups), or system calls (seccomp).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import corral

#: what of the system a program needs to run at all: programs, libraries, how libraries and names are found
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/gnu/store")
_ETC = (
    "alternatives",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    # and not ssl/private, which a hub that runs as root could read
    "ssl/certs",
    "ssl/openssl.cnf",
    "ca-certificates",
)
#: graphics processors, where there are some
_DEVICES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "kfd", "dri")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """`read` and `write` are files and folders that the program finds at the same paths as outside. `hide` are folders
    of which it sees no more than those, also where they lie among the system's programs or beside Python."""

    read: Sequence[Path] = ()
    write: Sequence[Path] = ()
    hide: Sequence[Path] = ()


@cache
def problem() -> str:
    """Why programs cannot be isolated on this machine, for people; '' when they can."""
    if sys.platform != "linux":
        return "isolating programs needs Linux"
    if shutil.which("bwrap") is None:
        return "the program bwrap is missing: install bubblewrap (Debian: apt-get install bubblewrap)"
    tried = subprocess.run(
        [*_command(Sandbox()), "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return ""
    words = tried.stderr.strip().splitlines()
    return f"bwrap cannot isolate here: {words[-1] if words else f'status {tried.returncode}'}"


def wrap(sandbox: Sandbox, command: Sequence[str], folder: Path) -> list[str]:
    """The command that runs `command` inside, working in `folder`. For machines that have no `problem`."""
    return [*_command(sandbox), "--chdir", str(folder), "--", *command]


def _command(sandbox: Sandbox) -> list[str]:
    words = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--hostname", "sandbox"]
    words += ["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    # what libraries ask for, who look for the user's name and a place for temporary files
    words += ["--tmpfs", "/tmp", "--setenv", "TMPDIR", "/tmp", "--setenv", "USER", "sandbox", "--setenv", "LOGNAME"]  # noqa: S108 - inside
    words += ["sandbox", "--tmpfs", "/run"]
    for place in _SYSTEM:
        words += _linked(Path(place))
    # how many processors there are, and which caches
    for place in (*(f"/etc/{name}" for name in _ETC), "/sys/devices/system/cpu", "/sys/devices/system/node"):
        words += ["--ro-bind-try", place, place]
    for device in [*(Path("/dev") / name for name in _DEVICES), *sorted(Path("/dev").glob("nvidia[0-9]*"))]:
        words += ["--dev-bind-try", str(device), str(device)]
    hidden = [path.resolve() for path in sandbox.hide if path.is_dir()]
    # the outer first, since what is put into place later lies over it
    for path in sorted({*hidden, *_python(hidden)}):
        words += ["--tmpfs", str(path)] if path in hidden else ["--ro-bind-try", str(path), str(path)]
    for path in sandbox.read:
        words += ["--ro-bind", str(path), str(path)]
    for path in sandbox.write:
        words += ["--bind", str(path), str(path)]
    return words


def _linked(path: Path) -> list[str]:
    """As on the machine: /bin is a link to usr/bin on many."""
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind-try", str(path), str(path)]


def _python(hidden: Sequence[Path]) -> list[Path]:
    """The folders that this Python and its packages are in, and Corral's own."""
    places = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent}
    places |= {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places.add(Path(corral.__file__).parent)
    # those below another one come with it, and those of the system are there already
    known = {Path(place) for place in _SYSTEM}
    covered = {p for p in places if any(q in p.parents for q in places | known)} | known
    return [p for p in places if p not in covered or any(q in p.parents for q in hidden)]
