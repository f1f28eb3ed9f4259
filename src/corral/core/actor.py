"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class OrgRole(StrEnum):
    """Roles in an organization, weakest first in `RANK`."""

    READ = "read"
    CONTRIBUTOR = "contributor"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(OrgRole).index(self)


class TokenRole(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person (or nobody) with what they may touch, worked out once per request.

    `orgs` maps an organization's account id to the actor's role in it. `token_role` is None for a signed-in page.
    """

    account_id: int | None = None
    name: str | None = None
    is_admin: bool = False
    token_role: TokenRole | None = None
    token_id: int | None = None
    orgs: dict[int, OrgRole] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        return self.account_id is None

    @property
    def may_write(self) -> bool:
        """False for nobody and for a read token, whatever else the person may do."""
        return self.account_id is not None and self.token_role is not TokenRole.READ


ANONYMOUS = Actor()
