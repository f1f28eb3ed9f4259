"""Users and organizations: one name space of accounts, found without regard to case, with their case kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.accounts import passwords, rights
from corral.context import Context
from corral.core.clock import Millis
from corral.core.errors import BadRequest, Conflict, NotFound
from corral.core.ids import RESERVED, check_account_name, check_name, new_object_id
from corral.storage import schema as t

#: reserved names that an administrator may give out, because no address of the hub's own begins with them
_TRUSTED_NAMES = frozenset({"admin"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MAX_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Account:
    """A user or an organization. `id` is the row id, `object_id` the 24 hex digits that clients see."""

    id: int
    object_id: str
    kind: str
    name: str
    fullname: str
    email: str | None
    email_verified: bool
    is_admin: bool
    bio: str
    website: str
    default_private: bool
    created_at: Millis

    @property
    def is_org(self) -> bool:
        return self.kind == "org"


#: the columns of an Account, in its order
COLUMNS: tuple[Column[Any], ...] = tuple(t.accounts.c[name] for name in Account.__dataclass_fields__)


def _one(connection: Connection, query: Select[Any]) -> Account | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else Account(*row)


def find(ctx: Context, name: str) -> Account | None:
    """The account of this name, whatever its case; None if there is none."""
    with ctx.db.read() as connection:
        return _one(connection, select(*COLUMNS).where(t.accounts.c.name_lower == name.lower()))


def find_user(ctx: Context, name: str) -> Account:
    """The user of this name; raises NotFound."""
    account = find(ctx, name)
    if account is None or account.is_org:
        raise NotFound(f"There is no user {name!r}: check the spelling.")
    return account


def find_org(ctx: Context, name: str) -> Account:
    """The organization of this name; raises NotFound."""
    account = find(ctx, name)
    if account is None or not account.is_org:
        raise NotFound(f"There is no organization {name!r}: check the spelling.")
    return account


def get(ctx: Context, account_id: int) -> Account:
    """The account with this row id; raises NotFound."""
    with ctx.db.read() as connection:
        account = _one(connection, select(*COLUMNS).where(t.accounts.c.id == account_id))
    if account is None:
        raise NotFound("There is no such account.")
    return account


def by_ids(ctx: Context, ids: Iterable[int]) -> dict[int, Account]:
    """Those of the accounts that exist, by row id, in one query."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    with ctx.db.read() as connection:
        rows = connection.execute(select(*COLUMNS).where(t.accounts.c.id.in_(wanted))).all()
    return {row.id: Account(*row) for row in rows}


def names_known(ctx: Context, names: Iterable[str]) -> set[str]:
    """Those of the names, case and all, that an account has, in one query."""
    wanted = sorted(set(names))
    if not wanted:
        return set()
    with ctx.db.read() as connection:
        return set(connection.scalars(select(t.accounts.c.name).where(t.accounts.c.name.in_(wanted))))


def named_like(ctx: Context, text: str, limit: int = 12) -> list[Account]:
    """Users and organizations whose name holds `text`, whatever its case, the shortest names first."""
    query = (
        select(*COLUMNS)
        .where(t.accounts.c.name_lower.contains(text.lower(), autoescape=True))
        .order_by(func.length(t.accounts.c.name), t.accounts.c.name_lower)
        .limit(limit)
    )
    with ctx.db.read() as connection:
        return [Account(*row) for row in connection.execute(query)]


def list_accounts(ctx: Context, kind: str = "user") -> list[Account]:
    """All users or all organizations ('org'), by name."""
    with ctx.db.read() as connection:
        query = select(*COLUMNS).where(t.accounts.c.kind == kind).order_by(t.accounts.c.name_lower)
        return [Account(*row) for row in connection.execute(query)]


def search(ctx: Context, text: str, kind: str, limit: int) -> list[Account]:
    """Users or organizations ('org') whose name or full name holds `text`, by name, at most `limit`."""
    word = text.strip().lower()
    query = select(*COLUMNS).where(
        t.accounts.c.kind == kind,
        t.accounts.c.name_lower.contains(word, autoescape=True)
        | func.lower(t.accounts.c.fullname).contains(word, autoescape=True),
    )
    with ctx.db.read() as connection:
        rows = connection.execute(query.order_by(t.accounts.c.name_lower).limit(limit)).all()
    return [Account(*row) for row in rows]


def count_users(ctx: Context) -> int:
    with ctx.db.read() as connection:
        count = connection.scalar(select(func.count()).where(t.accounts.c.kind == "user"))
    return count or 0


def create_user(
    ctx: Context,
    name: str,
    password: str | None = None,
    *,
    email: str | None = None,
    fullname: str = "",
    is_admin: bool = False,
    trusted: bool = False,
) -> Account:
    """Make a user; without a password he can sign in only by token.

    `trusted` is for administrators' provisioning: the e-mail address counts as verified, and `admin` is no reserved
    name. Checks no rights: signing up is open, and only the command line passes `is_admin` or `trusted`.
    Raises BadRequest (name, password or address not acceptable) and Conflict (name or address taken).
    """
    name = _check_account_name(name, trusted)
    if password is not None:
        passwords.check_rules(password, name=name)
    values = {
        "kind": "user",
        "name": name,
        "fullname": _check_text(fullname, "full name"),
        "is_admin": is_admin,
        "password_hash": None if password is None else passwords.hash_password(password),
        "email_verified": trusted and bool(email),
        **_email_values(email),
    }
    with ctx.db.write() as connection:
        account_id = insert_account(ctx, connection, values)
    return get(ctx, account_id)


def insert_account(ctx: Context, connection: Connection, values: dict[str, object]) -> int:
    """Write the row of a new account and return its id; raises Conflict when the name or address is taken."""
    name = str(values["name"])
    row = {
        "object_id": new_object_id(),
        "name_lower": name.lower(),
        "created_at": ctx.clock(),
        **values,
    }
    taken = connection.scalar(select(t.accounts.c.name).where(t.accounts.c.name_lower == name.lower()))
    if taken is not None:
        raise Conflict(f"The name {taken!r} is taken: choose another one.", code="NameTaken")
    try:
        return int(connection.execute(insert(t.accounts).values(row).returning(t.accounts.c.id)).scalar_one())
    except IntegrityError:
        raise Conflict("The name or the e-mail address is taken: choose another one.", code="NameTaken") from None


def update_profile(
    ctx: Context,
    account: Account,
    *,
    fullname: str | None = None,
    email: str | None = None,
    bio: str | None = None,
    website: str | None = None,
    default_private: bool | None = None,
) -> Account:
    """Change what is given (None leaves a member as it is; '' empties it) and return the new account.

    Raises Forbidden unless the actor administers the account, BadRequest and Conflict as `create_user` does.
    """
    rights.require_admin(ctx.actor, account.id)
    values: dict[str, object] = {}
    if fullname is not None:
        values["fullname"] = _check_text(fullname, "full name")
    if bio is not None:
        values["bio"] = _check_text(bio, "biography")
    if website is not None:
        values["website"] = check_website(website)
    if default_private is not None:
        values["default_private"] = default_private
    if email is not None and email.strip() != (account.email or ""):
        values |= _email_values(email) | {"email_verified": False}
    if values:
        try:
            with ctx.db.write() as connection:
                connection.execute(update(t.accounts).where(t.accounts.c.id == account.id).values(values))
        except IntegrityError:
            raise Conflict("The e-mail address is taken: use another one.", code="EmailTaken") from None
    return get(ctx, account.id)


def set_admin(ctx: Context, user: Account, is_admin: bool) -> None:
    """Make the user an administrator of the hub, or no longer; for the command line."""
    with ctx.db.write() as connection:
        connection.execute(update(t.accounts).where(t.accounts.c.id == user.id).values(is_admin=is_admin))


def check_website(text: str) -> str:
    """Return the address if it is empty or http(s): a profile page links to it, so no `javascript:` may get in."""
    text = text.strip()
    if text and not re.match(r"https?://[^\s]+$", text, re.IGNORECASE):
        raise BadRequest("The website must be an address that begins with http:// or https://.")
    return _check_text(text, "website")


def _check_account_name(name: str, trusted: bool) -> str:
    if trusted and name.lower() in _TRUSTED_NAMES & RESERVED:
        return check_name(name, "account name")
    return check_account_name(name)


def _check_text(text: str, what: str) -> str:
    text = text.strip()
    if len(text) > _MAX_TEXT or "\0" in text:
        raise BadRequest(f"The {what} must be plain text of at most {_MAX_TEXT} characters.")
    return text


def _email_values(email: str | None) -> dict[str, object]:
    email = (email or "").strip()
    if not email:
        return {"email": None, "email_lower": None}
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise BadRequest(f"{email[:80]!r} is no e-mail address: write it as name@example.org.", code="InvalidEmail")
    return {"email": email, "email_lower": email.lower()}
