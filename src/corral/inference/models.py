"""From a repository to what a worker needs: which commit, what it is for, how large, and its files in a folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from corral.context import Context
from corral.core.errors import HubError
from corral.core.ids import RepoId, RepoType
from corral.inference import pipelines
from corral.inference.detect import CONFIG_FILES, Detection, detect, on_base
from corral.inference.libraries import LIBRARIES
from corral.repos import lookup, read
from corral.repos.lookup import RepoMoved, Right
from corral.repos.read import Entry
from corral.storage import schema as t

#: front matter of a README.md, from its bytes
ReadCard = Callable[[bytes], Mapping[str, Any]]

_CARD_LIMIT = _CONFIG_LIMIT = 4 * 2**20
#: folders of models that no worker uses and that are kept all the same, for the next start
_KEPT_FOLDERS = 8
#: seconds after which a folder that is not finished was left by a process that died
_ABANDONED = 86_400
_REMEMBERED = 500

#: what a worker holds before it has loaded anything, bytes (torch and transformers, measured)
RUNTIME = 450 * 2**20


@dataclass(frozen=True, slots=True)
class Model:
    """A model repository at one commit. `size` is bytes of the weights that would be read, `memory` bytes of physical
    memory that a worker is expected to hold with them. An adapter has its `base`, and counts it in both."""

    repo_id: int
    name: str
    commit: str
    detection: Detection
    size: int
    memory: int
    widget: tuple[Mapping[str, Any], ...] = ()
    base: Model | None = None

    @property
    def runs_code(self) -> bool:
        """Whether program code of a repository runs with it."""
        return self.detection.code or (self.base is not None and self.base.detection.code)

    @property
    def folder(self) -> str:
        """The name of the folder that its own files are laid down in."""
        return f"{self.repo_id}-{self.commit}"

    @property
    def key(self) -> str:
        own = f"{self.folder}-code" if self.detection.code else self.folder
        return f"{own}-on-{self.base.key}" if self.base else own

    @property
    def folders(self) -> list[str]:
        """The names of all folders that a worker of it reads."""
        return [self.folder, *(self.base.folders if self.base else [])]


@dataclass(frozen=True, slots=True)
class Laid:
    """A model's files as a worker finds them: the folder, and the folder of its base."""

    folder: Path
    base: Path | None = None


class Models:
    """Looks models up (answers kept per commit, which never change) and lays their files down for workers."""

    def __init__(self, folder: Path, read_card: ReadCard) -> None:
        self._folder = folder
        self._read_card = read_card
        self._known: OrderedDict[tuple[int, str, bool], Model] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, ctx: Context, rid: RepoId, revision: str = "main", right: Right = Right.READ) -> Model:
        """The model as `ctx`'s actor may see it, or with Right.DOWNLOAD may run it.

        Raises RepoNotFound, RepoMoved, GatedRepo, RevisionNotFound.
        """
        return self._on_base(ctx, self._find(ctx, rid, right, revision), right)

    def _on_base(self, ctx: Context, model: Model, right: Right) -> Model:
        """An adapter with its base, found anew for each caller: not everybody may see it."""
        found = model.detection
        if found.base is None:
            return model
        try:
            base = self._base(ctx, RepoId.parse(RepoType.MODEL, found.base), right)
        except HubError:
            problem = f"It adapts {found.base}, which is not on this hub: upload or mirror that model as well."
            return replace(model, detection=replace(found, engine=None, problem=problem))
        if base.detection.base is not None:
            problem = f"It adapts {found.base}, which is an adapter itself: Corral runs adapters of whole models."
            return replace(model, detection=replace(found, engine=None, problem=problem))
        return replace(
            model,
            detection=on_base(found, base.detection),
            size=model.size + base.size,
            memory=model.memory + base.memory - RUNTIME,
            base=base,
        )

    def _base(self, ctx: Context, rid: RepoId, right: Right) -> Model:
        try:
            return self._find(ctx, rid, right)
        except RepoMoved as moved:
            return self._find(ctx, moved.new, right)

    def _find(self, ctx: Context, rid: RepoId, right: Right, revision: str = "main") -> Model:
        repo = lookup.find(ctx, rid, right)
        commit = read.commit_of(ctx, repo, revision)
        with self._lock:
            known = self._known.get((repo.id, commit, repo.runs_code))
        if known is not None and known.name == repo.full_name:
            return known
        model = self._examine(ctx, repo, commit)
        with self._lock:
            self._known[repo.id, commit, repo.runs_code] = model
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return model

    def _examine(self, ctx: Context, repo: lookup.Repo, commit: str) -> Model:
        entries = [e for e in read.entries(ctx, repo, commit, recursive=True) if e.type == "file"]
        names = {e.path for e in entries}
        card: Mapping[str, Any] = {}
        if "README.md" in names and (raw := _small(ctx, repo, commit, "README.md", _CARD_LIMIT)):
            card = self._read_card(raw)
        configs: dict[str, Any] = {}
        for name in CONFIG_FILES:
            if name in names and (raw := _small(ctx, repo, commit, name, _CONFIG_LIMIT)):
                try:
                    configs[name] = json.loads(raw)
                except (ValueError, RecursionError):
                    # a file that is no JSON tells nothing
                    continue
        found = detect(card, configs, names, runs_code=repo.runs_code)
        size = _weights(entries, found)
        widget = card.get("widget")
        return Model(
            repo_id=repo.id,
            name=repo.full_name,
            commit=commit,
            detection=found,
            size=size,
            memory=RUNTIME + int(size * _growth(found, configs.get("config.json"))),
            widget=tuple(w for w in widget if isinstance(w, Mapping)) if isinstance(widget, list) else (),
        )

    def materialise(self, ctx: Context, model: Model) -> Laid:
        """The model's files in folders. Each is laid down once; whoever comes second finds it whole."""
        base = self._lay_down(ctx, model.base) if model.base else None
        return Laid(self._lay_down(ctx, model), base)

    def _lay_down(self, ctx: Context, model: Model) -> Path:
        folder = self._folder / model.folder
        if folder.is_dir():
            os.utime(folder)
            return folder
        self._folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self._folder))
        try:
            rid = RepoId.parse(RepoType.MODEL, model.name)
            read.materialise(ctx, lookup.find(ctx, rid), model.commit, part)
            try:
                part.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def tidy(self, in_use: Iterable[str]) -> None:
        """Remove the folders that were used longest ago, but for a few."""
        used = set(in_use)
        try:
            ages = {f: time.time() - f.stat().st_mtime for f in self._folder.iterdir() if f.name not in used}
        except OSError:
            # nothing was ever laid down, or another process tidies too
            return
        whole = sorted((f for f in ages if not f.name.startswith("part-")), key=ages.__getitem__)
        broken = [f for f in ages if f.name.startswith("part-") and ages[f] > _ABANDONED]
        for folder in whole[_KEPT_FOLDERS:] + broken:
            shutil.rmtree(folder, ignore_errors=True)


def _small(ctx: Context, repo: lookup.Repo, commit: str, path: str, limit: int) -> bytes:
    try:
        return read.read_file(ctx, repo, commit, path, limit)
    except HubError:
        # too large to be what its name says
        return b""


def _weights(entries: list[Entry], found: Detection) -> int:
    options = dict(found.options)
    if found.library == "diffusers":
        read = {options["lora"]} if "lora" in options else pipelines.weights([e.path for e in entries])
        return sum(e.size for e in entries if e.path in read)
    if chosen := options.get("gguf") or options.get("onnx") or options.get("graph"):
        # the weights of large ONNX graphs lie in files beside them, whose names begin like theirs
        return sum(e.size for e in entries if e.path.startswith(chosen))
    library = LIBRARIES.get(found.library or "transformers")
    return sum(e.size for e in entries if library and library.weights.fullmatch(e.path))


def _growth(found: Detection, config: Any) -> float:
    """Bytes held in memory for each byte of weights in the repository, with some room for activations."""
    if found.engine == "llama-cpp":
        # keys and values of what callers read take half of the weights' size (`engines.llama_cpp`)
        return 1.7
    if "gguf" in dict(found.options):
        # four bits or so become 32
        return 8.0
    stored = config.get("dtype", config.get("torch_dtype")) if isinstance(config, Mapping) else None
    if found.library == "diffusers":
        stored = {"fp16": "float16", "bf16": "bfloat16"}.get(dict(found.options).get("variant", ""))
    # half precision is widened on processors that are slow in it
    return 2.4 if stored in ("bfloat16", "float16") else 1.2


def runnable(ctx: Context, most: int = 1000) -> list[tuple[str, int]]:
    """(id, creation time in ms) of models that run here and that the actor may see, newest first."""
    query = (
        select(t.repos.c.full_name, t.repos.c.created_at)
        .join(t.listings, t.listings.c.repo_id == t.repos.c.id)
        .where(t.repos.c.type == RepoType.MODEL, t.listings.c.engine.is_not(None), lookup.visible(ctx))
        .order_by(t.repos.c.created_at.desc())
        .limit(most)
    )
    with ctx.db.read() as c:
        return [(row.full_name, row.created_at) for row in c.execute(query)]
