"""A test whose program is missing is skipped, and fails where the run requires the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.needs import NEEDS, need

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture(autouse=True)
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", NEEDS)
def test_a_missing_program_skips(name: str) -> None:
    with pytest.raises(pytest.skip.Exception):
        need(name)


@pytest.mark.parametrize("name", NEEDS)
def test_a_missing_program_that_is_required_fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("CODRAW_REQUIRE", f"other, {name}")
    with pytest.raises(pytest.fail.Exception, match="required here"):
        need(name)


@pytest.mark.parametrize("name", NEEDS)
def test_a_program_on_the_path_is_found(bare_path: Path, name: str) -> None:
    program = bare_path / name
    program.touch(0o755)
    assert need(name) == str(program)


def test_a_chromium_of_another_name_can_be_named(monkeypatch: pytest.MonkeyPatch, bare_path: Path) -> None:
    program = bare_path / "my-browser"
    program.touch(0o755)
    monkeypatch.setenv("CODRAW_TEST_CHROMIUM", str(program))
    assert need("chromium") == str(program)
