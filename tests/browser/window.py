"""One browser window on codraw's page: what a person does there and sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)

CELLS = """() => [...document.querySelectorAll("g.cell")].map((cell) => [
    cell.dataset.id, cell.getAttribute("aria-label"), cell.getAttribute("transform"),
    cell.querySelector(".line")?.getAttribute("d") ?? null]).sort()"""

NONE = re.compile(r"^\s*0\s*$")


class Window:
    """A window of its own: nothing is shared with other windows but the server."""

    def __init__(self, browser: Browser, address: str, *, name: str, scheme: str = "light", width: int = 1280) -> None:
        self.name = name
        self.faults: list[str] = []
        self.page: Page = browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 800},
        ).new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.faults.append(message.text) if is_fault(message.text) else None)
        self.page.goto(address)

    def sign_in(self) -> None:
        self.page.fill("input[name=name]", self.name)
        self.page.click("#sign-in")

    def create(self, name: str) -> None:
        self.page.fill(".new input", name)
        self.page.click("#create")
        self.await_state("live")

    def await_state(self, state: str) -> None:
        self.page.wait_for_selector(f"#status[data-state={state}]")

    # -- drawing -------------------------------------------------------------------------------------------------------

    def place(self, shape: str, x: float, y: float, label: str) -> None:
        """A new box with its middle at a point of the drawing area."""
        self.page.click(f".tools [data-tool={shape}]")
        area = self.page.locator("svg.canvas").bounding_box()
        assert area is not None
        self.page.mouse.click(area["x"] + x, area["y"] + y)
        self._type_name(label)

    def connect(self, source: str, target: str, label: str = "") -> None:
        self.page.click(".tools [data-tool=flow]")
        self._pull(self.middle(source), self.middle(target))
        if label:
            self.page.click(".selection-bar [aria-label^=Rename]")
            self._type_name(label)

    def drag(self, label: str, dx: float, dy: float) -> None:
        x, y = self.middle(label)
        self._pull((x, y), (x + dx, y + dy))

    def _pull(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(*end, steps=8)
        mouse.up()

    def _type_name(self, label: str) -> None:
        field = self.page.locator("input.rename:focus")
        field.fill(label)
        field.press("Enter")

    # -- looking -------------------------------------------------------------------------------------------------------

    def node(self, label: str) -> Locator:
        return self.page.locator("g.node", has=self.page.locator(f'title:text-is("{label}")'))

    def middle(self, label: str) -> tuple[float, float]:
        box = self.node(label).locator(".body").bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def position(self, label: str) -> str:
        return self.node(label).get_attribute("transform") or ""

    def await_position(self, label: str, position: str) -> None:
        self.page.locator(
            f'g.node[transform="{position}"]', has=self.page.locator(f'title:text-is("{label}")')
        ).wait_for()

    def cells(self) -> Any:
        """Everything drawn, as it is drawn."""
        return self.page.evaluate(CELLS)

    def fact(self, name: str) -> str:
        """A line of the inspector, which is opened if need be."""
        if self.page.locator("#inspector").is_hidden():
            self.page.click("#inspect")
        return self.page.locator(f"#fact-{name}").inner_text()

    def await_fact(self, name: str, value: str | re.Pattern[str]) -> None:
        self.fact(name)
        self.page.locator(f"#fact-{name}", has_text=value).wait_for()

    def await_vector(self, least: int) -> None:
        self.fact("vector")
        self.page.wait_for_function("n => Number(document.querySelector('#fact-vector').innerText) >= n", arg=least)


def settle(*windows: Window) -> str:
    """Returns when all have their receipts and are at one vector, with it: any of them may be the last to know."""
    for window in windows:
        window.await_state("live")
        window.await_fact("pending", NONE)
    while len(vectors := {int(window.fact("vector")) for window in windows}) > 1:
        for window in windows:
            window.await_vector(max(vectors))
    return str(vectors.pop())


@contextmanager
def visitor(browser: Browser, **context: Any) -> Iterator[Page]:
    """A page of a context of its own; closed whatever happens."""
    opened = browser.new_context(viewport={"width": 1440, "height": 860}, **context)
    try:
        yield opened.new_page()
    finally:
        opened.close()


def is_fault(text: str) -> bool:
    """What a browser writes about refused requests (a 409 that says: join) is none."""
    return not text.startswith("Failed to load resource")
