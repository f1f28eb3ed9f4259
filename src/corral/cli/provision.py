"""`corral provision`: makes what a YAML file lists exist, and changes nothing that is so already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml

from corral.accounts import apps, orgs, people, signin, tokens
from corral.accounts.people import Account
from corral.cli.folder import upload_folder
from corral.context import Context
from corral.core.actor import Actor, OrgRole, TokenRole
from corral.core.errors import BadRequest, Conflict, NotFound, RepoNotFound
from corral.core.ids import GIT_TYPES, RepoId, RepoType
from corral.repos import lifecycle, lookup

E = TypeVar("E", TokenRole, OrgRole, RepoType)

#: the members of each kind of entry; any other is refused, since it is a misspelt one
_MEMBERS = {
    "users": {"name", "fullname", "email", "password", "admin", "tokens"},
    "organizations": {"name", "fullname", "default_visibility", "members"},
    "oauth_apps": {"client_id", "client_secret", "name", "redirect_uris", "scopes"},
    "repositories": {"type", "id", "visibility", "files"},
}


def read(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The entries by kind. Raises BadRequest that names the entry at fault."""
    try:
        wanted = yaml.safe_load(file.read_bytes()) or {}
    except yaml.YAMLError as error:
        raise BadRequest(f"{file} is not valid YAML: {error}") from None
    if not isinstance(wanted, dict):
        raise BadRequest(f"{file} must hold lists named {', '.join(_MEMBERS)}.")
    for kind, entries in wanted.items():
        if kind not in _MEMBERS:
            raise BadRequest(f"{file}: {kind!r} is not one of {', '.join(_MEMBERS)}.")
        if not isinstance(entries, list):
            raise BadRequest(f"{file}: {kind} must be a list.")
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict):
                raise BadRequest(f"{file}: {kind}, entry {number}, must have members.")
            if unknown := set(entry) - _MEMBERS[kind]:
                raise BadRequest(f"{file}: {kind}, entry {number}, has unknown members: {', '.join(sorted(unknown))}.")
    return wanted


def apply(ctx: Context, wanted: dict[str, list[dict[str, Any]]], base: Path) -> Iterator[str]:
    """Make it so; yields a line for each change. Paths in the file are relative to `base`.

    Raises what the domains raise: what was done up to there stays done, and running again goes on from it.
    """
    for entry in wanted.get("users", ()):
        yield from _user(ctx, entry)
    for entry in wanted.get("organizations", ()):
        yield from _org(ctx, entry)
    for entry in wanted.get("oauth_apps", ()):
        yield from _app(ctx, entry)
    for entry in wanted.get("repositories", ()):
        yield from _repository(ctx, entry, base)


def _user(ctx: Context, entry: dict[str, Any]) -> Iterator[str]:
    name = _text(entry, "name")
    password = entry.get("password")
    email, fullname = entry.get("email"), str(entry.get("fullname") or "")
    is_admin = bool(entry.get("admin", False))
    user = people.find(ctx, name)
    if user is None:
        user = people.create_user(ctx, name, password, email=email, fullname=fullname, is_admin=is_admin, trusted=True)
        yield f"user {user.name}: created"
    elif user.is_org:
        raise Conflict(f"{name} is an organization: choose another name for the user.")
    else:
        if (fullname and fullname != user.fullname) or (email and email != user.email):
            user = people.update_profile(ctx, user, fullname=fullname or None, email=email)
            yield f"user {user.name}: profile changed"
        if "admin" in entry and is_admin != user.is_admin:
            people.set_admin(ctx, user, is_admin)
            yield f"user {user.name}: {'now' if is_admin else 'no longer'} an administrator"
        if password is not None and not signin.is_password(ctx, user, password):
            signin.set_password(ctx, user, password)
            yield f"user {user.name}: password changed"
    for token in entry.get("tokens") or ():
        yield from _token(ctx, user, token)


def _token(ctx: Context, user: Account, entry: dict[str, Any]) -> Iterator[str]:
    name, role, value = _text(entry, "name"), _one_of(TokenRole, entry, "role", TokenRole.READ), entry.get("value")
    if value is None:
        if all(token.name != name for token in tokens.list_tokens(ctx, user.id)):
            yield f"token {user.name}/{name}: {tokens.create(ctx, user.id, name, role)} (shown this once)"
        return
    present = tokens.find(ctx, value)
    if present is not None and present.user_id != user.id:
        raise Conflict(f"The token {name!r} of {user.name} is somebody else's: choose another value.")
    if present is not None and present.token.role is role:
        return
    if present is not None:
        tokens.revoke(ctx, user.id, present.token.id)
    tokens.create(ctx, user.id, name, role, value)
    yield f"token {user.name}/{name}: {'role changed' if present else 'created'}"


def _org(ctx: Context, entry: dict[str, Any]) -> Iterator[str]:
    name, fullname = _text(entry, "name"), str(entry.get("fullname") or "")
    visibility = entry.get("default_visibility")
    if visibility not in (None, "public", "private"):
        raise BadRequest(f"Organization {name}: default_visibility must be public or private.")
    org = people.find(ctx, name)
    if org is None:
        org = orgs.create_org(ctx, name, fullname=fullname, default_private=visibility == "private")
        yield f"organization {org.name}: created"
    elif not org.is_org:
        raise Conflict(f"{name} is a user: choose another name for the organization.")
    private = org.default_private if visibility is None else visibility == "private"
    if (fullname and fullname != org.fullname) or private != org.default_private:
        people.update_profile(ctx, org, fullname=fullname or None, default_private=private)
        yield f"organization {org.name}: profile changed"
    present = {member.account.id: member.role for member in orgs.members(ctx, org)}
    # administrators first: an organization may never be without one
    members = [(_text(m, "user"), _one_of(OrgRole, m, "role", OrgRole.READ)) for m in entry.get("members") or ()]
    for user_name, role in sorted(members, key=lambda m: -m[1].rank):
        user = people.find_user(ctx, user_name)
        if present.get(user.id) is not role:
            orgs.set_member(ctx, org, user, role)
            yield f"organization {org.name}: {user.name} is now {role}"


def _app(ctx: Context, entry: dict[str, Any]) -> Iterator[str]:
    client_id = _text(entry, "client_id")
    if apps.put(
        ctx,
        client_id,
        name=str(entry.get("name") or ""),
        secret=entry.get("client_secret"),
        redirect_uris=entry.get("redirect_uris") or (),
        scopes=entry.get("scopes") or (),
    ):
        yield f"OAuth app {client_id}: set up"


def _repository(ctx: Context, entry: dict[str, Any], base: Path) -> Iterator[str]:
    kind = _one_of(GIT_TYPES, entry, "type", RepoType.MODEL)
    rid = RepoId.parse(kind, _text(entry, "id"))
    visibility = entry.get("visibility")
    if visibility not in (None, "public", "private"):
        raise BadRequest(f"Repository {rid}: visibility must be public or private.")
    ctx = ctx.acting_as(_owner(ctx, rid))
    try:
        repo = lookup.find(ctx, rid)
    except RepoNotFound:
        repo = lifecycle.create(ctx, rid, private=None if visibility is None else visibility == "private")
        yield f"{kind} {repo.rid}: created"
    if visibility is not None and repo.private is not (visibility == "private"):
        repo = lifecycle.configure(ctx, repo, private=visibility == "private")
        yield f"{kind} {repo.rid}: now {visibility}"
    if entry.get("files"):
        folder = base / str(entry["files"])
        if not folder.is_dir():
            raise NotFound(f"Repository {rid}: there is no folder {folder}.")
        if count := upload_folder(ctx, repo, folder):
            yield f"{kind} {repo.rid}: {count} files uploaded"


def _owner(ctx: Context, rid: RepoId) -> Actor:
    """Who makes the repository: its owner, or an administrator of the organization that owns it."""
    owner = people.find(ctx, rid.owner)
    if owner is None:
        raise NotFound(f"Repository {rid}: there is no user or organization {rid.owner!r}; list it above.")
    if owner.is_org:
        admins = [m.account for m in orgs.members(ctx, owner) if m.role is OrgRole.ADMIN]
        if not admins:
            raise NotFound(f"Repository {rid}: the organization {owner.name} has no administrator; give it one.")
        owner = admins[0]
    return Actor(account_id=owner.id, name=owner.name, is_admin=True)


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"An entry lacks its {key!r}: {entry}")
    return value


def _one_of(words: Iterable[E], entry: dict[str, Any], key: str, default: E) -> E:
    value = entry.get(key, default)
    for word in words:
        if word == value:
            return word
    raise BadRequest(f"{key} {value!r} is not one of {', '.join(words)}.")
