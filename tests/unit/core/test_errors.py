from __future__ import annotations

import pytest

from corral.core import errors
from corral.core.errors import Busy, Conflict, HubError, NotFound, RepoNotFound, StaleParent, TooManyRequests


def test_a_refusal_is_of_its_kind_unless_it_says_otherwise() -> None:
    plain = Conflict("no")
    assert (str(plain), plain.message, plain.status, plain.code, plain.extra) == ("no", "no", 409, "Conflict", {})
    chosen = Conflict("no", status=410, code="Gone", url="/x")
    assert (chosen.status, chosen.code, chosen.extra) == (410, "Gone", {"url": "/x"})
    assert (Conflict.status, Conflict.code) == (409, "Conflict")


def test_what_one_refusal_carries_is_not_in_another() -> None:
    first = NotFound("a", url="/a")
    first.headers["X-Repo-Commit"] = "1"
    assert (NotFound("b").headers, NotFound("b").extra) == ({}, {})


@pytest.mark.parametrize(
    ("kind", "status"),
    [("RepoNotFound", 404), ("RevisionNotFound", 404), ("EntryNotFound", 404), ("GatedRepo", 403)],
)
def test_the_codes_that_the_client_turns_into_exceptions(kind: str, status: int) -> None:
    made: type[HubError] = getattr(errors, kind)
    assert (made.status, made.code) == (status, kind)


def test_what_is_absent_is_not_named() -> None:
    assert str(RepoNotFound()) == "Repository not found"


def test_a_lost_race_reads_as_the_clients_tests_expect() -> None:
    assert StaleParent().status == 412
    assert "updated since you opened" in StaleParent().message


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (7, "7"), (90.4, "90"), (-5, "1")])
def test_a_wait_is_at_least_a_second(seconds: float, header: str) -> None:
    for kind, status in ((Busy, 503), (TooManyRequests, 429)):
        error = kind("later", seconds, estimated_time=seconds)
        assert error.headers == {"Retry-After": header}
        assert error.extra == {"estimated_time": seconds}
        assert error.status == status
