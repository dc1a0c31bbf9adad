"""A test whose program is missing is skipped, and fails where the run requires the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.needs import NEEDS, PACKAGES, need

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture(autouse=True)
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.support.needs.NODE_MODULES", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NEEDS)
def test_what_is_missing_skips(name: str) -> None:
    with pytest.raises(pytest.skip.Exception):
        need(name)


@pytest.mark.parametrize("name", NEEDS)
def test_what_is_missing_and_required_fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("CODRAW_REQUIRE", f"other, {name}")
    with pytest.raises(pytest.fail.Exception, match="required here"):
        need(name)


def test_packages_are_needed_all_of_them(bare_path: Path) -> None:
    *others, last = PACKAGES
    for package in others:
        (bare_path / package).mkdir(parents=True)
    with pytest.raises(pytest.skip.Exception):
        need("npm")
    (bare_path / last).mkdir()
    assert need("npm") == str(bare_path)


@pytest.mark.parametrize("name", ["node", "chromium"])
def test_a_program_on_the_path_is_found(bare_path: Path, name: str) -> None:
    program = bare_path / name
    program.touch(0o755)
    assert need(name) == str(program)


def test_a_chromium_of_another_name_can_be_named(monkeypatch: pytest.MonkeyPatch, bare_path: Path) -> None:
    program = bare_path / "my-browser"
    program.touch(0o755)
    monkeypatch.setenv("CODRAW_TEST_CHROMIUM", str(program))
    assert need("chromium") == str(program)
