"""Receiving a push: what git's `receive-pack` does, with the database in the place of its ref store.

`receive-pack` itself would move the refs of a directory that is only a cache here, after the database has moved them:
whoever brings the cache up to date in between makes it report a failed push that has happened. So its parts are used:
`index-pack` checks and completes the pack in a quarantine that holds just the packs of the database, `rev-list` shows
that nothing is missing, and one transaction lists the pack and moves the refs. Only then is the push acknowledged.

Protocol: gitprotocol-pack(5), "Pushing Data To a Server"; the quarantine is that of git-receive-pack(1).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from corral.context import Context
from corral.core.errors import BadRequest, Conflict, NotFound, StaleParent
from corral.repos import blobs, git, reach, refs
from corral.repos.git import HEAD_REF
from corral.repos.lookup import Repo
from corral.repos.read import LfsPointer
from corral.repos.refs import RefUpdate
from corral.repos.smart import FLUSH, MAX_PACKET, NO_OBJECT, PIPE_BYTES, Packets, environment, packet
from corral.storage import schema as t

_MOST_COMMANDS = 10_000
_ATTEMPTS = 5
#: objects named in one message
_SHOWN = 10
_TREE_NAMES = re.compile(rb"[0-7]{5,6} ([^\0]+)\0.{20}", re.DOTALL)
_PULL_REF = re.compile(r"refs/pr/\d+")
#: flaws of old but real histories, which harm nobody; all else that git's fsck finds is refused (.git, .., order, …)
_TOLERATED = (
    "zeroPaddedFilemode",
    "missingEmail",
    "badEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeEmail",
    "missingSpaceBeforeDate",
    "badName",
    "badDate",
    "badDateOverflow",
    "zeroPaddedDate",
    "badTimezone",
    "multipleAuthors",
    "nulInCommit",
    "nullSha1",
)


class _Refused(Exception):
    """The whole push is refused: `reason` for each ref, `text` for the person."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.text = text


@dataclass(slots=True)
class _Command:
    """One ref to move; '' stands for no object. `refusal`: why not."""

    old: str
    new: str
    ref: str
    refusal: str = ""


@dataclass(slots=True)
class _Push:
    commands: list[_Command]
    abilities: set[str]
    unpacked: str = "ok"
    messages: list[str] = field(default_factory=list)

    @property
    def good(self) -> list[_Command]:
        return [c for c in self.commands if not c.refusal]

    def refuse_all(self, reason: str) -> None:
        for command in self.good:
            command.refusal = reason

    def report(self) -> bytes:
        """`report-status`, in side bands where the client knows them."""
        lines = [f"unpack {self.unpacked}\n"]
        lines += [f"ng {c.ref} {c.refusal}\n" if c.refusal else f"ok {c.ref}\n" for c in self.commands]
        status = b"".join(packet(line) for line in lines) + FLUSH
        if not self.abilities & {"report-status", "report-status-v2"}:
            status = b""
        if "side-band-64k" not in self.abilities:
            return status
        text = "".join(f"{line}\n" for message in self.messages for line in message.splitlines()).encode()
        return b"".join([*_band(2, text), *_band(1, status), FLUSH])


def _band(number: int, data: bytes) -> Iterator[bytes]:
    room = MAX_PACKET - 1
    for at in range(0, len(data), room):
        yield packet(bytes([number]) + data[at : at + room])


def receive(ctx: Context, repo: Repo, body: Iterable[bytes]) -> bytes:
    """Carry out the push in `body` and return the answer. The actor may write (see `lookup.find`).

    What the answer calls ok is durable and its event recorded. A body that breaks off or makes no sense raises, and
    leaves nothing.
    """
    packets = Packets(body)
    push = _parse(packets.until_flush(_MOST_COMMANDS))
    if not push.commands:
        # git asks with an empty request whether it is let in, before it sends much
        return b""
    with _quarantine(ctx, repo) as quarantine:
        try:
            pack = quarantine.unpack(packets.rest()) if any(c.new for c in push.commands) else None
            _check_commands(push, refs.all(ctx, repo.id), quarantine)
            quarantine.check_contents([c.new for c in push.good if c.new])
            _move(ctx, repo, push, pack, quarantine.large)
        except _Unpackable as error:
            push.unpacked = error.reason
            push.messages.append(error.text)
            push.refuse_all("unpacker error")
        except _Refused as refused:
            push.messages.append(refused.text)
            push.refuse_all(refused.reason)
    return push.report()


def _parse(lines: list[bytes]) -> _Push:
    commands: list[_Command] = []
    abilities: set[str] = set()
    for line in lines:
        if line.startswith(b"shallow "):
            # the connectivity check finds out whether anything is missing
            continue
        text, _, rest = line.rstrip(b"\n").partition(b"\0")
        if not commands:
            abilities = set(rest.decode("ascii", "replace").split())
        try:
            old, new, ref = text.decode().split(" ", 2)
            if not all(re.fullmatch(r"[0-9a-f]{40}", oid) for oid in (old, new)):
                raise ValueError
        except ValueError:
            raise BadRequest("The request is not a push as git sends it (objects are named by SHA-1).") from None
        commands.append(_Command(old.replace(NO_OBJECT, ""), new.replace(NO_OBJECT, ""), ref))
    if len({c.ref for c in commands}) < len(commands):
        raise BadRequest("The push names a ref twice.")
    return _Push(commands, abilities)


def _check_commands(push: _Push, current: dict[str, str], quarantine: _Quarantine) -> None:
    """Refuse each command that breaks a rule or is about another state of its ref; all, if they hang together."""
    for command in push.good:
        command.refusal = _objection(command, current, quarantine)
    _check_room(push, current)
    if "atomic" in push.abilities and len(push.good) < len(push.commands):
        push.refuse_all("atomic push failed")


def _check_room(push: _Push, current: dict[str, str]) -> None:
    """Refuse each new ref that git cannot have beside another one."""
    taken = {name for name in current if not any(c.ref == name and not c.new for c in push.good)}
    for command in push.good:
        if command.new and refs.in_the_way(command.ref, taken):
            command.refusal = "another ref is in the way"
        elif command.new:
            taken.add(command.ref)


def _objection(command: _Command, current: dict[str, str], quarantine: _Quarantine) -> str:
    if not command.ref.startswith(("refs/heads/", "refs/tags/")) and not _PULL_REF.fullmatch(command.ref):
        return "only branches, tags and pull requests can be pushed"
    try:
        refs.check_ref_name(command.ref)
    except BadRequest:
        return "this name is not allowed"
    if command.ref == HEAD_REF and not command.new:
        return "the default branch cannot be deleted"
    if _PULL_REF.fullmatch(command.ref) and not (command.old and command.new):
        return "pull requests are opened and closed on their page, not by push"
    if current.get(command.ref, "") != command.old:
        return "fetch first"
    if command.new:
        kind = quarantine.kind(command.new)
        if kind != "commit" and not (kind == "tag" and command.ref.startswith("refs/tags/")):
            return "missing necessary objects" if kind is None else f"a {kind} cannot be a branch"
    return ""


def _move(ctx: Context, repo: Repo, push: _Push, pack: _Pack | None, large: set[str]) -> None:
    """Store the pack and move what is left to move; refuse a ref that moved meanwhile and try the others again."""
    if not push.good:
        return
    stored = git.store_pack(ctx, repo.id, pack.pack, pack.idx) if pack is not None else None
    for _ in range(_ATTEMPTS):
        if not push.good:
            return
        try:
            with ctx.change() as change:
                if blobs.renew(change, repo.id, large, ctx.clock()) < len(large):
                    raise _Refused("large files are missing", "Large files were removed as unused: push them again.")
                refs.move(ctx, change, repo, [RefUpdate(c.ref, c.old, c.new) for c in push.good], stored)
            return
        except (StaleParent, Conflict):
            current = refs.all(ctx, repo.id)
            for command in push.good:
                if current.get(command.ref, "") != command.old:
                    command.refusal = "fetch first"
            _check_room(push, current)
            if "atomic" in push.abilities:
                push.refuse_all("atomic push failed")
        except IntegrityError:
            raise NotFound("The repository was deleted while the push was on its way.") from None
    push.refuse_all("too many pushes at once, try again")


# --- the quarantine ----------------------------------------------------------------------------------------------


class _Unpackable(_Refused):
    """The pack is damaged, or breaks git's own rules."""


@dataclass(frozen=True, slots=True)
class _Pack:
    pack: Path
    idx: Path


@contextmanager
def _quarantine(ctx: Context, repo: Repo) -> Iterator[_Quarantine]:
    folder = ctx.settings.data / "tmp" / f"push-{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    try:
        yield _Quarantine(ctx, repo, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Quarantine:
    """A bare repository of its own with the packs that the database lists, and no others, and the pack that comes in.

    The cache may hold more than the database: packs of changes that were refused. What is checked here must not lean
    on them, since nobody else will ever see them.
    """

    def __init__(self, ctx: Context, repo: Repo, folder: Path) -> None:
        self._ctx = ctx
        self._repo = repo
        self._folder = folder
        self._packs = reach.skeleton(folder)
        # the refs first: whatever they name is in a pack that is listed by then
        self._refs = refs.all(ctx, repo.id)
        with ctx.db.read() as c:
            self._known = set(c.scalars(select(t.packs.c.name).where(t.packs.c.repo_id == repo.id)))
        cached = git.sync(ctx, repo.id) / "objects" / "pack"
        for name in self._known:
            for suffix in ("pack", "idx"):
                os.link(cached / f"pack-{name}.{suffix}", self._packs / f"pack-{name}.{suffix}")
        #: the large files that what comes in names
        self.large: set[str] = set()
        self._git: pygit2.Repository | None = None

    @property
    def _objects(self) -> pygit2.Repository:
        if self._git is None:
            self._git = pygit2.Repository(str(self._folder))
        return self._git

    def kind(self, oid: str) -> str | None:
        """commit, tree, blob or tag; None when it is not here."""
        try:
            return ObjectType(self._objects.odb.read_header(pygit2.Oid(hex=oid))[0]).name.lower()
        except KeyError:
            return None

    def unpack(self, chunks: Iterator[bytes]) -> _Pack | None:
        """Let git check, complete and index the pack. None when there is nothing new in it."""
        head = b""
        while len(head) < 12 and (chunk := next(chunks, b"")):
            head += chunk
        if head[:4] != b"PACK":
            raise _Unpackable("no pack was sent")
        if head[8:12] == b"\0\0\0\0" and len(head) <= 32:
            # all objects are here already
            return None
        flaws = ",".join(f"{flaw}=ignore" for flaw in _TOLERATED)
        process = subprocess.Popen(
            ["git", "-c", "pack.threads=1", "index-pack", "--stdin", "--fix-thin", f"--strict={flaws}"],
            env=environment(self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=PIPE_BYTES,
        )
        try:
            assert process.stdin is not None  # noqa: S101  (a pipe was asked for)
            try:
                process.stdin.write(head)
                for chunk in chunks:
                    process.stdin.write(chunk)
            except BrokenPipeError:
                # it has seen enough; its last words are below
                process.stdin = None
            out, err = process.communicate()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise _Unpackable(reach.last_line(err), f"The pack was refused: {reach.last_line(err)}")
        name = out.decode().split()[-1]
        if name in self._known:
            return None
        return _Pack(self._packs / f"pack-{name}.pack", self._packs / f"pack-{name}.idx")

    def check_contents(self, tips: list[str]) -> None:
        """Everything that `tips` need is here, and it may be here. Raises _Refused."""
        if not tips:
            return
        pointers: dict[str, tuple[LfsPointer, str]] = {}
        too_large: list[str] = []
        odb = self._objects.odb
        try:
            for oid, kind, size, path in reach.objects(self._folder, tips, self._refs.values()):
                if kind == "commit":
                    self._check_commit(oid)
                elif kind == "tree":
                    self._check_names(odb.read(oid)[1])
                elif kind == "blob" and size > self._ctx.settings.max_regular_file:
                    too_large.append(f"{path} ({size / 2**20:.1f} MiB)")
                elif kind == "blob" and size in reach.POINTER_SIZES and (p := LfsPointer.parse(odb.read(oid)[1])):
                    pointers[p.sha256] = p, path
        except reach.Incomplete as error:
            raise _Refused(
                "missing necessary objects",
                f"The push is not complete ({error.message}): fetch, and push from a whole repository.",
            ) from None
        if too_large:
            limit = self._ctx.settings.max_regular_file // 2**20
            raise _Refused(
                "files are too large for git",
                f"Files larger than {limit} MiB must be stored by git-lfs (https://git-lfs.com). Run\n"
                "    git lfs install && git lfs migrate import --everything --include=<file>\n"
                f"and push again. Too large:\n{_listed(too_large)}",
            )
        self._check_large(pointers)

    def _check_large(self, pointers: dict[str, tuple[LfsPointer, str]]) -> None:
        held = blobs.held(self._ctx, self._repo.id, pointers)
        missing = [f"{path} ({p.sha256})" for p, path in pointers.values() if held.get(p.sha256) != p.size]
        if missing:
            raise _Refused(
                "large files are missing",
                "The push names large files that were not uploaded to this repository. Run\n"
                "    git lfs push --all <remote>\n"
                f"and push again. Missing:\n{_listed(missing)}",
            )

        self.large.update(pointers)

    def _check_commit(self, oid: str) -> None:
        try:
            self._objects[oid]
        except (ValueError, pygit2.GitError):
            # git reads past it, libgit2 does not, and every page of history would fail
            raise _Refused(
                "a commit is malformed",
                f"The author, committer or date of the commit {oid} is not of git's form: write it anew\n"
                "(git filter-repo, git commit --amend --reset-author) and push again.",
            ) from None

    def _check_names(self, tree: bytes) -> None:
        names = b"\0".join(_TREE_NAMES.findall(tree))
        try:
            names.decode()
        except UnicodeDecodeError:
            shown = next(n for n in names.split(b"\0") if n.decode("utf-8", "replace").encode() != n)
            raise _Refused(
                "a file name is not UTF-8", f"The file name {shown!r} is not UTF-8: rename it and push again."
            ) from None


def _listed(items: list[str]) -> str:
    shown = [f"  - {item}" for item in items[:_SHOWN]]
    return "\n".join([*shown, f"  … and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else shown)
