"""A test whose program is missing is skipped, and fails where the run requires the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.needs import NEEDS, PACKAGES, find_python27, need

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture(autouse=True)
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.support.needs.NODE_MODULES", tmp_path)
    monkeypatch.setattr("tests.support.needs.EDITOR", tmp_path / "x6.min.js")
    monkeypatch.setattr("tests.support.needs.AUTOBAHN", tmp_path / "suite")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr("tests.support.needs.SYSTEM_PROGRAMS", str(tmp_path))
    monkeypatch.setattr("codraw.local_stores.SYSTEM_POSTGRES", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
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


def test_the_editor_is_there_when_its_library_is(bare_path: Path) -> None:
    (bare_path / "x6.min.js").touch()
    assert need("editor") == str(bare_path / "x6.min.js")


@pytest.mark.parametrize("name", ["node", "chromium", "nginx", "haproxy"])
def test_a_program_on_the_path_is_found(bare_path: Path, name: str) -> None:
    program = bare_path / name
    program.touch(0o755)
    assert need(name) == str(program)


def test_a_chromium_of_another_name_can_be_named(monkeypatch: pytest.MonkeyPatch, bare_path: Path) -> None:
    program = bare_path / "my-browser"
    program.touch(0o755)
    monkeypatch.setenv("CODRAW_TEST_CHROMIUM", str(program))
    assert need("chromium") == str(program)


def test_a_server_elsewhere_is_as_good_as_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_TEST_POSTGRES_URL", "postgresql://db.example/codraw")
    assert need("postgres") == "postgresql://db.example/codraw"


@pytest.mark.parametrize(("version", "enough"), [("7.0.15", True), ("10.1.0", True), ("6.2.14", False)])
def test_redis_7_is_known_by_what_it_says(bare_path: Path, version: str, enough: bool) -> None:
    program = bare_path / "redis-server"
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0:0'\n")
    program.chmod(0o755)
    assert (NEEDS["redis7"][0]() == str(program)) is enough


def python27(at: Path, exit_code: int = 0) -> Path:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    at.chmod(0o755)
    return at


def test_the_suite_needs_its_python_and_itself(bare_path: Path) -> None:
    program = python27(bare_path / "python2.7")
    with pytest.raises(pytest.skip.Exception):
        need("autobahn")
    (bare_path / "suite").mkdir()
    assert need("autobahn") == str(program)


def test_a_python_that_only_says_which_there_are_is_passed_over_for_one_of_pyenv(bare_path: Path) -> None:
    python27(bare_path / "python2.7", exit_code=127)
    program = python27(bare_path / "versions/2.7.18/bin/python2.7")
    assert find_python27() == str(program)


def test_a_python_elsewhere_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_TEST_PYTHON27", "other/python2.7")
    assert find_python27() == "other/python2.7"
