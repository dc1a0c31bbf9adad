"""The ways into the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.window import Window, visitor
from tests.support.oidc_provider import ANA, CLIENT, SECRET, OidcProvider
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium


def test_two_windows_of_one_browser_may_be_two_people(window: Callable[..., Window]) -> None:
    alice = window("alice")
    alice.page.wait_for_selector(".shelf")
    second = alice.page.context.new_page()
    second.goto(alice.page.url)
    second.fill("input[name=name]", "bob")
    second.click("#sign-in")
    second.locator(".who", has_text="Bob").wait_for()
    alice.page.reload()
    alice.page.locator(".who", has_text="Alice").wait_for()


KEEPS_NOTHING = """() => {
    const refuse = () => { throw new DOMException("The operation is insecure.", "SecurityError"); };
    for (const name of ["sessionStorage", "localStorage"]) Object.defineProperty(window, name, { get: refuse });
    window.BroadcastChannel = class { constructor() { refuse(); } };
}"""


def drawing_with_nothing_kept(browser: Browser, address: str) -> Page:
    page = browser.new_page()
    page.add_init_script(f"({KEEPS_NOTHING})()")
    page.goto(address)
    page.fill("input[name=name]", "alice")
    page.click("#sign-in")
    page.fill(".new input", "Shop")
    page.click("#create")
    return page


def test_who_lets_the_browser_keep_nothing_can_sign_in_and_draw(browser: Browser, server: Server) -> None:
    page = drawing_with_nothing_kept(browser, f"{server.http}/")
    page.wait_for_selector("#status[data-state=live]")
    page.context.close()


@pytest.mark.parametrize("path", ["", "playground"])
def test_who_lets_the_browser_keep_nothing_is_told_what_that_means(browser: Browser, server: Server, path: str) -> None:
    page = drawing_with_nothing_kept(browser, f"{server.http}/{path}")
    expect(page.locator(".toast")).to_have_text(re.compile("keeps nothing.* is lost"))
    page.wait_for_selector("#status[data-state=live]")
    page.context.set_offline(True)
    page.wait_for_selector("#status[data-state=offline]")
    page.locator("[data-tool=process]").press("Enter")
    page.get_by_label("All diagrams").click()
    expect(page.locator("dialog.question")).to_contain_text("The rest is lost")
    page.context.close()


NEARLY_OVER = """() => {
    const tokens = JSON.parse(sessionStorage["codraw.tokens"]);
    sessionStorage["codraw.tokens"] = JSON.stringify({ ...tokens, expiresAt: Date.now() });
}"""
RENEWED = """async (former) => {
    const give_up = performance.now() + 10_000;
    for (;;) {
        const now = sessionStorage["codraw.tokens"];
        if (now !== former || performance.now() > give_up) return JSON.parse(now);
        await new Promise((again) => setTimeout(again, 20));
    }
}"""
"""Asked in the page: its policy forbids the polling that Playwright would do."""


def test_AU8_a_duplicated_tab_goes_on_with_the_tokens_that_the_other_has_renewed(
    window: Callable[..., Window],
) -> None:
    alice = window("alice")
    alice.page.wait_for_selector(".shelf")
    with alice.page.context.expect_page() as opened:
        alice.page.evaluate("void open(location.href)")  # with a copy of what this tab keeps
    copy = opened.value
    copy.wait_for_selector(".shelf")
    former = copy.evaluate("sessionStorage['codraw.tokens']")
    alice.page.evaluate(NEARLY_OVER)
    alice.page.reload()
    alice.page.wait_for_selector(".shelf")
    renewed = copy.evaluate(RENEWED, former)
    assert renewed["refresh_token"] != json.loads(former)["refresh_token"]
    assert renewed == json.loads(alice.page.evaluate("sessionStorage['codraw.tokens']"))
    copy.reload()
    copy.locator(".who", has_text="Alice").wait_for()


LISTEN = """() => {
    window.told = [];
    window.channel = new BroadcastChannel("codraw.tokens");
    window.channel.onmessage = ({ data }) => window.told.push(data.former);
}"""
TELL = """async () => {
    const channel = new BroadcastChannel("codraw.tokens");
    channel.postMessage({ former: "nobody's" });
}"""
TOLD = """async (least) => {
    const give_up = performance.now() + 10_000;
    while (window.told.filter((one) => one === "nobody's").length < least && performance.now() < give_up) {
        await new Promise((again) => setTimeout(again, 20));
    }
    return window.told.filter((one) => one !== "nobody's").length;
}"""
"""What was said before the last word that each of them is made to say."""


def test_AU8_renewed_tokens_are_told_once_however_many_tabs_take_them(window: Callable[..., Window]) -> None:
    alice = window("alice")
    alice.page.wait_for_selector(".shelf")
    copies = []
    for _ in range(3):
        with alice.page.context.expect_page() as opened:
            alice.page.evaluate("void open(location.href)")
        copies.append(opened.value)
        copies[-1].wait_for_selector(".shelf")
    former = copies[0].evaluate("sessionStorage['codraw.tokens']")
    copies[0].evaluate(LISTEN)
    alice.page.evaluate(NEARLY_OVER)
    alice.page.reload()
    alice.page.wait_for_selector(".shelf")
    for copy in copies:
        assert copy.evaluate(RENEWED, former) != json.loads(former)
        copy.evaluate(TELL)
    assert copies[0].evaluate(TOLD, len(copies)) == 1


def test_signing_out_leads_back_to_the_door(window: Callable[..., Window]) -> None:
    alice = window("alice")
    alice.page.click("text=Sign out")
    alice.page.reload()
    alice.page.wait_for_selector("#sign-in")


def test_a_provider_is_reached_with_a_challenge_and_one_comes_back_to_the_link_that_one_followed(
    browser: Browser, server: Server
) -> None:
    """The list of providers is another server's; the conversation that follows is ours, from start to end."""
    provider = {"id": "corp", "name": "Corp", "auth_url": f"{server.http}/oauth2/authorize?idp=test&login_hint=carol"}

    def answer(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps({"providers": [provider]}))

    with visitor(browser) as page:
        page.route("**/oauth2/providers", answer)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        link = f"{server.http}/playground#/{uuid4()}/{uuid4()}"
        page.goto(link)
        page.click("text=Sign in with Corp")
        page.locator("text=There is no such diagram.").wait_for()
        assert page.url == link
        page.click("text=All diagrams")
        page.locator(".who", has_text="Carol").wait_for()
        assert any("code_challenge_method=S256" in url for url in requests)


def test_who_goes_back_over_the_provider_is_on_the_page_again(browser: Browser, tmp_path: Path) -> None:
    with OidcProvider() as idp:
        corp = {"id": "corp", "name": "Corp", "issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET}
        with Server(tmp_path, oidc_providers=json.dumps([corp])) as server, visitor(browser) as page:
            callbacks: list[str] = []
            page.on("request", lambda request: callbacks.append(request.url) if "/callback?" in request.url else None)
            page.goto(f"{server.http}/")
            page.click("text=Sign in with Corp")
            page.locator(".who", has_text=ANA["name"]).wait_for()
            page.goto(callbacks[0])
            page.locator(".who", has_text=ANA["name"]).wait_for()
            assert page.url == f"{server.http}/"
            page.evaluate("sessionStorage.clear()")
            page.goto(callbacks[0])
            page.locator("text=Please sign in again.").wait_for()
            assert page.url == f"{server.http}/"


def test_a_provider_that_is_really_there_signs_its_people_in(browser: Browser, tmp_path: Path) -> None:
    with OidcProvider() as idp:
        corp = {"id": "corp", "name": "Corp", "issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET}
        with Server(tmp_path, oidc_providers=json.dumps([corp])) as server, visitor(browser) as page:
            page.goto(f"{server.http}/")
            idp.error = "access_denied"
            page.click("text=Sign in with Corp")
            page.locator("text=The sign-in was cancelled.").wait_for()
            idp.error = None
            page.click("text=Sign in with Corp")
            page.locator(".who", has_text=ANA["name"]).wait_for()
            assert page.url == f"{server.http}/"


def test_who_turns_back_on_the_way_to_a_provider_can_go_there_again(browser: Browser, tmp_path: Path) -> None:
    with OidcProvider() as idp:
        corp = {"id": "corp", "name": "Corp", "issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET}
        with Server(tmp_path, oidc_providers=json.dumps([corp])) as server, visitor(browser) as page:
            page.goto(f"{server.http}/")
            # the page stays as it is, which it also does when one comes back to it
            idp.broken["authorize"] = (204, {}, b"")
            with page.expect_event("requestfailed", lambda request: request.url.startswith(f"{idp.issuer}/authorize")):
                page.click("text=Sign in with Corp")
            del idp.broken["authorize"]
            page.click("text=Sign in with Corp", timeout=5_000)
            page.locator(".who", has_text=ANA["name"]).wait_for()
