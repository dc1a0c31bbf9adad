"""The command line: what it refuses, what it shows, what it hides, how it exits."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from codraw import __version__
from codraw.cli import cli
from codraw.settings import Settings, load, variable

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"


def codraw(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, words, env=variables)


def test_it_says_its_version() -> None:
    assert codraw("--version").output == f"codraw {__version__}\n"


def test_serve_refuses_with_one_sentence_per_reason() -> None:
    result = codraw("serve", "--workers", "2", "--dev")
    assert result.exit_code == 1
    assert result.stderr == "error: More than one worker needs PostgreSQL and Redis, which are not in this version.\n"


def test_a_wrong_option_is_wrong_use() -> None:
    assert codraw("serve", "--prot", "1").exit_code == 2


def test_an_unreadable_setting_refuses_every_command() -> None:
    result = codraw("config", CODRAW_PORT="x")
    assert result.exit_code == 1 and result.stderr.startswith("error: CODRAW_PORT should be")


def test_check_of_sound_settings_is_good() -> None:
    result = codraw("check", CODRAW_SECRET_KEY=SECRET, CODRAW_PUBLIC_URL="https://draw.example.org")
    assert (result.exit_code, result.stderr) == (0, "")


def test_check_names_what_is_wrong() -> None:
    result = codraw("check")
    assert result.exit_code == 1 and "CODRAW_SECRET_KEY is not set" in result.stderr


def test_an_unknown_name_warns_and_does_not_fail() -> None:
    result = codraw("check", "--dev", CODRAW_PROT="1")
    assert result.exit_code == 0
    assert result.stderr == "warning: CODRAW_PROT is not a setting; did you mean CODRAW_PORT?\n"


def test_config_shows_each_setting_with_its_source() -> None:
    row = next(line for line in codraw("config", CODRAW_PORT="81").output.splitlines() if "CODRAW_PORT" in line)
    assert row.split() == ["CODRAW_PORT", "81", "environment"]


@pytest.mark.parametrize("form", [(), ("--env",)])
def test_config_hides_secrets(form: tuple[str, ...]) -> None:
    output = codraw("config", *form, CODRAW_SECRET_KEY=SECRET, CODRAW_STORE_URL="postgresql://ann:hunter2@db/x").output
    assert SECRET not in output and "hunter2" not in output and "ann:hidden@db/x" in output


def test_the_printed_env_is_one_that_can_be_read(tmp_path: Path) -> None:
    text = codraw("config", "--env").output
    (tmp_path / ".env").write_text("\n".join(line.replace("#CODRAW", "CODRAW") for line in text.splitlines()))
    assert load() == Settings()
    assert all(variable(field) in text for field in Settings.model_fields)
