from __future__ import annotations

import pytest

from corral.core.ids import RepoId, RepoType
from corral.web.address import local, repo_url


@pytest.mark.parametrize(
    "target",
    [
        *(
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "evil",
        ),
        *("/ok\r\nSet-Cookie: a=b", "/\t/evil.example", "", " /x", "/a\\b", "http:/evil.example", "/\u2028x"),
    ],
)
def test_next_leads_nowhere_else(target: str) -> None:
    assert local(target) == "/"


@pytest.mark.parametrize(
    "target", ["/", "/ada/m?x=1&y=2#z", "/datasets/ada/d/tree/refs%2Fpr%2F1", "/models?search=a//b"]
)
def test_next_leads_back(target: str) -> None:
    assert local(target) == target


def test_repo_addresses_are_encoded() -> None:
    rid = RepoId(RepoType.SPACE, "ada", "app")
    assert repo_url(rid) == "/spaces/ada/app"
    assert repo_url(rid, "tree", "refs/pr/1", "a folder/b#c") == "/spaces/ada/app/tree/refs%2Fpr%2F1/a%20folder/b%23c"
