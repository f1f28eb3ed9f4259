"""What an actor may do under a name space, that is under a user's or an organization's name.

A user has every right under his own name; in an organization his role decides, as on Hugging Face
(hub-docs docs/hub/organizations-security.md):

| role        | may                                                                          |
|-------------|------------------------------------------------------------------------------|
| read        | see the private repositories                                                 |
| contributor | also create repositories, and write to those he created                      |
| write       | also write to, rename, delete and set up every repository                    |
| admin       | also change the profile and the members                                      |

An administrator of the hub may do everything. A read token changes nothing, whoever it belongs to.
"""

from __future__ import annotations

from corral.core.actor import Actor, OrgRole, TokenRole
from corral.core.errors import Forbidden, Unauthorized

#: whoever has a shell on the hub's machine: the command line acts as this
OPERATOR = Actor(name="operator", is_admin=True)


def role_under(actor: Actor, owner_id: int) -> OrgRole | None:
    """The actor's role under the account with this row id; None if he has none there."""
    if actor.is_admin or (actor.account_id is not None and actor.account_id == owner_id):
        return OrgRole.ADMIN
    return actor.orgs.get(owner_id)


def may_read_private(actor: Actor, owner_id: int) -> bool:
    return role_under(actor, owner_id) is not None


def may_create(actor: Actor, owner_id: int) -> bool:
    return _may_change(actor) and _has(actor, owner_id, OrgRole.CONTRIBUTOR)


def may_write(actor: Actor, owner_id: int, creator_id: int | None = None) -> bool:
    """Whether the actor may push to, rename, set up and delete a repository that `creator_id` made."""
    if not _may_change(actor):
        return False
    if creator_id is not None and creator_id == actor.account_id:
        return _has(actor, owner_id, OrgRole.CONTRIBUTOR)
    return _has(actor, owner_id, OrgRole.WRITE)


def may_admin(actor: Actor, owner_id: int) -> bool:
    """Whether the actor may change the account itself: its profile, and an organization's members."""
    return _may_change(actor) and _has(actor, owner_id, OrgRole.ADMIN)


def require_admin(actor: Actor, owner_id: int) -> None:
    """Raise Unauthorized (nobody) or Forbidden (somebody) unless `may_admin`."""
    if may_admin(actor, owner_id):
        return
    if actor.is_anonymous:
        raise Unauthorized("Sign in, or send an access token, to change this account.")
    if actor.token_role is TokenRole.READ:
        raise Forbidden("This token may only read: use one with the role 'write'.")
    raise Forbidden("Only an administrator of this account may change it.")


def require_signed_in(actor: Actor) -> int:
    """The actor's account id; raises Unauthorized for nobody."""
    if actor.account_id is None:
        raise Unauthorized("Sign in, or send an access token in the Authorization header.")
    return actor.account_id


def _has(actor: Actor, owner_id: int, least: OrgRole) -> bool:
    role = role_under(actor, owner_id)
    return role is not None and role.rank >= least.rank


def _may_change(actor: Actor) -> bool:
    return actor.token_role is not TokenRole.READ and (actor.is_admin or not actor.is_anonymous)
