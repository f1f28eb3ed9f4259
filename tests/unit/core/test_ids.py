from __future__ import annotations

import re

import pytest
from huggingface_hub.utils import HFValidationError, validate_repo_id
from hypothesis import example, given
from hypothesis import strategies as st

from corral.core.errors import BadRequest
from corral.core.ids import RepoId, RepoType, check_account_name, check_name, new_object_id

ALLOWED = "aZ09-_."
ENDINGS = st.sampled_from(["", ".git", ".ipynb", "--", "\n"])


def ours(name: str) -> bool:
    try:
        return check_name(name, "repository name") == name
    except BadRequest:
        return False


def theirs(name: str) -> bool:
    try:
        validate_repo_id(f"owner/{name}")
    except HFValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "is empty"),
        ("a" * 97, "longer than 96"),
        *((name, "only letters, digits") for name in ("a b", "é", "a/b", "a\n", "a\0b", "٣", "a\u200b", "a\ud800")),
        *((name, "may not start or end") for name in ("-a", "a-", ".a", "a.", "a--b", "a..b", "..", "-")),
        *((name, "may not end with '.git'") for name in ("a.git", "a.GIT", "a.ipynb", "a.IpyNb")),
    ],
)
def test_a_refusal_says_which_rule_a_name_breaks(name: str, rule: str) -> None:
    with pytest.raises(BadRequest, match=rule) as error:
        check_name(name, "repository name")
    assert (error.value.status, error.value.code) == (400, "InvalidName")
    assert "The repository name" in error.value.message


@pytest.mark.parametrize("name", ["a", "0", "_", "__", "A-b_c.d", "a" * 96, "a.git.b", "git", "ipynb"])
def test_other_names_are_taken_as_they_are(name: str) -> None:
    assert check_name(name, "repository name") == name


@given(st.text(ALLOWED, max_size=6) | st.text(ALLOWED, min_size=94, max_size=98), ENDINGS)
@example("a.b", ".GIT")
def test_names_are_those_that_the_client_takes(start: str, ending: str) -> None:
    name = start + ending
    # the client leaves these to the hub
    left = name.lower().endswith((".git", ".ipynb"))
    assert ours(name) == (theirs(name) and not left)


@given(st.text(max_size=8))
def test_the_client_takes_whatever_name_there_is(name: str) -> None:
    assert theirs(name) or not ours(name)


@pytest.mark.parametrize("name", ["api", "API", "Settings", "datasets", "favicon.ico", "v2"])
def test_words_of_the_hubs_own_addresses_are_no_account_names(name: str) -> None:
    with pytest.raises(BadRequest, match="reserved"):
        check_account_name(name)
    assert check_name(name, "repository name") == name


def test_an_account_name_is_a_name() -> None:
    assert check_account_name("Ann-2") == "Ann-2"
    with pytest.raises(BadRequest, match="The account name 'a--b'"):
        check_account_name("a--b")


@pytest.mark.parametrize(
    ("text", "owner", "name"),
    [
        ("ann/model", "ann", "model"),
        ("Ann/My.Model", "Ann", "My.Model"),
        ("gpt2", "", "gpt2"),
        ("a/b/c", "a/b", "c"),
        ("ann/", "ann", ""),
        ("", "", ""),
    ],
)
def test_an_id_is_an_owner_and_a_name(text: str, owner: str, name: str) -> None:
    rid = RepoId.parse(RepoType.MODEL, text)
    assert (rid.owner, rid.name) == (owner, name)
    assert str(rid) == text


@pytest.mark.parametrize(
    ("type", "path", "plural"),
    [
        (RepoType.MODEL, "ann/x", "models"),
        (RepoType.DATASET, "datasets/ann/x", "datasets"),
        (RepoType.SPACE, "spaces/ann/x", "spaces"),
        (RepoType.BUCKET, "buckets/ann/x", "buckets"),
    ],
)
def test_addresses_of_each_type(type: RepoType, path: str, plural: str) -> None:
    assert RepoId(type, "ann", "x").path == path
    assert type.plural == plural
    assert RepoType.from_plural(plural) is type


@pytest.mark.parametrize("word", ["", "s", "papers", "Models", "models/"])
def test_other_words_are_no_type(word: str) -> None:
    with pytest.raises(ValueError, match="is not a valid RepoType"):
        RepoType.from_plural(word)


@pytest.mark.parametrize(
    ("owner", "name", "label"),
    [
        ("Ann", "My_Space.2", "ann-my-space-2"),
        ("a", "b-c", "a-b-c"),
        ("a-b", "c", "a-b-c"),
        ("_a", "b_", "a-b"),
        ("_", "_", ""),
        ("a" * 40, "b" * 40, "a" * 40 + "-" + "b" * 22),
        ("a" * 62, "b", "a" * 62),
    ],
)
def test_the_label_of_a_space(owner: str, name: str, label: str) -> None:
    assert RepoId(RepoType.SPACE, owner, name).subdomain == label


@given(st.text(ALLOWED, min_size=1, max_size=96), st.text(ALLOWED, min_size=1, max_size=96))
def test_a_label_is_one_that_dns_allows(owner: str, name: str) -> None:
    assert re.fullmatch("([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?", RepoId(RepoType.SPACE, owner, name).subdomain)


def test_object_ids_are_24_digits_and_never_the_same() -> None:
    made = {new_object_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in made)
