"""Draws the picture of the editor for the README: `python -m tests.browser.screenshot docs/page.png [dark]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Locator, sync_playwright

from tests.browser.window import SWITCHES, Window
from tests.support.needs import find_chromium
from tests.support.servers import Server


def draw(browser: Browser, server: Server, scheme: str) -> Window:
    """Alice's window, with Bob at work in it."""
    alice = Window(browser, f"{server.http}/", name="alice", scheme=scheme, width=1560)
    alice.sign_in()
    alice.page.locator(".template", has_text="Web shop").click()
    alice.create("Online shop")
    bob = Window(browser, alice.page.url, name="bob")
    bob.sign_in()
    bob.await_state("live")
    point_at(bob, "Payments")
    point_at(alice, "Web shop")
    alice.page.mouse.move(40, 700)
    alice.page.wait_for_selector(".cursor")
    alice.await_state("live")
    # The notice of who has come goes by itself.
    alice.page.locator(".toast").first.wait_for(state="detached")
    return alice


def point_at(window: Window, label: str) -> None:
    """Selects the box, and leaves the pointer beside its name."""
    box = caption(window, label).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    window.page.mouse.click(x, y)
    window.page.mouse.move(x + 24, y + 30, steps=5)


def caption(window: Window, label: str) -> Locator:
    found = window.page.locator(".stage text", has_text=label).first
    found.wait_for()
    return found


def main(target: Path, scheme: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(SWITCHES))
        draw(browser, server, scheme).page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "light")
