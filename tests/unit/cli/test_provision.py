from __future__ import annotations

from pathlib import Path

import pytest

from corral.accounts import apps, orgs, people, rights, signin, tokens
from corral.cli.provision import apply, read
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor, OrgRole, TokenRole
from corral.core.errors import BadRequest, Conflict, HubError, NotFound, RepoNotFound
from corral.core.ids import RepoId, RepoType
from corral.repos import commits, lookup
from corral.repos import read as reading

WANTED = """
users:
  - name: __DUMMY_HUB_USER__
    fullname: Dummy User
    email: dummy@example.org
    password: correct-horse
    tokens: [{name: suite, role: write, value: hf_HubCITokenXXXXXXXXXXXXXXXXXXXXX}, {name: made, role: read}]
  - {name: root, password: correct-horse, admin: true}
organizations:
  - name: labs
    fullname: The Labs
    default_visibility: private
    members: [{user: root, role: read}, {user: __DUMMY_HUB_USER__, role: admin}]
oauth_apps:
  - {client_id: dummy-app, client_secret: dummy-secret, redirect_uris: ["http://localhost:3000"], scopes: [openid]}
repositories:
  - {type: model, id: __DUMMY_HUB_USER__/net, files: net}
  - {type: dataset, id: labs/rows}
"""


@pytest.fixture
def operator(ctx: Context) -> Context:
    return ctx.acting_as(rights.OPERATOR)


def _apply(ctx: Context, tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "wanted.yaml"
    file.write_text(text)
    return list(apply(ctx, read(file), tmp_path))


@pytest.fixture
def net(tmp_path: Path) -> Path:
    folder = tmp_path / "net"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("# Net")
    (folder / "sub" / "weights.bin").write_bytes(bytes(range(256)) * 40)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("not ours")
    return folder


def test_what_is_listed_exists_afterwards_and_a_second_run_changes_nothing(
    operator: Context, tmp_path: Path, net: Path
) -> None:
    lines = _apply(operator, tmp_path, WANTED)
    assert _apply(operator, tmp_path, WANTED) == []
    dummy, root, labs = (people.find(operator, name) for name in ("__DUMMY_HUB_USER__", "root", "labs"))
    assert dummy is not None and root is not None and labs is not None
    assert (dummy.fullname, dummy.email, dummy.email_verified, dummy.is_admin) == (
        "Dummy User",
        "dummy@example.org",
        True,
        False,
    )
    assert root.is_admin
    assert signin.is_password(operator, root, "correct-horse")
    actor = tokens.actor_of(operator, "hf_HubCITokenXXXXXXXXXXXXXXXXXXXXX")
    assert (actor.name, actor.token_role, actor.orgs) == (dummy.name, TokenRole.WRITE, {labs.id: OrgRole.ADMIN})
    # a token without a value is printed, the only time it can be
    made = next(word for line in lines for word in line.split() if word.startswith("hf_"))
    assert tokens.actor_of(operator, made).token_role is TokenRole.READ
    assert [(m.account.name, m.role) for m in orgs.members(operator, labs)] == [
        ("__DUMMY_HUB_USER__", OrgRole.ADMIN),
        ("root", OrgRole.READ),
    ]
    app = apps.find(operator, "dummy-app")
    assert app is not None
    assert app.proves("dummy-secret") and not app.proves("guess")
    rows = lookup.find(operator, RepoId(RepoType.DATASET, "labs", "rows"))
    assert rows.private


def test_files_are_uploaded_large_ones_as_large_ones(operator: Context, tmp_path: Path, net: Path) -> None:
    _apply(operator, tmp_path, WANTED)
    repo = lookup.find(operator.acting_as(ANONYMOUS), RepoId(RepoType.MODEL, "__DUMMY_HUB_USER__", "net"))
    commit = reading.commit_of(operator, repo, "main")
    found = {e.path: e for e in reading.entries(operator, repo, commit, recursive=True) if e.type == "file"}
    assert set(found) == {".gitattributes", "README.md", "sub/weights.bin"}
    assert found["README.md"].lfs is None
    assert found["sub/weights.bin"].lfs is not None
    for path in ("README.md", "sub/weights.bin"):
        with reading.open_file(operator, repo, found[path]) as file:
            assert file.read() == (net / path).read_bytes()
    assert [c.author.name for c in reading.history(operator, repo, commit)[:1]] == ["__DUMMY_HUB_USER__"]


def test_only_what_differs_is_uploaded_and_nothing_is_deleted(operator: Context, tmp_path: Path, net: Path) -> None:
    _apply(operator, tmp_path, WANTED)
    (net / "README.md").write_text("# Another")
    assert _apply(operator, tmp_path, WANTED) == ["model __DUMMY_HUB_USER__/net: 1 files uploaded"]
    (net / "README.md").unlink()
    assert _apply(operator, tmp_path, WANTED) == []


def test_what_differs_is_brought_in_line(operator: Context, tmp_path: Path, net: Path) -> None:
    _apply(operator, tmp_path, WANTED)
    changed = (
        WANTED.replace("Dummy User", "Dumb User")
        .replace("role: write, value", "role: read, value")
        .replace("user: root, role: read", "user: root, role: write")
        .replace("dummy-secret", "other-secret")
        .replace("{type: dataset, id: labs/rows}", "{type: dataset, id: labs/rows, visibility: public}")
        .replace("password: correct-horse, admin: true", "password: battery-staple, admin: false")
    )
    assert _apply(operator, tmp_path, changed) == [
        "user __DUMMY_HUB_USER__: profile changed",
        "token __DUMMY_HUB_USER__/suite: role changed",
        "user root: no longer an administrator",
        "user root: password changed",
        "organization labs: root is now write",
        "OAuth app dummy-app: set up",
        "dataset labs/rows: now public",
    ]
    assert _apply(operator, tmp_path, changed) == []


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("users: [", BadRequest, "YAML"),
        ("- a", BadRequest, "users"),
        ("people: []", BadRequest, "people"),
        ("users: {name: a}", BadRequest, "list"),
        ("users: [ann]", BadRequest, "entry 1"),
        ("users: [{name: a, pasword: x}]", BadRequest, "pasword"),
        ("users: [{fullname: a}]", BadRequest, "name"),
        ("users: [{name: a, tokens: [{name: t, role: all}]}]", BadRequest, "role"),
        ("users: [{name: a/b}]", BadRequest, "a/b"),
        ("organizations: [{name: a, default_visibility: secret}]", BadRequest, "default_visibility"),
        ("organizations: [{name: a, members: [{user: b}]}]", NotFound, "b"),
        ("organizations: [{name: a}]\nrepositories: [{id: a/b}]", NotFound, "administrator"),
        ("repositories: [{id: a/b}]", NotFound, "a"),
        ("users: [{name: a}]\nrepositories: [{id: a/b, files: nowhere}]", NotFound, "nowhere"),
        ("users: [{name: a}]\nrepositories: [{id: a/b, type: modl}]", BadRequest, "modl"),
        ("users: [{name: a}]\norganizations: [{name: A}]", Conflict, "user"),
        ("organizations: [{name: a}]\nusers: [{name: A}]", Conflict, "taken|user"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_the_place(
    operator: Context, tmp_path: Path, text: str, error: type[HubError], says: str
) -> None:
    with pytest.raises(error, match=says):
        _apply(operator, tmp_path, text)


def test_a_run_that_was_cut_off_goes_on(operator: Context, tmp_path: Path, net: Path) -> None:
    with pytest.raises(NotFound):
        _apply(operator, tmp_path, WANTED.replace("files: net", "files: nowhere"))
    with pytest.raises(RepoNotFound):
        lookup.find(operator, RepoId(RepoType.DATASET, "labs", "rows"))
    assert _apply(operator, tmp_path, WANTED) == [
        "model __DUMMY_HUB_USER__/net: 2 files uploaded",
        "dataset labs/rows: created",
    ]


def test_large_files_are_there_before_they_are_named(operator: Context, tmp_path: Path, net: Path) -> None:
    """The store and the commit go by the same rules as an upload over the network."""
    _apply(operator, tmp_path, WANTED)
    owner = people.find_user(operator, "__DUMMY_HUB_USER__")
    as_owner = operator.acting_as(Actor(owner.id, owner.name))
    repo = lookup.find(as_owner, RepoId(RepoType.MODEL, owner.name, "net"))
    with pytest.raises(HubError):
        commits.commit(as_owner, repo, "main", commits.Header("x"), [commits.AddLargeFile("y.bin", "0" * 64)])
