"""Windows that are not wide: nothing stands upon anything else, and nothing is out of reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.window import Window
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium

OPEN = """async ([everyone, name]) => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const { id } = await rest.createThreatModel("Online shop", { everyone });
    location.hash = `#/${id}/${(await rest.createDiagram(id, name)).id}`;
}"""
ONE_UPON_ANOTHER = """() => {
    const parts = [...document.querySelectorAll(".bar > *")].flatMap((part) =>
        part.matches(".status, .row") ? [...part.children] : [part]);
    const boxes = parts.filter((part) => !part.matches(".hidden")).map((part) => part.getBoundingClientRect());
    const across = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = (a, b) => Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    const seen = boxes.filter(({ width, height }) => width > 0 && height > 0);
    const pairs = seen.flatMap((a, at) => seen.slice(at + 1).filter((b) => across(a, b) > 2 && down(a, b) > 2));
    return pairs.length + seen.filter(({ right }) => right > innerWidth).length;
}"""
WIDTHS = (360, 770, 800, 900, 960, 1100)
LONG = "Payment service, checkout and refunds: second draft"


@pytest.mark.parametrize("path", ["/", "/playground"])
def test_a_long_title_gives_way_to_the_state_of_the_connection(
    window: Callable[..., Window], server: Server, path: str
) -> None:
    alice = window("alice", at=f"{server.http}{path}")
    alice.page.locator("#create").wait_for()
    alice.page.evaluate(OPEN, ["reader", LONG])
    alice.await_state("live")
    bob = window("bob", at=alice.page.url)
    bob.await_state("live")
    assert found(alice) == found(bob) == dict.fromkeys(WIDTHS, 0)
    alice.page.context.set_offline(True)
    alice.await_state("offline")
    assert found(alice) == dict.fromkeys(WIDTHS, 0)
    alice.page.locator("#status button").click(trial=True)


def found(window: Window) -> dict[int, int]:
    """How many parts of the header stand upon each other or outside, at each width."""
    upon = {}
    for width in WIDTHS:
        window.page.set_viewport_size({"width": width, "height": 600})
        upon[width] = window.page.evaluate(ONE_UPON_ANOTHER)
    return upon


def test_who_has_a_long_name_can_sign_out_on_a_narrow_screen(window: Callable[..., Window]) -> None:
    alice = window("Maximiliana-Theodora von Hohenlohe-Langenburg")
    alice.page.set_viewport_size({"width": 400, "height": 700})
    expect(alice.page.get_by_text("Sign out")).to_be_in_viewport(ratio=1)
    assert alice.page.evaluate("document.querySelector('.page').getBoundingClientRect().right <= innerWidth")


def test_a_link_and_the_list_of_keys_are_shown_from_their_beginning(
    window: Callable[..., Window], server: Server
) -> None:
    alice = window("alice", at=f"{server.http}/")
    alice.page.locator("#create").wait_for()
    alice.page.evaluate(OPEN, ["writer", "Overview"])
    alice.await_state("live")
    alice.page.set_viewport_size({"width": 853, "height": 533})
    alice.page.click("#share")
    scrolled = "() => new Promise(requestAnimationFrame).then(() => document.querySelector('.link').scrollLeft)"
    assert alice.page.evaluate(scrolled) == 0
    alice.page.keyboard.press("Escape")
    keys = alice.page.get_by_role("button", name="Keys (?)")
    if keys.count():  # where the editor is built
        keys.click()
        expect(alice.page.get_by_role("heading", name="Keys")).to_be_in_viewport()
