"""The reference says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from corral.accounts import people, rights, tokens
from corral.cli import provision, reference
from corral.context import Context
from corral.core.actor import OrgRole, TokenRole

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def test_the_command_line_is_described_as_it_is() -> None:
    assert (DOCS / "command-line.md").read_text() == reference.text(), "run `make reference`"


def test_the_tasks_are_described_as_they_are() -> None:
    assert (DOCS / "tasks.md").read_text() == reference.tasks(), "run `make reference`"


def test_the_example_of_provisioning_works(ctx: Context, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    example = re.search(r"```yaml\n(.*?)```", (DOCS / "provision.md").read_text(), re.DOTALL)
    assert example is not None
    file.write_text(example[1])
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "README.md").write_text("# Net")
    operator = ctx.acting_as(rights.OPERATOR)
    assert len(list(provision.apply(operator, provision.read(file), tmp_path))) == 9
    assert list(provision.apply(operator, provision.read(file), tmp_path)) == []
    actor = tokens.actor_of(operator, "hf_0123456789abcdefghijklmnopqrstuvwxyz")
    assert (actor.name, actor.is_admin, actor.token_role) == ("ann", True, TokenRole.WRITE)
    labs = people.find_org(operator, "labs")
    assert labs.default_private
    assert actor.orgs == {labs.id: OrgRole.ADMIN}


def test_every_member_that_is_read_is_in_the_example() -> None:
    text = (DOCS / "provision.md").read_text()
    for members in provision._MEMBERS.values():
        assert all(f"{member}:" in text for member in members - {"name"})
