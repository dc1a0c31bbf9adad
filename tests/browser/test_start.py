"""The first pages, as somebody uses them who has a diagram to draw: from the sign-in to the dashboard of two people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.window import Window, visitor
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium

Open = Callable[..., Window]

LOADED = """async (selector) => {
    const image = document.querySelector(selector);
    if (!image.src) await new Promise((done) => image.addEventListener("load", done, { once: true }));
    await image.decode();
    return image.naturalWidth / image.naturalHeight;
}"""
CAME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"
"""Somebody looks at the window again, which looks for what has changed."""


def create(window: Window, name: str, example: str) -> None:
    window.page.locator(".template", has_text=example).click()
    window.page.fill(".new input[name=name]", name)
    window.page.click("#create")
    window.await_state("live")


def home(window: Window) -> None:
    window.page.evaluate("location.hash = '#/'")
    window.page.wait_for_selector(".shelf")


@pytest.mark.needs_editor
def test_from_an_example_to_a_diagram_that_others_see_live(window: Open, server: Server) -> None:
    bob = window("bob", at=f"{server.http}/")
    bob.page.wait_for_selector(".shelf")
    alice = window("alice", at=f"{server.http}/")
    create(alice, "Harbour", "Network zones")
    expect(alice.page.locator(".stage text", has_text="Bastion")).to_be_visible()

    bob.page.evaluate(CAME_BACK)
    now = bob.page.locator(".now li", has_text="Harbour")
    expect(now).to_contain_text("Alice is drawing")
    model = bob.page.locator(".model", has=bob.page.get_by_role("heading", name="Harbour"))
    expect(model.locator(".about")).to_contain_text("1 diagram, of alice@tmi.local")
    expect(model.locator(".live")).to_have_text("Alice is drawing")
    assert 1 < bob.page.evaluate(LOADED, ".model .preview img") < 4
    expect(model.get_by_role("button", name="Share")).to_have_count(0)
    now.get_by_role("link", name="Join Network zones").click()
    bob.await_state("live")
    expect(bob.page.locator(".stage text", has_text="Bastion")).to_be_visible()

    bob.page.click("#share")
    bob.page.click("#rights")
    expect(bob.page.locator("dialog")).to_contain_text("Alice")
    expect(bob.page.locator("dialog select[name=everyone]")).to_be_disabled()
    bob.page.keyboard.press("Escape")

    home(bob)
    expect(model.locator(".live")).to_have_text("Alice is drawing")
    bob.page.context.set_offline(True)
    bob.page.evaluate(CAME_BACK)
    expect(bob.page.locator(".stale")).to_contain_text("The server cannot be reached.")
    bob.page.context.set_offline(False)
    bob.page.evaluate(CAME_BACK)
    expect(bob.page.locator(".stale")).to_be_empty()


def test_what_there_is_can_be_found_renamed_shared_and_deleted(window: Open) -> None:
    alice = window("alice")
    page = alice.page
    create(alice, "Lighthouse", "Empty")
    home(alice)
    create(alice, "Windmill", "Web shop")
    home(alice)

    search = page.get_by_role("searchbox")
    search.fill("overv")
    expect(page.locator(".model h2")).to_have_text(["Lighthouse"])
    search.fill("windmill")
    expect(page.locator(".model h2")).to_have_text(["Windmill"])
    search.fill("no such thing")
    expect(page.locator(".page .empty")).to_have_text("Nothing here is called “no such thing”.")
    search.fill("windmill")

    model = page.locator(".model")
    model.get_by_label("More for Windmill").click()
    model.get_by_role("button", name="Rename").click()
    page.keyboard.type("Windmill & <b>sons</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".model h2")).to_have_text(["Windmill & <b>sons</b>"])

    model.get_by_role("button", name="New diagram").click()
    page.keyboard.type("Second")
    page.keyboard.press("Enter")
    alice.await_state("live")
    home(alice)
    search.fill("windmill")
    expect(model.locator(".diagram .name")).to_have_text(["Second", "Web shop"])

    model.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("select[name=everyone]")).to_have_value("writer")
    dialog.locator("select[name=everyone]").select_option("none")
    dialog.get_by_label("E-mail address").fill("cleopatra@tmi.local")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_label("What cleopatra@tmi.local may do")).to_have_value("writer")
    dialog.get_by_label("What cleopatra@tmi.local may do").select_option("reader")
    dialog.get_by_label("What Alice may do").select_option("reader")
    expect(dialog.get_by_role("alert")).to_have_text("The last owner stays owner.")
    dialog.get_by_role("button", name="Done").click()

    cleopatra = window("cleopatra")
    theirs = cleopatra.page.locator(".model", has_text="Windmill")
    expect(theirs.locator(".about")).to_contain_text("you may look")
    expect(theirs.get_by_role("button")).to_have_count(0)

    model.locator(".diagram", has_text="Second").get_by_label("More for Second").click()
    model.get_by_role("button", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(model.locator(".diagram .name")).to_have_text(["Web shop"])
    model.get_by_label("More for Windmill").click()
    model.locator("header").get_by_role("button", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".model")).to_have_count(0)


def test_colours_are_chosen_once_for_all_pages(window: Open) -> None:
    alice = window("alice")
    page = alice.page
    page.wait_for_selector(".shelf")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.click("button.theme")
    assert page.evaluate(ground) == light
    page.get_by_role("button", name="Colours: light. Change to dark").click()
    assert page.evaluate(ground) == "rgb(18, 22, 27)"
    page.reload()
    page.wait_for_selector(".shelf")
    assert page.evaluate(ground) == "rgb(18, 22, 27)"


def test_what_one_has_left_is_not_kept_in_memory(window: Open, server: Server) -> None:
    alice = window("alice", at=f"{server.http}/")
    page = alice.page
    page.fill(".new input[name=name]", "Shop")
    page.evaluate("void (window.left = [new WeakRef(document.querySelector('.shelf'))])")
    page.click("#create")
    page.locator("#status[data-state=live]").wait_for()
    page.evaluate("void left.push(new WeakRef(document.querySelector('.workspace')))")
    page.click("[aria-label='All diagrams']")
    page.locator("#create").wait_for()
    devtools = page.context.new_cdp_session(page)
    for _ in range(2):
        devtools.send("HeapProfiler.collectGarbage")
    assert page.evaluate("left.map((page) => page.deref()?.className)") == [None, None]


def test_whoever_cannot_sign_in_is_told_why(browser: Browser, server: Server) -> None:
    with visitor(browser) as page:
        page.goto(f"{server.http}/playground")
        page.fill("input[name=name]", "dora")
        page.route("**/oauth2/authorize*", lambda route: route.abort())
        page.click("#sign-in")
        expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Is the network there?")
        page.unroute("**/oauth2/authorize*")
        page.route("**/oauth2/providers", lambda route: route.fulfill(json={"providers": []}))
        page.reload()
        expect(page.locator(".card")).to_contain_text("Nobody can sign in here yet")
        page.unroute("**/oauth2/providers")
        page.route("**/oauth2/providers", lambda route: route.abort())
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
        page.unroute("**/oauth2/providers")
        page.click("text=Try again")
        page.wait_for_selector("#sign-in")
