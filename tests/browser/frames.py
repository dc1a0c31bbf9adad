"""Frames a second while a node is dragged in a diagram of 2 000: `python -m tests.browser.frames [nodes]`.

Chromium draws in software here, as a slow machine does. What counts on a machine that is shared is the processor time
of a frame on the page's main thread: up to 33 ms are 30 frames a second.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.browser.test_editor import OPEN
from tests.browser.window import SWITCHES, Window
from tests.support.needs import find_chromium
from tests.support.servers import Server

COLUMNS = 50
MOVES = 120
COUNT = """() => {
    window.frameCount = 0;
    const count = () => { window.frameCount += 1; requestAnimationFrame(count); };
    requestAnimationFrame(count);
}"""
MIDDLE = """() => {
    const far = ({ x, y, width, height }) => Math.hypot(x + width / 2 - 500, y + height / 2 - 400);
    const boxes = [...document.querySelectorAll(".x6-node .x6-body")].map((body) => body.getBoundingClientRect());
    const { x, y, width, height } = boxes.sort((a, b) => far(a) - far(b))[0];
    return [x + width / 2, y + height / 2];
}"""


def grid(count: int) -> list[dict[str, Any]]:
    """Nodes in rows, each with flows to its neighbours."""
    chance = random.Random(1)
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(count)]
    cells: list[dict[str, Any]] = [
        {
            "id": one,
            "shape": ("process", "store", "actor")[at % 3],
            "x": at % COLUMNS * 200,
            "y": at // COLUMNS * 160,
            "width": 128,
            "height": 80,
            "attrs": {"text": {"text": f"Service {at}"}},
        }
        for at, one in enumerate(ids)
    ]
    pairs = [(at, at + step) for at in range(count) for step in (1, COLUMNS) if at + step < count]
    for source, target in pairs:
        one = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        ends = {"source": {"cell": ids[source]}, "target": {"cell": ids[target]}}
        cells.append({"id": one, "shape": "flow", **ends, "label": "gRPC"})
    return cells


def processor_time(devtools: CDPSession) -> float:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def measure(page: Page, devtools: CDPSession) -> str:
    x, y = page.evaluate(MIDDLE)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 8, y + 8, steps=3)
    before, counted, started = processor_time(devtools), page.evaluate("window.frameCount"), time.perf_counter()
    for step in range(MOVES):
        page.mouse.move(x + 120 * math.sin(step / 12), y + 80 * math.cos(step / 9))
    took = time.perf_counter() - started
    frames = page.evaluate("window.frameCount") - counted
    cost = (processor_time(devtools) - before) / frames * 1000
    page.mouse.up()
    mounted = page.evaluate('document.querySelectorAll(".x6-cell").length')
    zoom = page.locator(".zoomed").inner_text()
    return f"{zoom}: {mounted} cells drawn, {frames / took:.0f} frames a second, {cost:.1f} ms of processor a frame"


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(SWITCHES))
        window = Window(browser, f"{server.http}/", name="alice")
        window.sign_in()
        window.page.locator("#create").wait_for()
        window.page.evaluate(OPEN, ["writer", grid(count)])
        window.await_state("live")
        devtools = window.page.context.new_cdp_session(window.page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        window.page.evaluate(COUNT)
        for key in ("1", "0"):
            window.page.keyboard.press(key)
            window.page.wait_for_timeout(3000)  # until what came into view is drawn
            print(measure(window.page, devtools))
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
