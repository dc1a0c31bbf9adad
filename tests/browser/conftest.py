"""A real server and a real Chromium for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import SWITCHES, Window
from tests.support.needs import need
from tests.support.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while it lives its event loop counts as running, and no asynchronous test could run."""
    program = need("chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=list(SWITCHES))


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Callable[..., Window]]:
    """Opens windows, on the page without a build unless an address is given; what a page complains of (its content
    policy, an exception) fails the test."""
    opened: list[Window] = []

    def open_window(name: str, at: str | None = None) -> Window:
        opened.append(Window(browser, at or f"{server.http}/playground", name=name))
        opened[-1].sign_in()
        return opened[-1]

    yield open_window
    faults = [f"{one.name}: {fault}" for one in opened for fault in one.faults]
    for one in opened:
        one.page.context.close()
    assert not faults, "\n".join(faults)
