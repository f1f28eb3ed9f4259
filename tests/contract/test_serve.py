"""`corral serve` as a newcomer meets it."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from building.serving import Serving
from corral.accounts import people, signin
from corral.context import Context
from corral.core.settings import Settings
from corral.storage.blobs import connect
from corral.storage.database import Database


def _hub(data: Path) -> Context:
    settings = Settings(data=data)
    return Context(settings, Database(settings.database_url), connect("memory:"), b"")


def test_the_first_start_makes_an_administrator_and_says_what_to_try(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as serving:
        url = serving.url
        serving.wait_for("hf upload")
        assert httpx.get(f"{url}/readyz").status_code == 200
        password = serving.wait_for("with the password").split("with the password ")[1].split()[0]
        assert signin.is_password(_hub(serving.data), people.find_user(_hub(serving.data), "admin"), password)
        assert f"  export HF_ENDPOINT={url}" in serving.lines
        assert serving.end() == 0
    assert serving.lines[-1] == "Corral has ended."
    assert serving.text.count(password) == 1

    with Serving(tmp_path / "data") as serving:
        serving.wait_for("hf upload")
        assert "with the password" not in serving.text
        assert f"{serving.url}/login" in serving.text


def test_the_administrators_password_can_be_given(tmp_path: Path) -> None:
    with Serving(tmp_path / "data", CORRAL_ADMIN_PASSWORD="correct horse") as serving:
        serving.wait_for("hf upload")
    assert "correct horse" not in serving.text
    assert signin.sign_in(_hub(tmp_path / "data"), "admin", "correct horse", "::1").is_admin


def test_the_password_is_shown_even_when_the_start_is_cut_off(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as serving:
        serving.wait_for("Corral is starting")
        while not (tmp_path / "data" / "corral.db").exists():
            time.sleep(0.01)
        ctx = _hub(tmp_path / "data")
        while not _has_admin(ctx):
            time.sleep(0.001)
        assert serving.end(signal.SIGTERM) == 0
    password = serving.wait_for("with the password").split("with the password ")[1].split()[0]
    assert signin.is_password(ctx, people.find_user(ctx, "admin"), password)


def _has_admin(ctx: Context) -> bool:
    try:
        return people.find(ctx, "admin") is not None
    except OperationalError:  # the tables are not there yet
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: int) -> None:
    with Serving(tmp_path / "data") as serving:
        url = serving.url
        assert serving.end(number) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/readyz")
    assert "Traceback" not in serving.text


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        serving = Serving(tmp_path / "data", "--port", port)
        assert serving.process.wait(60) == 1
        assert port in serving.wait_for("corral: ")
        assert "--port" in serving.wait_for("corral: ")
