"""Repository ids and the rules for names, as Hugging Face has them (`huggingface_hub.utils._validators`)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from corral.core.errors import BadRequest

MAX_NAME = 96
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_DOUBLE = re.compile(r"--|\.\.")

#: First path segments that pages and routes use: no account may have one of them as its name.
RESERVED = frozenset(
    """
    - .well-known about admin api assets blog buckets chat collections compare datasets datasets-server docs
    favicon.ico healthz inference jobs join kernels learn lfs login logout metrics models new new-dataset new-space
    notifications oauth organizations papers posts pricing readyz resolve robots.txt search settings spaces static
    studio tasks trending uploads users v1 v2 welcome xet zoo
    """.split()
)


class RepoType(StrEnum):
    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"
    #: files by their paths, without git: no history, no card, no place in the catalogue
    BUCKET = "bucket"

    @property
    def plural(self) -> str:
        """`models`, `datasets`, …, as in `/api/models`."""
        return f"{self.value}s"

    @property
    def prefix(self) -> str:
        """What stands before `owner/name` in page and resolve addresses: nothing for models."""
        return "" if self is RepoType.MODEL else f"{self.plural}/"

    @classmethod
    def from_plural(cls, word: str) -> RepoType:
        return cls(word.removesuffix("s"))


#: the types that are git repositories, which lists and pages show
GIT_TYPES = (RepoType.MODEL, RepoType.DATASET, RepoType.SPACE)


@dataclass(frozen=True, slots=True)
class RepoId:
    """`owner/name` of one type. One-segment ids parse (owner is empty) and are never found."""

    type: RepoType
    owner: str
    name: str

    @classmethod
    def parse(cls, type: RepoType, text: str) -> RepoId:
        owner, _, name = text.rpartition("/")
        return cls(type, owner, name)

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}" if self.owner else self.name

    @property
    def subdomain(self) -> str:
        """The first label of a Space's own host name: `owner-name` in lower case, other characters as '-'."""
        label = "".join(ch if ch.isascii() and ch.isalnum() else "-" for ch in f"{self.owner}-{self.name}".lower())
        return label[:63].strip("-")

    @property
    def path(self) -> str:
        """The page address without the leading slash: `owner/name`, `datasets/owner/name`, …"""
        return f"{self.type.prefix}{self}"


def check_name(name: str, what: str) -> str:
    """Return `name`, or raise BadRequest that says which rule it breaks. `what` names the thing in the message."""
    if not name:
        raise BadRequest(f"The {what} is empty: give it a name.", code="InvalidName")
    if len(name) > MAX_NAME:
        raise BadRequest(f"The {what} is longer than {MAX_NAME} characters: choose a shorter one.", code="InvalidName")
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"The {what} {name!r} may hold only letters, digits, '-', '_' and '.': choose another.", code="InvalidName"
        )
    if name[0] in "-." or name[-1] in "-." or _DOUBLE.search(name):
        raise BadRequest(
            f"The {what} {name!r} may not start or end with '-' or '.', nor hold '--' or '..': choose another.",
            code="InvalidName",
        )
    if name.lower().endswith((".git", ".ipynb")):
        raise BadRequest(
            f"The {what} {name!r} may not end with '.git' or '.ipynb': choose another.", code="InvalidName"
        )
    return name


def check_account_name(name: str) -> str:
    """As `check_name`, and not one of the words that Corral's own addresses use."""
    check_name(name, "account name")
    if name.lower() in RESERVED:
        raise BadRequest(f"The account name {name!r} is reserved: choose another.", code="InvalidName")
    return name


def new_object_id() -> str:
    """24 hex digits, the form of Hugging Face's `_id`."""
    return secrets.token_hex(12)
