"""Draws the picture of the editor for the README: `python -m tests.browser.screenshot docs/page.png [dark]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import SWITCHES, Window
from tests.support.needs import find_chromium
from tests.support.servers import Server


def draw(browser: Browser, server: Server, scheme: str) -> Window:
    """Alice's window, with Bob and Carol at work in it."""
    alice = Window(browser, f"{server.http}/", name="alice", scheme=scheme, width=1560)
    alice.sign_in()
    alice.page.get_by_role("radio", name="Web shop").check(force=True)
    alice.create("Online shop")
    for name, label, beside in (("bob", "Payments", (60, 50)), ("carol", "Catalogue", (-90, 60))):
        point_at(join(browser, alice.page.url, name), label, beside)
    alice.page.mouse.click(*middle(alice, "Customer"))
    alice.page.locator(".cursor").nth(1).wait_for()
    alice.page.locator(".toast").first.wait_for(state="detached")
    return alice


def join(browser: Browser, link: str, name: str) -> Window:
    window = Window(browser, link, name=name)
    window.sign_in()
    window.await_state("live")
    return window


def point_at(window: Window, label: str, beside: tuple[int, int]) -> None:
    x, y = middle(window, label)
    window.page.mouse.click(x, y)
    window.page.mouse.move(x + beside[0], y + beside[1], steps=4)


def middle(window: Window, label: str) -> tuple[float, float]:
    text = window.page.locator(".stage text", has_text=label).first
    text.wait_for()
    box = text.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def main(target: Path, scheme: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(SWITCHES))
        draw(browser, server, scheme).page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "light")
