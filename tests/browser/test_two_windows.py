"""Two people in two windows of the page, on one diagram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.window import Window, settle

pytestmark = pytest.mark.needs_chromium

Open = Callable[..., Window]
ROOMY = {"width": 1520, "height": 800}
"""The inspector leaves room for the drawing."""


@pytest.fixture
def two(window: Open) -> tuple[Window, Window]:
    """Alice has made a diagram; Bob has come by her link."""
    alice = window("alice")
    alice.page.set_viewport_size(ROOMY)
    alice.create("Online shop")
    alice.place("actor", 200, 300, "Customer")
    alice.place("process", 500, 300, "Shop")
    bob = window("bob", at=alice.page.url)
    bob.page.set_viewport_size(ROOMY)
    bob.await_state("live")
    bob.node("Shop").wait_for()
    return alice, bob


def assert_equal(alice: Window, bob: Window) -> None:
    """Both copies are whole and the same."""
    settle(alice, bob)
    assert alice.fact("hash") == bob.fact("hash")
    assert alice.cells() == bob.cells()
    bob.page.click("text=Compare now")
    bob.await_fact("server-hash", "the same")


def test_two_people_draw_at_once_and_end_equal(two: tuple[Window, Window]) -> None:
    alice, bob = two
    bob.place("store", 700, 480, "Orders")
    alice.connect("Customer", "Shop", "order")
    alice.node("Orders").wait_for()
    alice.drag("Orders", 40, -80)
    bob.drag("Customer", -40, 96)
    bob.connect("Shop", "Orders", "save")
    alice.page.locator("g.edge", has_text="save").wait_for()
    bob.page.locator("g.edge", has_text="order").wait_for()
    assert_equal(alice, bob)


def test_each_sees_the_other(two: tuple[Window, Window]) -> None:
    alice, bob = two
    bob.page.mouse.move(*bob.middle("Shop"))
    alice.page.wait_for_selector(".cursor[data-name=Bob]")
    bob.page.mouse.click(*bob.middle("Shop"))
    alice.page.locator(".others .frame", has_text="Bob").wait_for()
    assert bob.page.locator(".faces .avatar").count() == 2


MOVED = """async (from) => {
    const world = document.querySelector("svg.canvas .world");
    while (world.getAttribute("transform") === from) await new Promise(requestAnimationFrame);
}"""


def test_one_follows_the_view_of_another_until_one_looks_elsewhere(two: tuple[Window, Window]) -> None:
    alice, bob = two
    bob.page.click(".roster")
    bob.page.click("[aria-label='Follow Alice']")
    bob.page.keyboard.press("Escape")
    bob.page.locator(".following", has_text="Following Alice").wait_for()
    seen = bob.page.locator("svg.canvas .world").get_attribute("transform")
    alice.page.mouse.move(*alice.middle("Shop"))
    alice.page.mouse.wheel(0, 240)
    bob.page.evaluate(MOVED, seen)
    bob.page.mouse.move(*bob.middle("Shop"))
    bob.page.mouse.wheel(0, -80)
    bob.page.locator(".following", has_text="Following Alice").wait_for(state="hidden")


def test_undo_takes_back_the_whole_of_ones_own_last_gesture(two: tuple[Window, Window]) -> None:
    alice, bob = two
    before = alice.position("Shop")
    alice.drag("Shop", 160, 160)
    bob.await_position("Shop", alice.position("Shop"))
    bob.drag("Customer", 0, 80)
    alice.page.keyboard.press("Control+z")
    alice.await_position("Shop", before)
    assert_equal(alice, bob)
    assert alice.position("Customer") == bob.position("Customer") != before


def test_what_is_drawn_while_the_wire_is_cut_is_kept_and_sent(two: tuple[Window, Window]) -> None:
    alice, bob = two
    bob.page.context.set_offline(True)
    bob.fact("vector")
    bob.page.click("#cut")
    bob.place("text-box", 400, 520, "Written offline")
    bob.page.wait_for_selector("#status[data-state=offline]")
    assert "not saved" in bob.page.locator("#status").inner_text()
    alice.drag("Customer", 0, 80)
    bob.page.context.set_offline(False)
    bob.await_state("live")
    alice.node("Written offline").wait_for()
    assert_equal(alice, bob)


def test_what_is_drawn_without_a_connection_survives_a_reload_of_the_page(two: tuple[Window, Window]) -> None:
    alice, bob = two
    bob.page.on("dialog", lambda dialog: dialog.accept())
    bob.page.route("**/ws/ticket*", lambda route: route.abort())
    bob.fact("vector")
    bob.page.click("#cut")
    bob.place("text-box", 400, 520, "Written before the reload")
    bob.page.wait_for_selector("#status[data-state=offline]")
    bob.page.reload()
    bob.node("Written before the reload").wait_for()
    bob.page.unroute("**/ws/ticket*")
    bob.await_state("live")
    alice.node("Written before the reload").wait_for()
    assert_equal(alice, bob)


def test_a_colour_is_seen_in_both_windows_with_letters_that_can_be_read_on_it(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.connect("Customer", "Shop", "order")
    alice.page.click("[aria-label='Colour #5b6470']")
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.page.click("[aria-label='Colour #5b6470']")
    bob.page.locator("g.edge.painted").wait_for()
    bob.page.locator("g.node.painted").wait_for()
    assert looks(bob, "g.edge .line", "stroke") == looks(bob, "g.node.painted .body", "fill") == "rgb(91, 100, 112)"
    assert looks(bob, "g.node.painted .label", "fill") == "rgb(255, 255, 255)"
    assert_equal(alice, bob)


def looks(window: Window, selector: str, name: str) -> Any:
    return window.page.locator(selector).evaluate("(element, name) => getComputedStyle(element)[name]", name)


def test_a_button_of_the_selection_stays_while_others_draw(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.page.mouse.click(*alice.middle("Shop"))
    delete = alice.page.locator(".selection-bar [aria-label^=Delete]")
    delete.focus()
    delete.hover()
    alice.page.mouse.down()
    bob.drag("Customer", 40, 40)
    alice.await_position("Customer", bob.position("Customer"))
    assert delete.evaluate("button => button === document.activeElement")
    alice.page.mouse.up()
    bob.node("Shop").wait_for(state="detached")


def test_a_double_click_names_a_node_and_a_flow(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.connect("Customer", "Shop")
    (start, _), (end, height) = alice.middle("Customer"), alice.middle("Shop")
    for (x, y), label in ((alice.middle("Shop"), "Web shop"), (((start + end) / 2, height), "order")):
        alice.page.mouse.dblclick(x, y)
        field = alice.page.locator("input.rename:focus")
        field.fill(label)
        field.press("Enter")
    bob.node("Web shop").wait_for()
    bob.page.locator("g.edge", has_text="order").wait_for()


def test_enter_that_ends_a_composition_does_not_end_the_name(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.page.keyboard.press("F2")
    name = alice.page.locator("input.rename:focus")
    name.select_text()
    devtools = alice.page.context.new_cdp_session(alice.page)
    devtools.send("Input.imeSetComposition", {"text": "みせ", "selectionStart": 2, "selectionEnd": 2})
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229})
    devtools.send("Input.insertText", {"text": "店"})
    name.press("Enter")
    bob.node("店").wait_for()


def test_enter_does_not_end_the_name_where_the_browser_says_first_that_the_composition_has_ended(
    two: tuple[Window, Window],
) -> None:
    alice, bob = two
    alice.page.mouse.click(*alice.middle("Shop"))
    alice.page.keyboard.press("F2")
    name = alice.page.locator("input.rename:focus")
    name.fill("店")
    devtools = alice.page.context.new_cdp_session(alice.page)
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229})
    assert name.count() == 1
    name.press("Enter")
    bob.node("店").wait_for()


def test_a_node_that_goes_takes_its_flows_from_both_windows(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.connect("Customer", "Shop")
    bob.page.locator("g.edge").wait_for()
    bob.page.mouse.click(*bob.middle("Shop"))
    bob.page.keyboard.press("Delete")
    alice.page.locator("g.edge").wait_for(state="detached")
    assert_equal(alice, bob)


def test_the_host_who_leaves_ends_the_session_and_another_may_open_it_again(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.page.click("[aria-label='All diagrams']")
    alice.page.click("dialog .primary")
    bob.await_state("refused")
    assert "host has left" in bob.page.locator("#status").inner_text()
    bob.page.click(".session-over >> text=Open again")
    bob.await_state("live")
    bob.drag("Customer", 0, 80)
    bob.await_state("live")


MARKUP = """<img src=x onerror="document.title='ran'"><script>document.title='ran'</script>"""


def test_S55_markup_in_names_and_labels_stays_text(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.place("process", 500, 520, MARKUP)
    bob.page.locator("g.node title", has_text="onerror").wait_for(state="attached")
    bob.page.locator("[aria-label='All diagrams']").click()
    bob.page.fill(".new input", MARKUP)
    bob.page.click("#create")
    bob.await_state("live")
    bob.page.locator("[aria-label='All diagrams']").click()
    bob.page.locator("h2", has_text="onerror").wait_for()
    assert "ran" not in [one.page.title() for one in two]
    assert [one.page.locator("img[src=x], main script").count() for one in two] == [0, 0]


MEANWHILE = """() => {
    const event = { pointerId: 9, pointerType: "touch", bubbles: true, clientX: 40, clientY: 700 };
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"])
        document.querySelector("svg.canvas").dispatchEvent(new PointerEvent(type, event));
}"""


def test_a_finger_beside_a_drag_has_no_part_in_it_and_does_not_end_it(two: tuple[Window, Window]) -> None:
    alice, bob = two
    start = alice.position("Shop")
    x, y = alice.middle("Shop")
    alice.page.mouse.move(x, y)
    alice.page.mouse.down()
    alice.page.mouse.move(x + 40, y, steps=4)
    alice.page.evaluate(MEANWHILE)
    alice.page.mouse.move(x, y + 80, steps=4)
    alice.page.mouse.move(x, y, steps=4)
    alice.page.mouse.up()
    bob.await_position("Shop", start)
    assert_equal(alice, bob)


def test_the_page_can_be_used_without_a_pointer(two: tuple[Window, Window]) -> None:
    alice, bob = two
    alice.page.locator(".tools [data-tool=store]").press("Enter")
    field = alice.page.locator("input.rename:focus")
    field.fill("By keys")
    field.press("Enter")
    bob.node("By keys").wait_for()
    before = bob.position("By keys")
    alice.page.keyboard.press("ArrowRight")
    bob.await_position("By keys", alice.position("By keys"))
    assert bob.position("By keys") != before
    alice.page.keyboard.press("Delete")
    bob.node("By keys").wait_for(state="detached")
