"""timm, also where torchvision cannot be had.

timm names torchvision at the top of its modules, for data sets and augmentations that nobody needs who runs a model.
torchvision's wheels load only beside the build of torch that they were made for, so Corral does not ask for it; where
it is absent, empty modules stand in its place while timm is imported, and are gone afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from transformers import utils
from transformers.utils import import_utils


def import_timm() -> Any:
    """The module `timm`."""
    if "timm" not in sys.modules and find_spec("torchvision") is None:
        with _stand_in():
            import timm
    else:
        import timm
    return timm


def lend_timm_to_transformers() -> None:
    """Backbones of timm's in transformers' models (the well-known DETR has one).

    transformers' own look says that there is no timm where torchvision is not.
    """
    import_timm()
    names = import_utils.BACKENDS_MAPPING
    names["timm"] = (lambda: True, names["timm"][1])
    utils.is_timm_available = lambda: True


class _Name(type):
    """A class that has every attribute: enumerations are read while timm is imported."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Empty(ModuleType):
    __path__: list[str] = []  # noqa: RUF012 (what makes a module a package)

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] == "torchvision" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing in it."""


@contextmanager
def _stand_in() -> Iterator[None]:
    finder = _Finder()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
