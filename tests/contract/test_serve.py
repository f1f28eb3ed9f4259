"""`corral serve` as a newcomer meets it."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from sqlalchemy.exc import OperationalError

from building.serving import Serving
from building.zoo import fake_zoo
from corral.accounts import people, signin, tokens
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


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    return fake_zoo(tmp_path / "checkout")


def _tokens(data: Path) -> list[str]:
    ctx = _hub(data)
    return [token.name for token in tokens.list_tokens(ctx, people.find_user(ctx, "admin").id)]


def test_a_new_hub_is_filled_once_with_progress(tmp_path: Path, zoo: Path) -> None:
    data = tmp_path / "data"
    with Serving(data, starter=zoo) as serving:
        api = HfApi(endpoint=serving.url, token=False)
        assert api.list_repo_files("corral/small") == [".gitattributes", "README.md"]
        begun, done, ready = (
            next(n for n, line in enumerate(serving.lines) if words in line)
            for words in ("corral/small", "done", "Corral is ready at")
        )
        assert begun < done < ready
        assert _tokens(data) == []
        secret = serving.command("token", "create", "admin", "--role", "write").strip()
        HfApi(endpoint=serving.url, token=secret).delete_repo("corral/small")

    # what was deleted stays deleted
    with Serving(data, starter=zoo) as serving:
        assert not HfApi(endpoint=serving.url, token=False).repo_exists("corral/small")
        assert "corral/small" not in serving.text


def test_filling_that_is_cut_off_or_fails_is_gone_on_with(tmp_path: Path, zoo: Path) -> None:
    data = tmp_path / "data"
    (zoo / "wait").touch()
    with Serving(data, starter=zoo) as serving:
        serving.wait_for("begun by admin")
        begun = time.monotonic()
        assert serving.end() == 0
        assert time.monotonic() - begun < 30
        assert "with the password" in serving.text
    assert _tokens(data) == []
    (zoo / "wait").unlink()

    (zoo / "fail").touch()
    with Serving(data, starter=zoo) as serving:
        serving.wait_for("The starter content is not complete; the next start goes on with it.")
        assert HfApi(endpoint=serving.url, token=False).file_exists("corral/small", "README.md")
    (zoo / "fail").unlink()

    for filled in (True, False):
        with Serving(data, starter=zoo) as serving:
            assert HfApi(endpoint=serving.url, token=False).file_exists("corral/small", "README.md")
            assert ("corral/small" in serving.text) is filled


def test_the_hub_answers_while_it_is_being_filled(tmp_path: Path, zoo: Path) -> None:
    (zoo / "wait").touch()
    with Serving(tmp_path / "data", starter=zoo) as serving:
        url = serving.wait_for("Corral answers at").split()[3].rstrip(".")
        serving.wait_for("begun by admin")
        assert httpx.get(f"{url}/api/models").status_code == 200
        assert "Corral is ready" not in serving.text
