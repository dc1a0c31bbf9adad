"""Ctrl+P: on paper stands the drawing, whole and alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.test_editor import Drawing, node
from tests.browser.window import Window
from tests.support.needs import need
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium

WIDE = [node(at, f"Step {at}", at * 400, at * 90) for at in range(40)]
"""More than a window shows, and more than the editor keeps drawn."""
DRAWN = """() => [...document.querySelectorAll(".x6-cell, g.cell")].map((cell) => {
    const { left, top, right, bottom } = cell.getBoundingClientRect();
    return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
})"""
BESIDE = '.bar, .tools, .zoom, .minimap, .format, .marks, .together, .toast, .inspector, [class*="handle"]'


@pytest.mark.parametrize("path", ["/", "/playground"])
def test_on_paper_stands_the_whole_drawing_alone(window: Callable[..., Window], server: Server, path: str) -> None:
    need("editor")
    alice = Drawing(window("alice", at=f"{server.http}{path}"))
    alice.open(cells=WIDE)
    page = alice.page
    page.locator(".x6-cell, g.cell").first.wait_for()
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    page.keyboard.press("Tab")
    assert sum(page.evaluate(DRAWN)) < len(WIDE)
    world = page.locator(".x6-graph-svg-viewport, .world")
    view = world.get_attribute("transform")

    pages = re.findall(rb"/Type\s*/Page\b", page.pdf())
    assert len(pages) == 1

    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(DRAWN) == [True] * len(WIDE)
    assert not [one for one in page.locator(BESIDE).all() if one.is_visible()]

    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("svg[viewBox]:is(.x6-graph-svg, .canvas)").count() == 0
    expect(world).to_have_attribute("transform", view or "")  # once the page has its size again
