"""The editor: what one draws is what the server has and what the other window shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.pictures import keep
from tests.browser.window import Window, visitor
from tests.support.needs import need
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium

Open = Callable[..., Window]
Cells = list[dict[str, Any]]

OPEN = """async ([everyone, cells]) => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const { id } = await rest.createThreatModel("Online shop", { everyone });
    const diagram = await rest.createDiagram(id, "Overview");
    const body = JSON.stringify({ name: "Overview", type: "DFD-1.0.0", cells });
    const { access_token } = JSON.parse(sessionStorage["codraw.tokens"]);
    const headers = { authorization: `Bearer ${access_token}`, "content-type": "application/json" };
    const put = await fetch(`/threat_models/${id}/diagrams/${diagram.id}`, { method: "PUT", body, headers });
    if (!put.ok) throw new Error(await put.text());
    location.hash = `#/${id}/${diagram.id}`;
}"""
READ = """async () => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const [, model, diagram] = location.hash.split("/");
    return (await rest.diagram(model, diagram)).cells;
}"""
DRAWN = """async (wanted) => {
    const give_up = performance.now() + 10_000;
    for (;;) {
        const drawn = [...document.querySelectorAll(".x6-cell")].map((cell) => [cell.dataset.cellId, cell.textContent,
            cell.getAttribute("transform"), cell.querySelector(".x6-line")?.getAttribute("d"),
            cell.querySelector(".x6-body")?.outerHTML.replace(/ class="[^"]*"/, "")]).sort();
        const isSettled = !wanted || JSON.stringify(drawn) === JSON.stringify(wanted);
        if (isSettled || performance.now() > give_up) return drawn;
        await new Promise(requestAnimationFrame);
    }
}"""


@pytest.fixture
def at(server: Server) -> str:
    need("editor")
    return f"{server.http}/"


class Drawing:
    """One window with a diagram open in the editor."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.page = window.page

    def open(self, *, everyone: str = "writer", cells: Cells | None = None) -> None:
        self.page.locator("#create").wait_for()
        self.page.evaluate(OPEN, [everyone, cells or []])
        self.saved()

    def saved(self) -> None:
        self.window.await_state("live")

    def cells(self) -> Cells:
        """What the server has, once all is saved."""
        self.saved()
        read: Cells = self.page.evaluate(READ)
        return read

    def cell(self, text: str) -> dict[str, Any]:
        return next(cell for cell in self.cells() if cell.get("attrs", {}).get("text", {}).get("text") == text)

    def node(self, text: str) -> Locator:
        return self.page.locator(".x6-node", has=self.page.locator(".caption", has_text=re.compile(f"^{text}$")))

    def box(self, text: str) -> tuple[float, float, float, float]:
        found = self.node(text).locator(".x6-body").bounding_box()
        assert found is not None
        return found["x"], found["y"], found["width"], found["height"]

    def middle(self, text: str) -> tuple[float, float]:
        x, y, width, height = self.box(text)
        return x + width / 2, y + height / 2

    def pull(self, start: tuple[float, float], end: tuple[float, float], steps: int = 10) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(*end, steps=steps)
        mouse.up()

    def at(self, x: float, y: float) -> tuple[float, float]:
        area = self.page.locator("#stage").bounding_box()
        assert area is not None
        return area["x"] + x, area["y"] + y

    def name(self, text: str) -> None:
        field = self.page.locator("textarea.rename:focus")
        field.fill(text)
        field.press("Enter")

    def key(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drawn(self, wanted: Any = None) -> Any:
        """`wanted`: it is given time to become that."""
        return self.page.evaluate(DRAWN, wanted)


def test_what_one_window_draws_the_other_shows_exactly_and_each_gesture_is_one_step_of_undo(
    window: Open, at: str
) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    alice.page.click("[data-tool=process]")
    alice.page.mouse.click(*alice.at(260, 160))
    alice.name("Shop")
    palette = alice.page.locator("[data-tool=store]").bounding_box()
    assert palette is not None
    alice.pull((palette["x"] + 20, palette["y"] + 20), alice.at(620, 160))
    alice.name("Orders")
    alice.key("b")
    alice.page.mouse.click(*alice.at(620, 480))
    alice.name("Trust")

    alice.page.mouse.move(*alice.middle("Shop"))
    x, y, width, height = alice.box("Shop")
    target, top, _, tall = alice.box("Orders")
    alice.pull((x + width, y + height / 2), (target + 1, top + tall / 2))
    (flow,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]
    assert set(flow) == {"id", "shape", "source", "target", "zIndex"}
    shop, orders = alice.cell("Shop"), alice.cell("Orders")
    assert (flow["source"], flow["target"]) == (
        {"cell": shop["id"], "port": "right"},
        {"cell": orders["id"], "port": "left"},
    )

    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    bob.node("Trust").wait_for()
    expect(bob.page.locator(".x6-edge")).to_have_count(1)
    drawn = alice.drawn()
    assert bob.drawn(drawn) == drawn

    before = alice.drawn()
    start = alice.middle("Shop")
    alice.pull(start, (start[0] + 361, start[1] + 317), steps=20)
    moved = alice.cell("Shop")
    assert moved["parent"] == alice.cell("Trust")["id"]
    after = alice.drawn()
    assert after != before
    alice.key("Control+z")
    expect(bob.node("Shop")).to_have_attribute("transform", f"translate({shop['x']},{shop['y']})")
    assert "parent" not in alice.cell("Shop")
    assert alice.drawn(before) == before
    alice.key("Control+Shift+z")
    expect(bob.node("Shop")).to_have_attribute("transform", f"translate({moved['x']},{moved['y']})")
    assert alice.drawn(after) == bob.drawn(after) == after

    alice.key("Escape")
    alice.page.mouse.click(*alice.middle("Orders"))
    corner = alice.page.locator("[data-handle=se]").bounding_box()
    assert corner is not None
    alice.pull((corner["x"] + 4, corner["y"] + 4), (corner["x"] + 60, corner["y"] + 36))
    grown = alice.cell("Orders")
    assert (grown["width"], grown["height"]) == (orders["width"] + 56, orders["height"] + 32)
    alice.page.dblclick("#stage", position={"x": alice.middle("Shop")[0] - 84, "y": alice.middle("Shop")[1] - 56})
    alice.name("Web shop")
    expect(bob.node("Web shop")).to_be_visible()
    expect(bob.page.get_by_role("button", name="Undo (Ctrl+Z)")).to_be_disabled()  # showing sends nothing
    alice.saved()
    drawn = bob.drawn()
    assert alice.drawn(drawn) == drawn
    keep(alice.page, "editor-drawn")


def test_several_are_resized_at_the_corners_of_the_frame_around_them_in_one_step_of_undo(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    trust = node(3, "Trust", 320, 120, shape="security-boundary", width=240, height=200)
    inner = node(4, "Inner", 368, 168, parent=trust["id"])
    ends = {"source": {"cell": trust["id"]}, "target": {"cell": inner["id"]}}
    flow = {"id": node(5, "", 0, 0)["id"], "shape": "flow", **ends, "vertices": [{"x": 560, "y": 240}]}
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Bank", 720, 0), trust, inner, flow])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    before = alice.drawn()
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.page.keyboard.down("Shift")
    x, y, *_ = alice.box("Trust")
    alice.page.mouse.click(x + 8, y + 8)
    alice.page.keyboard.up("Shift")
    corner = alice.page.locator("[data-handle=se]").bounding_box()
    assert corner is not None
    alice.page.evaluate(COUNT_OPERATIONS)
    alice.pull((corner["x"] + 4, corner["y"] + 4), (corner["x"] + 284, corner["y"] + 164), steps=1)
    place = ("x", "y", "width", "height")
    assert [[alice.cell(text)[key] for key in place] for text in ("Shop", "Bank", "Trust", "Inner")] == [
        [0, 0, 192, 120],
        [720, 0, 128, 80],
        [480, 180, 360, 300],
        [552, 252, 192, 120],
    ]
    assert next(cell for cell in alice.cells() if cell["shape"] == "flow")["vertices"] == [{"x": 840, "y": 360}]
    assert alice.page.evaluate("operations") == 1
    after = alice.drawn()
    assert bob.drawn(after) == after
    alice.key("Control+z")
    assert alice.drawn(before) == bob.drawn(before) == before


def node(number: int, text: str, x: int, y: int, **more: Any) -> dict[str, Any]:
    cell = {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "shape": "process",
        "width": 128,
        "height": 80,
        "x": x,
        "y": y,
    }
    return {**cell, "attrs": {"text": {"text": text}}, **more}


HOSTILE = "<img src=x onerror=alert(1)><b>bold</b>"


def test_commands_change_what_they_say_and_what_strangers_send_is_only_text(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    attrs = {
        "body": {
            "fill": "url(#x)",
            "html": HOSTILE,
            "event": "click",
            "filter": {"name": "blur"},
            "xlinkHref": "javascript:1",
        },
        "text": {"text": HOSTILE, "html": HOSTILE},
        "root": {"html": HOSTILE, "style": "position:fixed"},
    }
    alice.open(
        cells=[
            node(1, "One", 0, 0),
            node(2, "Two", 208, 24, zIndex=7, foreign={"kept": [1]}),
            node(3, "Three", 560, 64),
            node(4, "Four", 0, 240, attrs=attrs, markup=[{"tagName": "script", "textContent": "alert(1)"}]),
            node(5, "Five", 400, 240, shape="cloud", tools=["button-remove"]),
        ]
    )
    hostile = alice.page.locator(f'[data-cell-id="{node(4, "", 0, 0)["id"]}"]')
    hostile.wait_for()
    assert "<b>bold</b>" in (hostile.text_content() or "").replace(" ", "") or "<img" in (hostile.text_content() or "")
    assert alice.page.locator("#stage :is(img, b, script, foreignObject)").count() == 0
    assert hostile.locator(".x6-body").count() == 1
    fill = hostile.locator(".x6-body").get_attribute("fill")
    assert fill is not None and "url(" not in fill
    expect(alice.node("Five")).to_be_visible()

    alice.page.mouse.click(*alice.middle("One"))
    for text in ("Two", "Three"):
        alice.page.keyboard.down("Shift")
        alice.page.mouse.click(*alice.middle(text))
        alice.page.keyboard.up("Shift")
    expect(alice.page.locator(".format h2")).to_have_text("3 selected")
    alice.page.click("[data-does=align-top]")
    alice.page.click("[data-does=spread-x]")
    alice.page.click("[data-does='Fill #fce8b2']")
    alice.page.click("[data-does=to-front]")
    three = {text: alice.cell(text) for text in ("One", "Two", "Three")}
    assert [cell["y"] for cell in three.values()] == [0, 0, 0]
    assert three["Two"]["x"] == 280
    assert {cell["attrs"]["body"]["fill"] for cell in three.values()} == {"#fce8b2"}
    assert min(cell["zIndex"] for cell in three.values()) > 1
    assert three["Two"]["foreign"] == {"kept": [1]}

    alice.page.locator("#stage").focus()
    alice.key("Control+c", "Control+v")
    expect(alice.page.locator(".x6-node")).to_have_count(8)
    alice.key("Control+x")
    expect(alice.page.locator(".x6-node")).to_have_count(5)
    alice.page.mouse.click(*alice.middle("One"))
    alice.key("Control+d")
    expect(alice.page.locator(".x6-node")).to_have_count(6)
    alice.key("Delete")
    expect(alice.page.locator(".x6-node")).to_have_count(5)
    alice.key("Control+z")
    expect(alice.page.locator(".x6-node")).to_have_count(6)

    alice.page.keyboard.down("Shift")
    alice.pull(alice.at(20, 40), alice.at(600, 700))
    alice.page.keyboard.up("Shift")
    expect(alice.page.locator(".format h2")).to_contain_text("selected")
    zoomed = alice.page.locator(".zoomed").inner_text()
    alice.page.mouse.move(*alice.at(500, 400))
    alice.page.keyboard.down("Control")
    alice.page.mouse.wheel(0, -300)
    alice.page.keyboard.up("Control")
    expect(alice.page.locator(".zoomed")).not_to_have_text(zoomed)
    assert len(alice.cells()) == 6


PASTE = """(text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
    document.querySelector("#stage").dispatchEvent(paste);
}"""


def test_a_long_text_that_is_pasted_is_cut_between_two_characters(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    alice.page.evaluate(PASTE, "x" * 999 + "😀 and more")
    (pasted,) = alice.cells()
    assert pasted["attrs"]["text"]["text"] == "x" * 999


@pytest.mark.parametrize(
    ("x", "text", "why"), [("1e999", "", "no finite number"), ("0", "#" * 300_000, "into a frame")]
)
def test_of_a_cell_that_cannot_be_sent_it_is_told_why(window: Open, at: str, x: str, text: str, why: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    cell = f'{{"id": "a", "shape": "actor", "x": {x}, "y": 0, "width": 90, "height": 60, "data": {{"a": "{text}"}}}}'
    alice.page.evaluate(PASTE, f'{{"codraw": "cells", "cells": [{cell}]}}')
    expect(alice.page.locator(".toast")).to_contain_text(why)
    assert alice.cells() == []


def test_what_is_selected_in_the_drawing_is_copied_though_text_beside_it_was_selected_before(
    window: Open, at: str
) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.dblclick("h1")
    assert alice.page.evaluate("getSelection().toString()") == "Overview"
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.key("Control+c", "Control+v")
    expect(alice.node("Shop")).to_have_count(2)


def test_what_is_cut_and_pasted_is_there_once_and_nothing_else_is_gone(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    trust = node(1, "Trust", 0, 0, shape="security-boundary", width=240, height=200)
    inner = node(2, "Inner", 56, 64, parent=trust["id"])
    shop, bank = node(3, "Shop", 400, 0), node(4, "Bank", 400, 240)
    flow = {"id": node(5, "", 0, 0)["id"], "shape": "flow", "zIndex": 0}
    alice.open(
        cells=[trust, inner, shop, bank, {**flow, "source": {"cell": shop["id"]}, "target": {"cell": bank["id"]}}]
    )
    x, y, *_ = alice.box("Trust")
    alice.page.mouse.click(x + 8, y + 8)
    x, y, width, height = alice.box("Shop")
    alice.page.keyboard.down("Shift")
    alice.page.mouse.click(x + width / 2, y + height + 60)
    alice.page.keyboard.up("Shift")
    expect(alice.page.locator(".format h2")).to_have_text("2 selected")
    alice.key("Control+x")
    expect(alice.page.locator(".x6-node")).to_have_count(2)
    expect(alice.page.locator(".x6-edge")).to_have_count(1)
    alice.key("Control+v")
    expect(alice.page.locator(".x6-node")).to_have_count(4)
    assert alice.cell("Inner")["parent"] == alice.cell("Trust")["id"]


def test_everything_can_be_done_with_the_keyboard_alone(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    process = alice.page.locator("[data-tool=process]")
    process.focus()
    process.press("Enter")
    expect(alice.page.locator("#stage")).to_be_focused()
    alice.key("Enter")
    alice.name("Shop")
    alice.page.locator("[data-tool=actor]").press("Enter")
    alice.key("F2")
    alice.name("Customer")
    x = alice.cell("Customer")["x"]
    alice.key("ArrowRight", "ArrowRight", "Alt+ArrowRight", "Shift+ArrowDown")
    customer = alice.cell("Customer")
    assert (customer["x"], customer["height"]) == (x + 17, 72)

    alice.key("Escape", "Tab")
    spoken = alice.page.locator(".workspace > [role=status]")
    expect(spoken).to_contain_text("1 of 2")
    alice.key("f", "Tab", "Enter")
    expect(alice.page.locator(".x6-edge")).to_have_count(1)
    alice.key("Enter")
    alice.name("orders")
    (flow,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]
    assert flow["labels"][0]["attrs"]["text"]["text"] == "orders"
    assert {flow["source"]["cell"], flow["target"]["cell"]} == {alice.cell("Shop")["id"], alice.cell("Customer")["id"]}

    alice.key("Alt+Enter")
    ends = [alice.page.locator(f".format [data-does={end}]") for end in ("From", "To")]
    before, after = (end.input_value() for end in ends)
    ends[0].select_option(after)
    ends[1].select_option(before)
    alice.key("Escape")
    expect(alice.page.locator("#stage")).to_be_focused()
    (flow,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]
    assert (flow["source"], flow["target"]) == ({"cell": after}, {"cell": before})
    alice.key("Control+z", "Control+z")

    alice.key("Alt+Enter")
    alice.page.get_by_label("Add a bend").press("Enter")
    alice.page.get_by_label("Bend 1, y").fill("320")
    alice.page.get_by_label("Bend 1, y").press("Enter")
    (flow,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]
    assert [bend["y"] for bend in flow["vertices"]] == [320]
    alice.page.get_by_label("Remove bend 1").press("Enter")
    (flow,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]
    assert flow["vertices"] == []
    alice.key("Escape", "Control+z", "Control+z", "Control+z")

    alice.key("Escape", "Tab", "Control+Space", "Tab", "Alt+Enter")
    expect(alice.page.locator(".format h2")).to_have_text("2 selected")
    alice.page.get_by_label("Align left").press("Enter")
    assert len({alice.cell(text)["x"] for text in ("Shop", "Customer")}) == 1
    alice.page.locator("#share").press("p")
    expect(alice.page.locator("#stage")).to_have_attribute("data-tool", "select")
    alice.page.locator(".format [data-does=remove]").press("Enter")
    expect(alice.page.locator("#stage")).to_be_focused()
    alice.key("Control+z", "Control+z")

    alice.key("Control+z", "Control+z")
    expect(alice.page.locator(".x6-edge")).to_have_count(0)
    alice.key("Control+y")
    expect(alice.page.locator(".x6-edge")).to_have_count(1)
    alice.key("Control+a", "Delete")
    expect(alice.page.locator(".empty-hint")).to_be_visible()
    assert alice.cells() == []
    alice.key("?")
    expect(alice.page.locator("dialog.keys")).to_be_visible()
    alice.key("Escape")


def test_keys_go_to_the_drawing_where_nothing_else_has_the_focus_and_after_a_click_on_undo_or_zoom(
    window: Open, at: str
) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Bank", 300, 0)])
    alice.node("Bank").wait_for()
    alice.key("Control+a")  # nothing was pressed yet
    expect(alice.page.locator(".frames rect")).to_have_count(2)
    alice.key("ArrowRight")
    assert alice.cell("Shop")["x"] > 0
    alice.page.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(alice.node("Shop")).to_have_attribute("transform", "translate(0,0)")
    alice.key("ArrowDown")
    assert [(cell["x"], cell["y"] > 0) for cell in alice.cells()] == [(0, True), (300, True)]
    alice.page.get_by_role("button", name="Zoom in (+)").click()
    alice.key("Delete")
    expect(alice.page.locator(".x6-node")).to_have_count(0)


def test_a_flow_just_drawn_can_be_tied_elsewhere_and_stays_where_it_was_if_it_is_let_go_of(
    window: Open, at: str
) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Orders", 400, 0), node(3, "Mail", 200, 240)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    x, y, width, height = alice.box("Shop")
    alice.page.mouse.move(*alice.middle("Shop"))
    alice.pull((x + width, y + height / 2), alice.middle("Orders"))
    (drawn,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]

    for end in (alice.middle("Mail"), alice.at(100, 640)):
        tip = alice.page.locator("[data-tool-name=target-arrowhead]").bounding_box()
        assert tip is not None
        alice.pull((tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2), end)
        (flow,) = [cell for cell in alice.cells() if cell["shape"] == "flow"]
        assert flow == {**drawn, "target": {"cell": alice.cell("Mail")["id"]}}
    seen = alice.drawn()
    assert bob.drawn(seen) == seen


PRESS = """(keys) => {
    for (const key of keys) document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...key }));
}"""


def test_keys_work_where_the_keyboard_writes_another_alphabet(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Orders", 300, 0)])
    alice.page.focus("#stage")
    alice.page.evaluate(PRESS, [{"key": "ф", "code": "KeyA", "ctrlKey": True}, {"key": "Delete", "code": "Delete"}])
    assert alice.cells() == []
    alice.page.evaluate(PRESS, [{"key": "я", "code": "KeyZ", "ctrlKey": True}])
    expect(alice.page.locator(".x6-node")).to_have_count(2)
    alice.page.evaluate(PRESS, [{"key": "з", "code": "KeyP"}])
    expect(alice.page.locator("#stage")).to_have_attribute("data-tool", "process")
    alice.page.evaluate(PRESS, [{"key": "v", "code": "Period"}])  # Latin letters are where they are written
    expect(alice.page.locator("#stage")).to_have_attribute("data-tool", "select")


def test_escape_lets_go_of_a_flow_of_its_end_and_of_its_bend(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    shop, orders, mail = node(1, "Shop", 0, 0), node(2, "Orders", 400, 0), node(3, "Mail", 200, 240)
    flow = {"shape": "flow", "source": {"cell": shop["id"]}, "target": {"cell": orders["id"]}, "zIndex": 0}
    alice.open(cells=[shop, orders, mail, {"id": "00000000-0000-4000-8000-000000000004", **flow}])
    mouse = alice.page.mouse
    before = alice.cells()

    def pull_and_escape(start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse.move(*start)
        mouse.down()
        mouse.move(*end, steps=10)
        alice.key("Escape")
        mouse.move(end[0] + 1, end[1] + 1)
        mouse.up()
        expect(alice.page.locator("#stage.connecting")).to_have_count(0)
        expect(alice.page.locator(".x6-edge")).to_have_count(1)
        assert alice.cells() == before

    x, y, width, height = alice.box("Shop")
    mouse.move(*alice.middle("Shop"))
    pull_and_escape((x + width / 2, y + height), alice.middle("Mail"))

    line = alice.page.locator(".x6-edge .x6-line").bounding_box()
    assert line is not None
    middle = line["x"] + line["width"] / 2, line["y"] + line["height"] / 2
    mouse.click(*middle)
    tip = alice.page.locator("[data-tool-name=target-arrowhead]").bounding_box()
    assert tip is not None
    pull_and_escape((tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2), alice.middle("Mail"))
    pull_and_escape(middle, (middle[0], middle[1] + 80))


@pytest.mark.parametrize("keys", ["Control+d", "Control+c", "Control+x"])
def test_of_a_flow_that_cannot_be_copied_alone_it_is_said_so_and_it_stays_selected(
    window: Open, at: str, keys: str
) -> None:
    alice = Drawing(window("alice", at=at))
    ends = ({"cell": node(at, "", 0, 0)["id"]} for at in (1, 2))
    flow = {"id": node(3, "", 0, 0)["id"], "shape": "flow", "source": next(ends), "target": next(ends)}
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Bank", 300, 0), flow])
    (x, y), (to, _) = alice.middle("Shop"), alice.middle("Bank")
    alice.page.mouse.click((x + to) / 2, y)
    expect(alice.page.locator(".x6-edge.selected")).to_have_count(1)
    alice.key(keys)
    expect(alice.page.locator(".toast")).to_contain_text("both cells that it connects")
    expect(alice.page.locator(".x6-edge.selected")).to_have_count(1)


def test_escape_lets_go_of_a_shape_that_is_dragged_out_of_the_palette(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    palette = alice.page.locator("[data-tool=store]").bounding_box()
    assert palette is not None
    mouse = alice.page.mouse
    mouse.move(palette["x"] + 20, palette["y"] + 20)
    mouse.down()
    mouse.move(*alice.at(400, 300), steps=5)
    expect(alice.page.locator(".ghost")).to_be_visible()
    alice.key("Escape")
    expect(alice.page.locator(".ghost")).to_have_count(0)
    mouse.move(*alice.at(410, 300))
    mouse.up()
    alice.page.evaluate("() => new Promise((done) => setTimeout(done))")
    expect(alice.page.locator("textarea.rename")).to_have_count(0)
    assert alice.cells() == []


@pytest.mark.parametrize("path", ["", "playground"])
def test_everything_is_shown_however_far_apart_it_stands(window: Open, at: str, path: str) -> None:
    alice = Drawing(window("alice", at=at + path))
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Bank", 60_000, 0)])
    cells = alice.page.locator(".x6-node .x6-body, g.node .body")
    for _ in range(2):  # at first, and by the button
        expect(cells).to_have_count(2)
        for cell in cells.all():
            expect(cell).to_be_in_viewport()
        alice.page.get_by_role("button", name="Zoom in").click()
        alice.page.get_by_role("button", name="Show everything").click()


PINCHED = """(part) => {
    const pinch = new WheelEvent("wheel", { ctrlKey: true, deltaY: -10, bubbles: true, cancelable: true });
    return !part.dispatchEvent(pinch);
}"""
"""As a trackpad says it. Whether the page stays as it is."""


def test_a_pinch_upon_what_floats_over_the_drawing_does_not_zoom_the_page(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    for part in (".zoom", ".minimap", ".graph"):
        assert alice.page.locator(part).evaluate(PINCHED), part


SAFARI_PINCHES = """([part, at, ...scales]) => {
    const told = (type, scale) => {
        const event = Object.assign(new Event(type, { bubbles: true, cancelable: true }), { scale, ...at });
        return !document.querySelector(part).dispatchEvent(event);
    };
    const start = told("gesturestart", 1);
    const steps = scales.map((scale) => told("gesturechange", scale));
    return [start, ...steps, told("gestureend", scales.at(-1))].every(Boolean);
}"""
"""As Safari tells of a trackpad. Whether the page stays as it is."""


@pytest.mark.parametrize(("path", "ground"), [("", ".graph"), ("playground", "svg.canvas")])
def test_a_pinch_on_a_trackpad_zooms_the_drawing_in_safari_too(window: Open, at: str, path: str, ground: str) -> None:
    alice = Drawing(window("alice", at=at + path))
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Bank", 300, 0)])
    shop = alice.page.locator(".x6-node .x6-body, g.node .body").first
    before = shop.bounding_box()
    assert before is not None
    corner = {"clientX": before["x"], "clientY": before["y"]}
    for scales in ([1.2, 1.5], [0.9, 0.8]):
        assert alice.page.evaluate(SAFARI_PINCHES, [ground, corner, *scales])
    after = shop.bounding_box()
    assert after is not None
    assert after["width"] == pytest.approx(before["width"] * 1.2, abs=1)
    assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=1)


def test_a_pinch_upon_what_floats_over_the_drawing_does_not_zoom_the_page_in_safari(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    zoomed = alice.page.locator(".zoomed").inner_text()
    assert alice.page.evaluate(SAFARI_PINCHES, [".minimap", {"clientX": 100, "clientY": 700}, 1.5])
    expect(alice.page.locator(".zoomed")).to_have_text(zoomed)


def test_a_name_does_not_stick_out_of_its_boundary(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    trust = {"shape": "security-boundary", "height": 120}
    names = ["The whole of the demilitarized zone", "W" * 40, "i" * 99]
    alice.open(cells=[node(at, name, 260 * at, 0, width=200, **trust) for at, name in enumerate(names)])
    expect(alice.page.locator(".x6-node")).to_have_count(3)
    for one in alice.page.locator(".x6-node").all():
        body, caption = one.locator(".x6-body").bounding_box(), one.locator(".caption").bounding_box()
        assert body is not None
        assert caption is not None
        assert caption["x"] + caption["width"] <= body["x"] + body["width"]


PAINTED = """([part, name]) => getComputedStyle(document.querySelector(part))[name]"""


@pytest.mark.parametrize(("scheme", "ink"), [("light", "rgb(0, 0, 0)"), ("dark", "rgb(228, 233, 240)")])
def test_what_TMI_draws_in_black_can_be_seen_on_a_dark_ground(window: Open, at: str, scheme: Any, ink: str) -> None:
    alice = Drawing(window("alice", at=at))
    body, text = {"stroke": "#000000"}, {"fill": "#000000"}
    filled = {"body": {**body, "fill": "#ffffff"}, "text": text}
    boundary = node(1, "Trust", 0, 0, shape="security-boundary", attrs=filled)
    box = node(2, "Shop", 300, 0, attrs=filled)
    words = node(3, "Note", 300, 200, shape="text-box", attrs={"body": {"fill": "transparent"}, "text": text})
    ends = {"source": {"cell": boundary["id"]}, "target": {"cell": box["id"]}}
    flow = {"id": node(4, "", 0, 0)["id"], "shape": "flow", **ends, "attrs": {"line": body}}
    cells = [{**one, "label": "Name"} for one in (boundary, box, words)]
    alice.page.emulate_media(color_scheme=scheme)
    alice.open(cells=[*cells, flow])
    expect(alice.page.locator(".x6-cell")).to_have_count(4)

    def painted(cell: dict[str, Any], part: str, name: str) -> str:
        return str(alice.page.evaluate(PAINTED, [f'[data-cell-id="{cell["id"]}"] {part}', name]))

    assert painted(flow, ".x6-line", "stroke") == painted(boundary, ".x6-body", "stroke") == ink
    assert painted(boundary, ".caption", "fill") == painted(words, ".caption", "fill") == ink
    assert painted(box, ".caption", "fill") == "rgb(0, 0, 0)"
    assert alice.page.evaluate(PAINTED, ["marker path", "fill"]) == ink


def test_what_goes_and_comes_back_between_two_frames_is_drawn_once(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    shop, orders = node(1, "Shop", 0, 0), node(2, "Orders", 300, 0)
    flow = {"shape": "flow", "source": {"cell": shop["id"]}, "target": {"cell": orders["id"]}}
    alice.open(cells=[shop, orders, {"id": "00000000-0000-4000-8000-000000000003", **flow}])
    expect(alice.page.locator(".x6-cell")).to_have_count(3)
    alice.page.focus("#stage")
    alice.page.evaluate("""() => {
        window.held = [];
        window.frame = window.requestAnimationFrame;
        window.requestAnimationFrame = (paint) => held.push(paint);
    }""")
    alice.key("Control+a", "Delete")
    assert alice.cells() == []
    alice.key("Control+z")
    assert len(alice.cells()) == 3
    alice.page.evaluate("""() => {
        window.requestAnimationFrame = frame;
        for (const paint of held) paint(performance.now());
    }""")
    alice.page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(alice.page.locator(".x6-cell")).to_have_count(3)


def test_who_names_a_cell_that_somebody_removes_goes_on_in_the_drawing(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    alice.page.mouse.dblclick(*alice.middle("Shop"))
    alice.page.locator("textarea.rename:focus").fill("Web sh")
    bob.page.mouse.click(*bob.middle("Shop"))
    bob.key("Delete")
    expect(alice.page.locator("textarea.rename")).to_have_count(0)
    expect(alice.page.locator("#stage")).to_be_focused()


@pytest.mark.parametrize(("path", "name"), [("", "Web\r\nshop"), ("playground", "Web\nshop")])
def test_a_name_of_several_lines_that_is_only_looked_at_stays_as_it_is(
    window: Open, at: str, path: str, name: str
) -> None:
    alice = Drawing(window("alice", at=at + path))
    alice.open(cells=[node(1, name, 0, 0)])
    shop = alice.page.locator(".x6-node .x6-body, g.node .body").bounding_box()
    assert shop is not None
    alice.page.mouse.dblclick(shop["x"] + shop["width"] / 2, shop["y"] + shop["height"] / 2)
    alice.page.locator(".rename:focus").press("Enter")
    expect(alice.page.locator(".rename")).to_have_count(0)
    assert [cell["attrs"]["text"]["text"] for cell in alice.cells()] == [name]


def test_who_may_only_read_can_look_and_select_but_not_change(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(everyone="reader", cells=[node(1, "Shop", 0, 0), node(2, "Orders", 300, 0)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    bob.node("Shop").wait_for()
    before = json.dumps(bob.cells())
    expect(bob.page.locator("#status .badge")).to_be_visible()
    expect(bob.page.locator("[data-tool=process]")).to_be_disabled()
    start = bob.middle("Shop")
    bob.pull(start, (start[0] + 80, start[1] + 40))
    bob.page.mouse.dblclick(*bob.middle("Shop"))
    bob.key("Delete", "Control+d", "Control+z", "ArrowDown", "p")
    expect(bob.page.locator("#stage")).to_have_attribute("data-tool", "select")
    expect(bob.page.locator(".marks .frames rect")).to_have_count(1)
    expect(bob.page.locator("textarea.rename, [data-handle], .format:not([hidden])")).to_have_count(0)
    bob.pull(bob.at(60, 600), bob.at(160, 640))
    assert bob.middle("Shop") == (start[0] + 100, start[1] + 40)
    assert json.dumps(alice.cells()) == before


TO_READERS = """async () => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const path = `/threat_models/${location.hash.split("/")[1]}/authorization`;
    const { items } = await (await rest.request("GET", path)).json();
    const index = items.findIndex(({ subject }) => subject === "everyone");
    await rest.request("PUT", `${path}/${index}`, { body: { role: "reader" } });
}"""

COUNT_OPERATIONS = """() => {
    const { send } = WebSocket.prototype;
    window.operations = 0;
    WebSocket.prototype.send = function (text) {
        if (JSON.parse(text).message_type === "operation") operations += 1;
        send.call(this, text);
    };
}"""


def test_who_becomes_a_reader_in_mid_drag_asks_for_nothing_more(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    mouse = bob.page.mouse
    x, y = bob.middle("Shop")
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 80, y + 40, steps=4)
    expect(alice.node("Shop")).to_have_attribute("transform", "translate(80,40)")
    bob.saved()
    alice.page.evaluate(TO_READERS)
    expect(bob.page.locator("#status .badge")).to_be_visible()
    bob.page.evaluate(COUNT_OPERATIONS)
    mouse.move(x + 160, y + 40, steps=4)
    mouse.up()
    assert bob.page.evaluate("operations") == 0
    expect(bob.node("Shop")).to_have_attribute("transform", "translate(80,40)")


def test_who_becomes_a_reader_sees_no_handles_on_what_is_selected(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    bob.page.mouse.click(*bob.middle("Shop"))
    handles = bob.page.locator("[data-handle]")
    expect(handles).to_have_count(4)
    alice.page.evaluate(TO_READERS)
    expect(handles).to_have_count(0)
    expect(bob.page.locator(".marks .frames rect")).to_have_count(1)


@pytest.mark.parametrize("size", [(1024, 768), (390, 780)], ids=["tablet", "phone"])
def test_a_finger_drags_a_shape_out_of_the_palette(
    window: Open, browser: Browser, at: str, size: tuple[int, int]
) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    with by_touch(browser, alice, size) as (page, finger):
        palette = page.locator("[data-tool=actor]").bounding_box()
        assert palette is not None
        finger((palette["x"] + 20, palette["y"] + 20), (size[0] / 2, size[1] / 2))
        page.locator("textarea.rename").press("Enter")
        assert [cell["shape"] for cell in alice.cells()] == ["actor"]


def test_the_focus_comes_back_from_the_rights_to_the_button_that_led_there(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open()
    alice.page.locator("#share").press("Enter")
    alice.page.locator("#rights").press("Enter")
    address = alice.page.get_by_label("E-mail address")
    address.fill("ana@example.org")
    address.press("Enter")
    alice.page.get_by_label("Remove ana@example.org").press("Enter")
    expect(alice.page.get_by_label("Remove ana@example.org")).to_have_count(0)
    expect(address).to_be_focused()
    alice.key("Escape")
    expect(alice.page.locator("#share")).to_be_focused()


def test_a_finger_pulls_a_frame_with_the_tool_for_it(window: Open, browser: Browser, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0), node(2, "Orders", 300, 0)])
    with by_touch(browser, alice, (1024, 768)) as (page, finger):
        page.tap("[data-tool=frame]")
        finger((140, 100), (1000, 560))
        expect(page.locator(".format h2")).to_have_text("2 selected")


@contextmanager
def by_touch(browser: Browser, other: Drawing, size: tuple[int, int]) -> Iterator[tuple[Page, Callable[..., None]]]:
    """Bob's page on the same diagram, and his finger, which goes from one point to another."""
    with visitor(browser, has_touch=True) as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(other.page.url)
        page.fill("input[name=name]", "bob")
        page.tap("#sign-in")
        page.wait_for_selector("#status[data-state=live]")
        devtools = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            devtools.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
            )

        def finger(start: tuple[float, float], end: tuple[float, float]) -> None:
            touch("touchStart", start)
            for step in range(1, 11):
                x, y = (start[at] + (end[at] - start[at]) * step / 10 for at in (0, 1))
                touch("touchMove", (x, y))
            touch("touchEnd")

        yield page, finger


def test_however_many_are_painted_the_panel_shows_the_colour(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(number, "", number * 160, 0) for number in range(30)])
    expect(alice.page.locator(".x6-node")).to_have_count(30)
    alice.key("Control+a")
    yellow = alice.page.locator("[data-does='Fill #fce8b2']")
    yellow.click()
    expect(yellow).to_have_attribute("aria-pressed", "true")


def test_a_measure_in_the_panel_is_that_of_the_cell_whatever_was_typed(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.mouse.click(*alice.middle("Shop"))
    width = alice.page.locator(".format [data-does=Width]")
    for typed, stays in (("200", "200"), ("", "200"), ("10", "40"), ("5", "40"), ("1e300", "40")):
        width.fill(typed)
        width.press("Enter")
        expect(width).to_have_value(stays)
        assert str(alice.cell("Shop")["width"]) == stays
    width.fill("200")
    width.press("Enter")
    alice.key("Escape")
    expect(width).to_have_value("200")


def test_who_forgets_what_was_typed_in_the_panel_sees_what_others_did_meanwhile(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    for one in (alice, bob):
        one.page.mouse.click(*one.middle("Shop"))
    alice.page.locator(".format textarea.name").fill("Web sh")
    bob.key("ArrowRight")
    expect(alice.node("Shop")).to_have_attribute("transform", "translate(8,0)")
    alice.key("Escape")
    expect(alice.page.locator(".format [data-does=Left]")).to_have_value("8")


def test_a_pinch_upon_the_field_of_a_name_zooms_the_drawing_and_not_the_page(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.mouse.dblclick(*alice.middle("Shop"))
    zoomed = alice.page.locator(".zoomed").inner_text()
    assert alice.page.locator("textarea.rename:focus").evaluate(PINCHED)
    expect(alice.page.locator(".zoomed")).not_to_have_text(zoomed)


def test_a_menu_that_came_up_over_the_panel_keeps_nothing_from_being_shown_there(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    bob = Drawing(window("bob", at=alice.page.url))
    bob.saved()
    for one in (alice, bob):
        one.page.mouse.click(*one.middle("Shop"))
    alice.page.locator("[data-does='Fill #fce8b2']").hover()
    alice.page.mouse.down(button="right")  # the menu takes the release
    bob.key("ArrowRight")
    expect(alice.page.locator(".format [data-does=Left]")).to_have_value("8")


ENDS = """([name]) => [...document.querySelectorAll("text")].filter((one) => one.textContent === name).map(
    (one) => Math.sign(one.getStartPositionOfChar(name.length - 1).x - one.getStartPositionOfChar(0).x))"""


@pytest.mark.parametrize("path", ["", "playground"])
def test_a_name_ends_at_the_side_at_which_its_language_ends(window: Open, at: str, path: str) -> None:
    alice = Drawing(window("alice", at=at + path))
    hebrew, english = node(1, "שלום!", 0, 0), node(2, "Hello!", 300, 0)
    flow = {"shape": "flow", "source": {"cell": hebrew["id"]}, "target": {"cell": english["id"]}, "label": "למה?"}
    alice.open(cells=[hebrew, english, {"id": node(3, "", 0, 0)["id"], **flow}])
    for name in ("שלום!", "למה?", "Hello!"):
        expect(alice.page.locator("text", has_text=name)).to_be_visible()
    assert [alice.page.evaluate(ENDS, [name]) for name in ("שלום!", "למה?", "Hello!")] == [[-1], [-1], [1]]


def test_where_the_drawing_library_does_not_load_it_is_said_so_and_nothing_is_connected(window: Open, at: str) -> None:
    page = window("alice", at=at).page
    page.locator("#create").wait_for()
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    page.evaluate("delete globalThis.X6")
    page.evaluate(OPEN, ["writer", []])
    expect(page.get_by_role("alert")).to_contain_text("drawing library")
    assert opened == []


SCROLLED = "({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop]"


def test_the_field_of_a_name_is_in_sight_wherever_its_cell_is(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    trust = node(2, "Trust", 200, -1200, shape="security-boundary", width=900, height=1500)
    alice.open(cells=[node(1, "Shop", 0, 0), trust])
    stage, field = alice.page.locator("#stage"), alice.page.locator("textarea.rename:focus")
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.page.mouse.wheel(-3000, 0)
    expect(alice.node("Shop")).not_to_be_in_viewport()
    alice.key("F2")
    field.press_sequentially("Web")
    expect(field).to_be_in_viewport(ratio=1)
    assert stage.evaluate(SCROLLED) == [0, 0]
    expect(alice.node("Shop")).to_be_in_viewport()
    field.press("Escape")

    alice.key("1")
    alice.page.mouse.wheel(0, 500)
    x, y, _, height = alice.box("Trust")
    alice.page.mouse.dblclick(x + 20, y + height - 10)  # its name is far above
    field.press_sequentially("Net")
    expect(field).to_be_in_viewport(ratio=1)
    assert stage.evaluate(SCROLLED) == [0, 0]


def test_what_is_pressed_in_the_panel_right_after_typing_there_happens(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.page.locator(".format textarea.name").fill("Web shop")
    alice.page.locator("[data-does='Fill #fce8b2']").hover()
    alice.page.mouse.down()
    alice.node("Web shop").wait_for()  # the field is left, and what it says is drawn
    alice.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    alice.page.mouse.up()
    assert alice.cell("Web shop")["attrs"].get("body") == {"fill": "#fce8b2"}
    expect(alice.page.locator("[data-does='Fill #fce8b2']")).to_have_attribute("aria-pressed", "true")


def test_enter_that_ends_a_composition_does_not_end_the_name_in_the_panel(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.mouse.click(*alice.middle("Shop"))
    name = alice.page.locator(".format textarea.name")
    name.focus()
    name.select_text()
    devtools = alice.page.context.new_cdp_session(alice.page)
    devtools.send("Input.imeSetComposition", {"text": "みせ", "selectionStart": 2, "selectionEnd": 2})
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229})
    devtools.send("Input.insertText", {"text": "店"})
    expect(name).to_be_focused()
    name.press("Enter")
    expect(alice.node("店")).to_be_visible()


def test_enter_does_not_end_the_name_where_the_browser_says_first_that_the_composition_has_ended(
    window: Open, at: str
) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    devtools = alice.page.context.new_cdp_session(alice.page)
    alice.page.mouse.click(*alice.middle("Shop"))
    panel = alice.page.locator(".format textarea.name")
    panel.focus()
    devtools.send("Input.insertText", {"text": "店"})
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229})
    expect(panel).to_be_focused()
    alice.page.mouse.dblclick(*alice.middle("Shop"))
    name = alice.page.locator("textarea.rename:focus")
    name.fill("みせ")
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229})
    expect(name).to_be_focused()
    name.press("Enter")
    expect(alice.node("みせ")).to_be_visible()


def test_the_panel_does_not_scroll_sideways(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.mouse.click(*alice.middle("Shop"))
    expect(alice.page.locator(".format textarea.name")).to_be_visible()
    assert (
        alice.page.evaluate(
            "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.format'))"
        )
        == 0
    )


def test_a_middle_button_that_looks_around_pastes_nothing_where_it_is_let_go_of(window: Open, at: str) -> None:
    alice = Drawing(window("alice", at=at))
    alice.open(cells=[node(1, "Shop", 0, 0)])
    alice.page.evaluate("addEventListener('auxclick', (event) => (window.last = event))")
    x, y = alice.middle("Shop")
    alice.page.mouse.move(x, y + 200)
    alice.page.mouse.down(button="middle")
    alice.page.mouse.move(x, 20)
    alice.page.mouse.up(button="middle")
    assert alice.page.evaluate("last.defaultPrevented")
