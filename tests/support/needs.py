"""Programs and packages that some tests need beside Python, and what happens where one is missing.

`CODRAW_REQUIRE=node,chromium,npm` turns a skip for want of these into a failure; the continuous run sets it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from tests.support.tree import ROOT

NODE_MODULES = ROOT / "tests/node/node_modules"
PACKAGES = ("@asyncapi/parser", "terser", "typescript")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_node() -> str | None:
    return shutil.which("node")


def find_chromium() -> str | None:
    named = os.environ.get("CODRAW_TEST_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


def find_packages() -> str | None:
    return str(NODE_MODULES) if all((NODE_MODULES / name).is_dir() for name in PACKAGES) else None


NEEDS: dict[str, tuple[Callable[[], str | None], str]] = {
    "node": (find_node, "node is not on the path"),
    "chromium": (find_chromium, "Chromium is neither on the path nor named by CODRAW_TEST_CHROMIUM"),
    "npm": (find_packages, "AsyncAPI's own parser, terser or tsc is not in tests/node: npm ci there, or make test"),
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
