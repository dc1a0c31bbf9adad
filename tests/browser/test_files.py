"""A diagram as a file: imported, exported, and drawn by the server as the page shows it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Download, Page, expect

from tests.browser.window import Window
from tests.support.needs import need
from tests.support.servers import Server

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_editor]

Open = Callable[..., Window]
NEAR = 6.0
"""Pixels by which a picture and the page may differ."""


def node(id: str, shape: str, x: int, y: int, width: int, height: int, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": shape, "x": x, "y": y, "width": width, "height": height, **more}


def flow(id: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "flow", "source": {"cell": start}, "target": {"cell": end}, **more}


NEAR_ITS_START = [{"position": 0.3, "attrs": {"text": {"text": "near"}}}]
RICH = [
    node("zone", "security-boundary", 0, 0, 400, 300, label="Zone"),
    node("long", "process", 32, 64, 128, 80, label="A process that has a long name"),
    node("store", "store", 224, 64, 144, 64, label="Store", parent="zone", attrs={"body": {"stroke": "#cc0000"}}),
    node("actor", "actor", 32, 200, 128, 64, label="<b>Äctor</b>", attrs={"body": {"fill": "#203060"}}),
    node("note", "text-box", 480, 64, 144, 48, label="A note"),
    node("other", "something-else", 480, 200, 144, 48, label="Other"),
    flow("there", "long", "store", label="one"),
    flow("back", "store", "long", label="two"),
    flow("self", "actor", "actor", label="self"),
    flow("led", "actor", "other", vertices=[{"x": 300, "y": 340}], labels=NEAR_ITS_START),
    flow("held", "long", "other", source={"cell": "long", "port": "top"}, target={"cell": "other", "port": "left"}),
]

SEEN = """(picture) => {
    const cells = {};
    const look = (id, group, body, root) => {
        const box = (element) => {
            const { x, y, width, height } = element.getBBox();
            const to = root.getScreenCTM().inverse().multiply(element.getScreenCTM());
            const [a, b] = [[x, y], [x + width, y + height]].map((at) => new DOMPoint(...at).matrixTransform(to));
            return [a.x, a.y, b.x, b.y];
        };
        const middle = ([left, top, right, bottom]) => [(left + right) / 2, (top + bottom) / 2];
        const texts = [...group.querySelectorAll("text")].map((text) => [text.textContent, middle(box(text))]);
        cells[id] = { body: box(body), texts };
    };
    if (picture) {
        const read = new DOMParser().parseFromString(picture, "image/svg+xml").documentElement;
        const svg = document.body.appendChild(document.importNode(read, true));
        for (const group of svg.querySelectorAll("[data-id]")) {
            look(group.dataset.id, group, group.firstElementChild, svg);
        }
        svg.remove();
    } else {
        const root = document.querySelector(".x6-graph-svg-viewport");
        for (const group of root.querySelectorAll("[data-cell-id]")) {
            look(group.dataset.cellId, group, group.querySelector(".x6-body, .x6-line"), root);
        }
    }
    return cells;
}"""
"""Of the page, or of a picture: of every cell the box of its shape or line, and the middle of each of its texts."""

PICTURE = """async () => {
    const [, model, diagram] = location.hash.split("/");
    const { access_token } = JSON.parse(sessionStorage.getItem("codraw.tokens"));
    const headers = { Authorization: `Bearer ${access_token}` };
    return (await fetch(`/threat_models/${model}/diagrams/${diagram}/image`, { headers })).text();
}"""

DROP = """([name, text]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], name, { type: "application/json" }));
    for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }
}"""


@pytest.fixture
def alice(window: Open, server: Server) -> Window:
    need("editor")
    alice = window("alice", at=f"{server.http}/")
    alice.page.locator(".template", has_text="Empty").click()
    alice.page.fill(".new input[name=name]", "Harbour / plan")
    alice.page.click("#create")
    alice.await_state("live")
    return alice


def bring(page: Page, name: str, content: Any) -> None:
    file = {"name": name, "mimeType": "application/json", "buffer": json.dumps(content).encode()}
    page.locator("input[type=file]").set_input_files(file)


def take(page: Page, item: str) -> Download:
    page.click("#files")
    with page.expect_download() as download:
        page.get_by_role("button", name=item).click()
    return download.value


def cells(page: Page) -> int:
    return page.locator("[data-cell-id]").count()


def near(one: Any, other: Any) -> bool:
    return all(abs(a - b) <= NEAR for a, b in zip(one, other, strict=True))


def test_S55_a_file_becomes_cells_and_the_server_draws_what_the_page_shows(alice: Window) -> None:
    page = alice.page
    bring(page, "rich.json", {"name": "Rich", "cells": RICH})
    expect(page.locator(".toast", has_text=f"{len(RICH)} cells imported.")).to_be_visible()
    expect(page.locator("[data-cell-id]")).to_have_count(len(RICH))
    alice.await_state("live")
    shown, pictured = page.evaluate(SEEN, None), page.evaluate(SEEN, page.evaluate(PICTURE))
    assert set(shown) == set(pictured)
    for id, cell in shown.items():
        assert near(cell["body"], pictured[id]["body"]), (cell, pictured[id])
        for (text, at), (drawn, where) in zip(cell["texts"], pictured[id]["texts"], strict=True):
            # Where a line breaks depends on the font.
            assert text[:8] == drawn[:8] and near(at, where), (cell, pictured[id])

    bring(page, "again.json", [*RICH, node("one-more", "actor", 0, 400, 128, 64)])
    expect(page.locator(".toast", has_text=f"{len(RICH) + 1} cells imported.")).to_be_visible()
    # What is out of sight is not drawn.
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator("[data-cell-id]")).to_have_count(2 * len(RICH) + 1)
    page.keyboard.press("Control+z")
    expect(page.locator("[data-cell-id]")).to_have_count(len(RICH))


def test_a_file_that_is_wrong_says_where_and_changes_nothing(alice: Window) -> None:
    page = alice.page
    bring(page, "wrong.json", [node("a", "process", 0, 0, 10, 80), flow("f", "a", "b")])
    dialog = page.get_by_role("dialog", name="Import")
    expect(dialog).to_contain_text("wrong.json")
    expect(dialog.locator("li")).to_have_text(
        ["Cell 1 (a): is smaller than 40 × 30.", "Cell 2 (f): “target” names b, which is no node of this file."]
    )
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    assert cells(page) == 0

    page.evaluate(DROP, ["dropped.json", json.dumps([node("a", "actor", 0, 0, 100, 60, label="Dropped")])])
    expect(page.locator("[data-cell-id] text", has_text="Dropped")).to_be_visible()


def test_what_is_exported_is_the_diagram(alice: Window, tmp_path: Path) -> None:
    page = alice.page
    bring(page, "rich.json", RICH)
    expect(page.locator("[data-cell-id]")).to_have_count(len(RICH))
    kept = take(page, "Data (JSON)")
    assert kept.suggested_filename == "Overview.json"
    kept.save_as(tmp_path / "kept.json")
    written = json.loads((tmp_path / "kept.json").read_text("utf-8"))
    assert (written["codraw"], written["name"], len(written["cells"])) == (1, "Overview", len(RICH))

    svg = take(page, "Picture (SVG)")
    svg.save_as(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text("utf-8").count("data-id=") == len(RICH)
    png = take(page, "Picture (PNG)")
    png.save_as(tmp_path / "picture.png")
    width, height = struct.unpack(">II", (tmp_path / "picture.png").read_bytes()[16:24])
    assert (png.suggested_filename, width > 1_300, height > 600) == ("Overview.png", True, True)

    page.context.set_offline(True)
    alice.await_state("offline")
    page.click("#files")
    for picture in ("SVG", "PNG"):
        expect(page.get_by_role("button", name=f"Picture ({picture})")).to_be_disabled()
    expect(page.locator(".files .hint")).to_contain_text("need the connection")
    with page.expect_download() as download:
        page.get_by_role("button", name="Data (JSON)").click()
    assert download.value.suggested_filename == "Overview.json"
