from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from corral.core.settings import Settings, load


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the hub is started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corral.toml").write_text(text)


def test_no_setting_is_needed(folder: Path) -> None:
    assert load({}, {}) == Settings()
    assert load({}, {}).data == folder / "data"


def test_what_is_nearer_wins(folder: Path) -> None:
    written(folder, 'host = "working"\nport = 1\nworkers = 1\nupstream = "working"')
    written(folder / "data", 'host = "data"\nport = 2\nworkers = 2')
    found = load({"host": "given"}, {"CORRAL_HOST": "environment", "CORRAL_PORT": "3"})
    assert (found.host, found.port, found.workers, found.upstream) == ("given", 3, 2, "working")


def test_the_data_folder_holds_settings_wherever_it_is(folder: Path) -> None:
    written(folder / "elsewhere", "port = 1234")
    assert load({"data": folder / "elsewhere"}, {}).port == 1234
    assert load({}, {"CORRAL_DATA": str(folder / "elsewhere")}).port == 1234
    assert load({"data": "none"}, {"CORRAL_DATA": "elsewhere"}).port == Settings().port


@pytest.mark.parametrize("named", ["there", "~/there", "ABSOLUTE/there"])
def test_the_data_folder_that_a_file_names_holds_settings_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    written(folder, f'data = "{named.replace("ABSOLUTE", str(folder))}"\nport = 1\nhost = "working"')
    # which is not led on to yet another one
    written(folder / "there", 'port = 2\ndata = "elsewhere"')
    written(folder / "data", "port = 3")
    found = load({}, {})
    assert (found.data, found.port, found.host) == (folder / "there", 2, "working")
    assert load({"data": "data"}, {"CORRAL_DATA": "there"}).port == load({}, {"CORRAL_DATA": "data"}).port == 3


def test_database_and_store_are_in_the_data_folder_unless_they_are_chosen(folder: Path) -> None:
    found = load({}, {"CORRAL_DATA": "some/where"})
    assert found.data == folder / "some" / "where"
    assert found.database_url == f"sqlite:///{folder}/some/where/corral.db"
    assert found.storage_url == f"file://{folder}/some/where/store"
    chosen = {"CORRAL_DATABASE_URL": "postgresql:///corral", "CORRAL_STORAGE_URL": "memory:"}
    found = load({}, chosen)
    assert (found.database_url, found.storage_url) == ("postgresql:///corral", "memory:")


def test_a_home_folder_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ann"))
    written(tmp_path / "ann" / "hub", "port = 1234")
    for found in (load({"data": "~/hub"}, {}), load({}, {"CORRAL_DATA": "~/hub"})):
        assert (found.data, found.port) == (tmp_path / "ann" / "hub", 1234)


def test_what_is_not_given_changes_nothing() -> None:
    assert load({"port": None, "host": None}, {"CORRAL_PORT": "9"}).port == 9


def test_keys_may_be_written_as_in_the_environment(folder: Path) -> None:
    written(folder, 'CORRAL_PORT = 4\ncorral_workers = 2\nPublic_URL = "http://x"')
    found = load({}, {})
    assert (found.port, found.workers, found.public_url) == (4, 2, "http://x")


def test_unknown_keys_are_left_to_others(folder: Path) -> None:
    written(folder, 'colour = "blue"\n[starter]\nmodels = 3')
    assert load({}, {"CORRAL_STARTER": "0", "PORT": "1", "corral_port": "1"}) == Settings()


@pytest.mark.parametrize("value", ["many", "1.5", "0x10", "1 2"])
def test_a_value_of_the_wrong_form_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=f"setting 'workers': '{value}' is not a valid int"):
        load({}, {"CORRAL_WORKERS": value})


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        *((f"port = {value}", "int") for value in ("[1]", "1.5", "true", "2026-01-31", "{a = 1}", '"many"')),
        *((f"host = {value}", "str") for value in ("['a']", "1", "1.5", "false", "2026-01-31", "{a = 1}")),
        *((f"data = {value}", "Path") for value in ("['a']", "1", "false", "{a = 1}")),
        ("[upstream]\nurl = 'x'", "str"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(folder: Path, line: str, kind: str) -> None:
    key = line.strip("[").partition(" ")[0].partition("]")[0]
    for place in (folder, folder / "data") if key != "data" else (folder,):
        written(place, line)
        with pytest.raises(ValueError, match=rf"setting '{key}': .* is not a valid {kind}"):
            load({}, {})
        written(place, "")


def test_a_file_that_is_no_toml_is_refused(folder: Path) -> None:
    written(folder, "port = ")
    with pytest.raises(ValueError, match="Invalid value"):
        load({}, {})


@pytest.mark.parametrize("key", [f.name for f in fields(Settings)])
def test_an_empty_text_is_the_default(folder: Path, key: str) -> None:
    assert load({}, {f"CORRAL_{key.upper()}": ""}) == load({key: ""}, {}) == Settings()
    # and hides nothing that is farther away
    written(folder, 'data = "there"\nport = 5')
    written(folder / "there", f'{key} = ""')
    expected = Settings(data=Path("there"), port=5)
    assert load({key: ""}, {f"CORRAL_{key.upper()}": ""}) == expected


def test_the_address_of_the_hub() -> None:
    assert Settings(port=8).address == "http://127.0.0.1:8"
    assert Settings(public_url="https://hub.example.org/").address == "https://hub.example.org"
