"""Pictures of the main views, kept for whoever looks at a run: in CODRAW_TEST_ARTIFACTS, or build/screenshots."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.support.tree import ROOT


def folder() -> Path:
    return Path(os.environ.get("CODRAW_TEST_ARTIFACTS") or ROOT / "build/screenshots")


def keep(page: Page, name: str) -> None:
    """As it looks now, under this name; one of an earlier run gives way."""
    folder().mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder() / f"{name}.png", animations="disabled")
