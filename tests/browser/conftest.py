"""A real server and a real Chromium for the tests of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import SWITCHES, Window

ROOT = Path(__file__).parents[2]
BANNER = re.compile(r"^\s*editor\s+(http://\S+)", re.MULTILINE)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's address on a development server that lives as long as the tests."""
    folder = tmp_path_factory.mktemp("server")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CODRAW_")}
    command = [sys.executable, "-m", "codraw", "serve", "--dev", "--port", "0", "--store", f"sqlite:///{folder}/codraw.db"]
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield announced(server)
        finally:
            server.terminate()
            server.wait(20)


def announced(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := BANNER.search(line):
            return found.group(1)
    pytest.fail("the server ended before it said where it is")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from tests.support.needs import need

    program = need("chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=list(SWITCHES))


@pytest.fixture
def window(browser: Browser, address: str) -> Iterator[Callable[..., Window]]:
    """Opens windows; whatever a page complains of (its content policy, an exception) fails the test."""
    opened: list[Window] = []

    def open_window(name: str, at: str | None = None) -> Window:
        opened.append(Window(browser, at or address, name=name))
        opened[-1].sign_in()
        return opened[-1]

    yield open_window
    faults = [f"{one.name}: {fault}" for one in opened for fault in one.faults]
    for one in opened:
        one.page.context.close()
    assert not faults, "\n".join(faults)
