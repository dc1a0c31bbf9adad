"""Draws the picture of the page for the README: `python -m tests.browser.screenshot docs/page.png [dark]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import SWITCHES, Window
from tests.support.needs import find_chromium
from tests.support.servers import Server

BOXES = (
    ("actor", 140, 250, "Customer"),
    ("process", 490, 200, "Web shop"),
    ("process", 490, 400, "Payments"),
    ("store", 760, 200, "Orders"),
    ("actor", 140, 480, "Card issuer"),
)
FLOWS = (
    ("Customer", "Web shop", "browse, order"),
    ("Web shop", "Orders", "save"),
    ("Web shop", "Payments", "charge"),
    ("Payments", "Card issuer", "authorise"),
    ("Card issuer", "Payments", "approved"),
    ("Payments", "Orders", "paid"),
)


def draw(browser: Browser, server: Server, scheme: str) -> Window:
    """Alice's window, with Bob at work in it."""
    alice = Window(browser, f"{server.http}/", name="alice", scheme=scheme)
    alice.sign_in()
    alice.create("Online shop")
    boundary(alice)
    for box in BOXES:
        alice.place(*box)
    for flow in FLOWS:
        alice.connect(*flow)
    alice.page.keyboard.press("Escape")
    bob = Window(browser, alice.page.url, name="bob")
    bob.sign_in()
    bob.await_state("live")
    bob.node("Orders").wait_for()
    bob.page.mouse.click(*bob.middle("Payments"))
    x, y = bob.middle("Payments")
    bob.page.mouse.move(x + 30, y + 44)
    alice.page.mouse.click(*alice.middle("Orders"))
    alice.fact("vector")
    alice.page.click("[aria-label='Show everything']")
    alice.page.click("text=Compare now")
    alice.await_fact("server-hash", "the same")
    alice.page.wait_for_selector(".cursor")
    return alice


def boundary(window: Window) -> None:
    """Around the shop's own boxes, pulled to their size by its corner."""
    window.place("security-boundary", 560, 250, "Shop's network")
    window.await_state("live")
    corner = window.page.locator("[data-corner=se]").bounding_box()
    assert corner is not None
    mouse = window.page.mouse
    mouse.move(corner["x"] + 4, corner["y"] + 4)
    mouse.down()
    mouse.move(corner["x"] + 156, corner["y"] + 130, steps=4)
    mouse.up()


def main(target: Path, scheme: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(SWITCHES))
        draw(browser, server, scheme).page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "light")
