"""The settings, where they come from and where they are told."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import Settings, read_settings

EXAMPLE = (Path(__file__).resolve().parent.parent / ".env.example").read_text(encoding="utf-8")


def test_the_example_shows_every_setting_with_its_default() -> None:
    shown = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if line and not line.startswith("#"))

    defaults = {
        (field.alias or name).upper(): "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }

    assert shown == defaults


def test_the_example_means_the_defaults(tmp_path: Path) -> None:
    copy = tmp_path / ".env"
    copy.write_text(EXAMPLE, encoding="utf-8")

    assert Settings(_env_file=copy) == Settings()  # type: ignore[call-arg]


def test_a_file_of_settings_is_read_where_it_is_named_and_not_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "named.env"
    named.write_text("BACKTEST_USER=carol\n", encoding="utf-8")

    monkeypatch.setenv("BACKTEST_ENV_FILE", str(named))
    assert read_settings().user_id == "carol"
    monkeypatch.setenv("BACKTEST_ENV_FILE", "")
    assert read_settings().user_id == "local"


def test_data_folders_are_full_paths_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKTEST_DATA_FOLDERS", os.pathsep.join(["/data/prices", "~/prices", ""]))
    assert read_settings().data_folders == (Path("/data/prices"), Path.home() / "prices")

    monkeypatch.setenv("BACKTEST_DATA_FOLDERS", "prices")
    with pytest.raises(ValidationError, match="write full paths"):
        read_settings()


@pytest.mark.parametrize("url", ["local", "tcp://127.0.0.1:8786", "tls://scheduler:8786", "tcp://[::1]:8786"])
def test_an_executor_is_here_or_has_an_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EXECUTOR_URL", url)

    assert read_settings().executor_url == url


@pytest.mark.parametrize("url", ["here", "http://host:8786", "tcp://host", "tcp://user:secret@host:1", "tcp://h:1/x"])
def test_what_is_no_address_of_an_executor_is_refused_with_what_one_looks_like(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("EXECUTOR_URL", url)

    with pytest.raises(ValidationError, match="tcp://host:port or tls://host:port of a Dask scheduler"):
        read_settings()


def test_the_environment_is_read_when_settings_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:s3cret@h/d")
    monkeypatch.setenv("BACKTEST_USER", "alice")

    settings = read_settings()

    assert settings.user_id == "alice"
    assert "s3cret" not in repr(settings)
