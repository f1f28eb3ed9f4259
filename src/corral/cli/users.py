"""`corral user`."""

from __future__ import annotations

from typing import Annotated

import typer

from corral.cli.hub import Data, ask_password, opened

app = typer.Typer(help="Users.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The user's name.")]


@app.command()
def create(
    name: Name,
    email: Annotated[str | None, typer.Option(help="E-mail address; it counts as verified.")] = None,
    fullname: Annotated[str, typer.Option(help="Name to show.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Let the user administer the hub.")] = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Sign in only by token, for a robot.")] = False,
    data: Data = None,
) -> None:
    """Make a user. The password is asked for, or read from a pipe."""
    from corral.accounts import people

    password = None if no_password else ask_password(f"Password for {name}")
    with opened(data) as ctx:
        user = people.create_user(ctx, name, password, email=email, fullname=fullname, is_admin=admin, trusted=True)
    print(user.name)


@app.command("list")
def list_users(data: Data = None) -> None:
    """Print the users: name, full name, e-mail address, and whether they administer the hub."""
    from corral.accounts import people

    with opened(data) as ctx:
        for user in people.list_accounts(ctx):
            print("\t".join((user.name, user.fullname, user.email or "", "admin" if user.is_admin else "")).rstrip())


@app.command()
def passwd(name: Name, data: Data = None) -> None:
    """Set a user's password, which signs him out everywhere. It is asked for, or read from a pipe."""
    from corral.accounts import people, signin

    with opened(data) as ctx:
        user = people.find_user(ctx, name)
        signin.set_password(ctx, user, ask_password(f"New password for {user.name}"))


@app.command()
def admin(
    name: Name,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the right away again.")] = False,
    data: Data = None,
) -> None:
    """Let a user administer the hub."""
    from corral.accounts import people

    with opened(data) as ctx:
        people.set_admin(ctx, people.find_user(ctx, name), not revoke)
