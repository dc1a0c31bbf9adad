"""The wheel holds everything an installed codraw needs: it is built, installed elsewhere and run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx2
import pytest

from codraw import __version__
from tests.support.needs import need
from tests.support.tree import PACKAGES, ROOT

QUIET = {name: value for name, value in os.environ.items() if not name.startswith(("CODRAW_", "PYTHON"))}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=QUIET, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def present() -> set[str]:
    """What the packages hold before the wheel is built: a file written meanwhile proves nothing."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".sql", ".typed") and "_data" not in path.parts
    }


@pytest.fixture(scope="module")
def installed(present: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The binaries' folder of an environment that has the wheel, and borrows its dependencies from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    (binaries,) = [path for name in ("bin", "Scripts") if (path := folder / "venv" / name).is_dir()]
    python = binaries / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=folder)
    (own,) = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).splitlines()
    (Path(own) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return binaries


def test_the_command_runs(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "codraw", "--version", cwd=tmp_path) == f"codraw {__version__}\n"


def test_the_settings_can_be_shown(installed: Path, tmp_path: Path) -> None:
    assert "CODRAW_STORE_URL" in run(installed / "codraw", "config", cwd=tmp_path)


def test_it_carries_what_it_serves(installed: Path, tmp_path: Path) -> None:
    text = run(installed / "python", "-c", "from codraw.assets import asset; print(asset('SPEC.md'))", cwd=tmp_path)
    assert Path(text.strip()).parts[-3:] == ("codraw", "_data", "SPEC.md")


def test_it_carries_the_editor_where_that_is_built(installed: Path, tmp_path: Path) -> None:
    need("editor")
    names = ("vendor/x6.min.js", "vendor/x6.LICENSE.txt", "editor/index.html", "package.json", "tests", "node_modules")
    program = f"from codraw.assets import asset; print([asset('web/' + name) is not None for name in {names}])"
    assert run(installed / "python", "-c", program, cwd=tmp_path) == f"{[True, True, True, False, False, False]}\n"


def test_every_package_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    there = [package for package in PACKAGES if (ROOT / package / "__init__.py").is_file()]
    text = run(installed / "python", "-c", f"import {', '.join(there)}; print({there[0]}.__file__)", cwd=tmp_path)
    assert Path(text.strip()).is_relative_to(installed.parent)


def test_every_module_and_migration_is_in_it(present: set[str], installed: Path, tmp_path: Path) -> None:
    (own,) = run(installed / "python", "-c", "import codraw; print(codraw.__path__[0])", cwd=tmp_path).splitlines()
    missing = {path for path in present if not (Path(own).parent / path).is_file()}
    assert missing == set()


def test_it_serves_the_page_and_the_documents(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "codraw"), "serve", "--dev", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=QUIET, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            address = process.stdout.readline().split()[-1]
            page = httpx2.get(address, headers={"Accept": "text/html"})
            assert page.headers["content-type"].startswith("text/html") and "codraw" in page.text
            for kind in ("openapi", "asyncapi"):
                assert f"{kind}: " in httpx2.get(f"{address}{kind}.yml").text
        finally:
            process.terminate()
        assert process.wait(60) == 0
