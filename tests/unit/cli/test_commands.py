"""The commands as a person types them, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


class Command:
    """`corral …` on one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, *args: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CORRAL_DATA": str(self.data)}
        return subprocess.run(
            [sys.executable, "-m", "corral", *args], env=environment, input=typed, capture_output=True, text=True
        )

    def __call__(self, *args: str, typed: str = "") -> str:
        done = self.run(*args, typed=typed)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def corral(tmp_path: Path) -> Command:
    return Command(tmp_path / "data")


def test_users_organizations_and_tokens_are_administered(corral: Command) -> None:
    corral(
        "user",
        "create",
        "ann",
        "--email",
        "ann@example.org",
        "--fullname",
        "Ann A.",
        "--admin",
        typed="correct horse\n",
    )
    corral("user", "create", "robot", "--no-password")
    assert corral("user", "list") == "ann\tAnn A.\tann@example.org\tadmin\nrobot\n"
    corral("user", "admin", "ann", "--revoke")
    assert corral("user", "list").splitlines()[0] == "ann\tAnn A.\tann@example.org"

    corral("org", "create", "labs", "--admin", "ann")
    corral("org", "add-member", "labs", "robot", "--role", "contributor")
    assert corral("org", "members", "labs") == "ann\tadmin\nrobot\tcontributor\n"
    corral("org", "remove-member", "labs", "robot")
    assert corral("org", "members", "labs") == "ann\tadmin\n"

    token = corral("token", "create", "robot", "--role", "write")
    assert token.startswith("hf_")
    assert token == token.strip() + "\n"
    number, name, role, *_ = corral("token", "list", "robot").split("\t")
    assert (name, role) == ("command line", "write")
    corral("token", "revoke", "robot", number)
    assert corral("token", "list", "robot") == ""


def test_a_refusal_is_one_sentence_and_a_status(corral: Command) -> None:
    for args in (
        ("token", "create", "nobody"),
        ("user", "create", "datasets", "--no-password"),
        ("org", "create", "labs", "--admin", "nobody"),
    ):
        done = corral.run(*args)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("corral: ")
        assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_named(corral: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "corral", "user", "list"],
        env={**os.environ, "CORRAL_DATA": str(corral.data), "CORRAL_PORT": "http"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "port" in done.stderr


def test_help_loads_neither_the_web_application_nor_the_database() -> None:
    program = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from corral.cli.main import app\n"
        "try: app()\n"
        "except SystemExit: print('LOADED', {'fastapi', 'sqlalchemy', 'pygit2', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "LOADED set()" in done.stdout, done.stderr
    assert "provision" in done.stdout


def test_help_answers_quickly() -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "corral", "--help"], capture_output=True, check=True)
        return time.perf_counter() - begun

    # the best of a few: other tests run at the same time
    assert min(seconds() for _ in range(3)) < 2


def test_doctor_names_what_is_wrong(corral: Command, tmp_path: Path) -> None:
    assert "FAULT" not in corral("doctor")
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "corral", "doctor"],
        env={
            **os.environ,
            "CORRAL_DATA": str(corral.data),
            "CORRAL_DATABASE_URL": "postgresql://127.0.0.1:1/none",
            "CORRAL_STORAGE_URL": f"file://{tmp_path}/file",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    faults = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert len(faults) == 2
    assert "PostgreSQL" in faults[0]
    assert "store" in faults[1]
