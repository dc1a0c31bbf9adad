"""The inspector at /playground: everything on the wire, messages by hand, and trouble made on purpose."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Route

from tests.browser.window import Window, settle
from tests.support.servers import Server
from tests.support.tree import ROOT

pytestmark = pytest.mark.needs_chromium

Open = Callable[..., Window]
UNKNOWN = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def two(window: Open) -> tuple[Window, Window]:
    """Alice sits at the inspector, Bob at the plain drawing."""
    alice = window("alice")
    alice.page.set_viewport_size({"width": 1600, "height": 1000})
    alice.create("Inspected")
    alice.place("process", 300, 300, "Shop")
    bob = window("bob", at=alice.page.url)
    bob.await_state("live")
    bob.node("Shop").wait_for()
    return alice, bob


def assert_equal(alice: Window, bob: Window) -> None:
    newest = settle(alice, bob)
    for one in (alice, bob):
        one.page.click("#compare")
        one.await_fact("server-hash", f"the same at {newest}")
    assert alice.fact("hash") == bob.fact("hash")


def await_frame(window: Window, kind: str, *, text: str = "") -> None:
    window.page.locator(".frame-row", has_text=kind).filter(has_text=text).last.wait_for()


def send(window: Window, message: object) -> None:
    window.page.fill("#raw", message if isinstance(message, str) else json.dumps(message))
    window.page.press("#raw", "Control+Enter")


def test_messages_by_hand_and_frames_as_a_list(two: tuple[Window, Window]) -> None:
    alice, bob = two
    page = alice.page
    page.click("#send-section summary")
    page.select_option("#template", "operation: add")
    page.click("#send")
    bob.node("By hand").wait_for()
    asked = json.loads(page.input_value("#raw"))
    asked["operation"] = {"type": "patch", "cells": [{"id": UNKNOWN, "operation": "update", "data": {"x": 1}}]}
    asked["operation_id"] = "00000000-0000-4000-8000-00000000beef"
    send(alice, asked)
    await_frame(alice, "operation_rejected")
    send(alice, "{")
    assert "No JSON" in page.locator("#raw-verdict").inner_text()
    await_frame(alice, "error")

    page.fill("#frame-search", UNKNOWN)
    page.select_option("#frame-type", "operation")
    page.locator(".frame-row").click()
    assert f'"id": "{UNKNOWN}"' in page.locator(".frame-detail pre").inner_text()
    with page.expect_download() as download:
        page.click("#export")
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [(line["direction"], line["frame"]["operation_id"]) for line in lines] == [("out", asked["operation_id"])]
    page.click("#pause")
    page.fill("#frame-search", "")
    page.select_option("#frame-type", "all")
    shown = page.locator(".framelist .count").inner_text()
    bob.drag("Shop", 0, 80)
    alice.await_position("Shop", bob.position("Shop"))
    assert page.locator(".framelist .count").inner_text().split()[0] == shown.split()[0]
    page.click("#pause")
    await_frame(alice, "event", text=f"@{alice.fact('vector')}")

    page.click("#dialects-section summary")
    page.click("[data-dialect=tmi]")
    await_frame(alice, "diagram_state", text="tmi")
    page.click("[data-dialect=classic]")
    await_frame(alice, "diagram_state_sync", text="classic")
    assert_equal(alice, bob)


def test_in_all_weathers_nothing_is_lost_and_nothing_happens_twice(two: tuple[Window, Window]) -> None:
    alice, bob = two
    page = alice.page
    page.click("#trouble-section summary")

    page.click("#double")
    vector = int(alice.fact("vector"))
    page.locator(".node").first.focus()
    page.keyboard.press("ArrowRight")
    alice.await_fact("vector", str(vector + 1))
    await_frame(alice, "operation", text="again")
    bob.await_position("Shop", alice.position("Shop"))
    page.click("#double")

    page.fill("#delay", "60000")
    page.press("#delay", "Enter")
    before = alice.position("Shop")
    bob.drag("Shop", 0, 80)
    page.locator("#waiting", has_text="received wait").wait_for()
    assert alice.position("Shop") == before
    page.fill("#delay", "0")
    page.press("#delay", "Enter")
    alice.await_position("Shop", bob.position("Shop"))

    page.click("#offline")
    alice.place("store", 500, 500, "Drawn offline")
    page.locator("#queue li", has_text="waits").first.wait_for()
    page.keyboard.press("Control+z")
    page.locator(".toast", has_text="Undo needs the connection").wait_for()
    alice.await_fact("connection", re.compile(r"attempt ([2-9]|\d\d)"))
    bob.drag("Shop", 80, 0)
    page.click("#offline")
    bob.node("Drawn offline").wait_for()
    alice.await_position("Shop", bob.position("Shop"))

    alice.await_state("live")
    page.click("#compare")
    alice.await_fact("server-hash", "the same")
    page.click("#spoil")
    alice.await_fact("server-hash", "at")
    page.wait_for_selector("[data-verdict=different]")
    page.click("#compare")
    alice.await_fact("server-hash", "the same")
    assert_equal(alice, bob)
    assert alice.cells() == bob.cells()


def test_what_is_not_read_is_held_back_and_read_later(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.page.click("#trouble-section summary")
    alice.page.click("#deaf")
    alice.page.locator("#waiting", has_text="nothing is read").wait_for()
    before = alice.position("Shop")
    bob.drag("Shop", 0, 80)
    bob.await_state("live")
    assert alice.position("Shop") == before
    alice.page.click("#deaf")
    alice.await_position("Shop", bob.position("Shop"))
    assert_equal(alice, bob)


def test_where_the_editor_is_not_built_this_page_says_how(browser: Browser, server: Server) -> None:
    def answer(route: Route) -> None:
        route.fulfill(content_type="text/html", body=(ROOT / "web/playground/index.html").read_text())

    page = browser.new_page()
    page.route(f"{server.http}/", answer)
    page.goto(f"{server.http}/")
    assert "make web" in page.locator(".unbuilt").inner_text()
    page.close()
