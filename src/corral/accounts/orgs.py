"""Organizations and who is in them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from corral.accounts import people, rights
from corral.accounts.people import Account
from corral.context import Context
from corral.core.actor import OrgRole
from corral.core.errors import BadRequest, Conflict
from corral.core.ids import check_account_name
from corral.storage import schema as t


@dataclass(frozen=True, slots=True)
class Membership:
    """One account of a membership (the member, or the organization) and the role."""

    account: Account
    role: OrgRole


def create_org(
    ctx: Context, name: str, *, fullname: str = "", admin_id: int | None = None, default_private: bool = False
) -> Account:
    """Make an organization with `admin_id` (row id of a user) as its first administrator.

    Raises BadRequest (name not acceptable) and Conflict (name taken).
    """
    values: dict[str, object] = {
        "kind": "org",
        "name": check_account_name(name),
        "fullname": fullname.strip(),
        "default_private": default_private,
    }
    with ctx.db.write() as connection:
        org_id = people.insert_account(ctx, connection, values)
        if admin_id is not None:
            _put_member(ctx, connection, org_id, admin_id, OrgRole.ADMIN)
    return people.get(ctx, org_id)


def members(ctx: Context, org: Account) -> list[Membership]:
    """The organization's members by name."""
    query = (
        select(*people.COLUMNS, t.org_members.c.role)
        .join(t.org_members, t.org_members.c.user_id == t.accounts.c.id)
        .where(t.org_members.c.org_id == org.id)
        .order_by(t.accounts.c.name_lower)
    )
    with ctx.db.read() as connection:
        return [Membership(Account(*row[:-1]), OrgRole(row[-1])) for row in connection.execute(query)]


def orgs_of(ctx: Context, user_id: int) -> list[Membership]:
    """The organizations that the user is in, by name, each with his role there."""
    query = (
        select(*people.COLUMNS, t.org_members.c.role)
        .join(t.org_members, t.org_members.c.org_id == t.accounts.c.id)
        .where(t.org_members.c.user_id == user_id)
        .order_by(t.accounts.c.name_lower)
    )
    with ctx.db.read() as connection:
        return [Membership(Account(*row[:-1]), OrgRole(row[-1])) for row in connection.execute(query)]


def set_member(ctx: Context, org: Account, user: Account, role: OrgRole) -> None:
    """Give the user this role, whether he was a member or not.

    Raises Forbidden unless the actor administers the organization, Conflict when it would lose its last administrator.
    """
    rights.require_admin(ctx.actor, org.id)
    if user.is_org or not org.is_org:
        raise BadRequest("Only users can be members, and only of organizations.")
    with ctx.db.write() as connection:
        _put_member(ctx, connection, org.id, user.id, role)
        _check_administered(connection, org)


def remove_member(ctx: Context, org: Account, user: Account) -> None:
    """Take the user out; a member may leave by himself. Raises as `set_member` does."""
    if ctx.actor.account_id != user.id or not ctx.actor.may_write:
        rights.require_admin(ctx.actor, org.id)
    with ctx.db.write() as connection:
        gone = connection.execute(
            delete(t.org_members).where(t.org_members.c.org_id == org.id, t.org_members.c.user_id == user.id)
        )
        if gone.rowcount:
            _check_administered(connection, org)


def _put_member(ctx: Context, connection: Connection, org_id: int, user_id: int, role: OrgRole) -> None:
    of_user = (t.org_members.c.org_id == org_id) & (t.org_members.c.user_id == user_id)
    changed = connection.execute(update(t.org_members).where(of_user).values(role=role.value))
    if not changed.rowcount:
        connection.execute(
            insert(t.org_members).values(org_id=org_id, user_id=user_id, role=role.value, created_at=ctx.clock())
        )


def _check_administered(connection: Connection, org: Account) -> None:
    """Members without an administrator could never let anybody in or out again."""
    roles = set(connection.scalars(select(t.org_members.c.role).where(t.org_members.c.org_id == org.id)))
    if roles and OrgRole.ADMIN.value not in roles:
        raise Conflict(f"{org.name} needs an administrator: make another member one first.", code="LastAdmin")
