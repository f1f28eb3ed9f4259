"""`corral org`."""

from __future__ import annotations

from typing import Annotated

import typer

from corral.cli.hub import Data, opened
from corral.core.actor import OrgRole

app = typer.Typer(help="Organizations.", no_args_is_help=True)
Org = Annotated[str, typer.Argument(help="The organization's name.")]
User = Annotated[str, typer.Argument(help="The user's name.")]


@app.command()
def create(
    name: Org,
    admin: Annotated[str, typer.Option(help="The user who administers it.")],
    fullname: Annotated[str, typer.Option(help="Name to show.")] = "",
    private: Annotated[bool, typer.Option("--private", help="New repositories are private unless told.")] = False,
    data: Data = None,
) -> None:
    """Make an organization."""
    from corral.accounts import orgs, people

    with opened(data) as ctx:
        first = people.find_user(ctx, admin)
        org = orgs.create_org(ctx, name, fullname=fullname, admin_id=first.id, default_private=private)
    print(org.name)


@app.command("list")
def list_orgs(data: Data = None) -> None:
    """Print the organizations: name and full name."""
    from corral.accounts import people

    with opened(data) as ctx:
        for org in people.list_accounts(ctx, "org"):
            print(f"{org.name}\t{org.fullname}".rstrip())


@app.command()
def members(name: Org, data: Data = None) -> None:
    """Print the members of an organization: name and role."""
    from corral.accounts import orgs, people

    with opened(data) as ctx:
        for member in orgs.members(ctx, people.find_org(ctx, name)):
            print(f"{member.account.name}\t{member.role}")


@app.command("add-member")
def add_member(
    org: Org,
    user: User,
    role: Annotated[OrgRole, typer.Option(help="What the member may do.")] = OrgRole.WRITE,
    data: Data = None,
) -> None:
    """Put a user into an organization, or give a member another role."""
    from corral.accounts import orgs, people

    with opened(data) as ctx:
        orgs.set_member(ctx, people.find_org(ctx, org), people.find_user(ctx, user), role)


@app.command("remove-member")
def remove_member(org: Org, user: User, data: Data = None) -> None:
    """Take a user out of an organization."""
    from corral.accounts import orgs, people

    with opened(data) as ctx:
        orgs.remove_member(ctx, people.find_org(ctx, org), people.find_user(ctx, user))
