"""Files that no package holds are found in a checkout and in a wheel, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from codraw.assets import asset


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "site" / "codraw"
    folder.mkdir(parents=True)
    return folder


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("here")
    return path


def test_a_checkout_has_them_beside_the_package(package: Path) -> None:
    put(package.parent / "pyproject.toml")
    page = put(package.parent / "web" / "index.html")
    assert asset("web/index.html", package) == page.resolve()


def test_a_wheel_has_them_inside_the_package(package: Path) -> None:
    put(package.parent / "pyproject.toml")
    put(package.parent / "SPEC.md")
    carried = put(package / "_data" / "SPEC.md")
    assert asset("SPEC.md", package) == carried.resolve()


def test_a_neighbour_of_an_installed_package_is_not_ours(package: Path) -> None:
    put(package.parent / "web" / "index.html")
    assert asset("web", package) is None


def test_a_folder_is_an_asset_too(package: Path) -> None:
    put(package / "_data" / "web" / "editor" / "index.html")
    assert asset("web/editor", package) == (package / "_data" / "web" / "editor").resolve()


def test_what_is_absent_is_none(package: Path) -> None:
    put(package / "_data" / "SPEC.md")
    assert asset("openapi.yml", package) is None


def test_nothing_outside_is_an_asset(package: Path) -> None:
    put(package / "_data" / "SPEC.md")
    put(package / "settings.py")
    assert asset("../settings.py", package) is None


def test_this_checkout_has_its_specification() -> None:
    found = asset("SPEC.md")
    assert found is not None and found.name == "SPEC.md"
