"""Signing up and in with a name and a password."""

from __future__ import annotations

from sqlalchemy import or_, select, update

from corral.accounts import passwords, people, rights, sessions
from corral.accounts.people import Account
from corral.accounts.throttle import sign_ins
from corral.context import Context
from corral.core.errors import BadRequest, Unauthorized
from corral.storage import schema as t


def sign_up(ctx: Context, name: str, email: str, password: str, fullname: str = "") -> Account:
    """Make a user of one's own accord. Raises BadRequest and Conflict with a sentence for the form."""
    if not email.strip():
        raise BadRequest("Give an e-mail address.", code="InvalidEmail")
    return people.create_user(ctx, name, password, email=email, fullname=fullname)


def sign_in(ctx: Context, name: str, password: str, address: str) -> Account:
    """The user with this name or e-mail address, if the password is right. `address` is the caller's IP address.

    Raises Unauthorized with one and the same sentence for a wrong name and a wrong password, and TooManyRequests
    after too many failures.
    """
    name = name.strip()
    now = ctx.clock()
    sign_ins.check(name, address, now)
    a = t.accounts.c
    query = select(a.id, a.password_hash).where(
        a.kind == "user", or_(a.name_lower == name.lower(), a.email_lower == name.lower())
    )
    with ctx.db.read() as connection:
        # a name cannot hold '@' and an address must, so at most one row answers
        row = connection.execute(query).one_or_none()
    if not passwords.verify(row.password_hash if row else None, password) or row is None:
        sign_ins.failed(name, address, now)
        raise Unauthorized("The user name or the password is wrong.", code="WrongPassword")
    sign_ins.succeeded(name, address)
    if passwords.is_outdated(row.password_hash):
        _store(ctx, row.id, password)
    return people.get(ctx, row.id)


def change_password(ctx: Context, account: Account, old: str, new: str) -> None:
    """Change one's own password, which ends every session. Raises Unauthorized when `old` is wrong."""
    rights.require_admin(ctx.actor, account.id)
    if not is_password(ctx, account, old):
        raise Unauthorized("The present password is wrong.", code="WrongPassword")
    set_password(ctx, account, new)


def is_password(ctx: Context, account: Account, password: str) -> bool:
    """Whether this is the account's password now. Counts no failure: for the account's owner and the command line."""
    with ctx.db.read() as connection:
        stored = connection.scalar(select(t.accounts.c.password_hash).where(t.accounts.c.id == account.id))
    return passwords.verify(stored, password)


def set_password(ctx: Context, account: Account, new: str) -> None:
    """Set a password and end every session of the user; for the command line."""
    passwords.check_rules(new, name=account.name)
    _store(ctx, account.id, new)
    sessions.end_all(ctx, account.id)


def _store(ctx: Context, account_id: int, password: str) -> None:
    values = {"password_hash": passwords.hash_password(password)}
    with ctx.db.write() as connection:
        connection.execute(update(t.accounts).where(t.accounts.c.id == account_id).values(values))
