"""The pages at /docs in a real browser: their policies refuse them nothing, and a phone needs no sideways scrolling."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.window import Window
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_the_messages_can_be_read(browser: Browser, server: Server, scheme: str, width: int) -> None:
    place = "codraw_v1.server.operation_accepted"
    window = Window(browser, f"{server.http}/docs/ws#{place}", name="reader", scheme=scheme, width=width)
    window.page.locator(f"[id='{place}'] summary").click()
    assert "duplicate" in window.page.locator(f"[id='{place}'] pre").first.inner_text()
    assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert window.page.evaluate("[...document.querySelectorAll('td code')].every(c => c.getClientRects().length < 2)")
    ground = window.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(18, 22, 27)" if scheme == "dark" else "rgb(244, 246, 249)")
    assert window.faults == []
    window.page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_the_calls_can_be_read(browser: Browser, server: Server, scheme: str, width: int) -> None:
    window = Window(browser, f"{server.http}/docs", name="reader", scheme=scheme, width=width)
    assert "GET /threat_models/{threat_model_id}" in window.page.locator("main").inner_text()
    assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.page.get_by_role("link", name="WebSocket messages").click()
    window.page.wait_for_url("**/docs/ws")
    assert window.faults == []
    window.page.context.close()


def test_the_calls_can_be_tried_and_nothing_is_fetched_from_elsewhere(browser: Browser, server: Server) -> None:
    window = Window(browser, f"{server.http}/docs/rest", name="reader")
    fetched: list[str] = []
    window.page.on("request", lambda request: fetched.append(request.url))
    window.page.reload()
    call = window.page.locator("[id$=readHealth]")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    assert call.locator(".live-responses-table .response-col_status").last.inner_text().startswith("200")
    assert f"{server.http}/healthz" in fetched
    assert [url for url in fetched if not url.startswith((server.http, "data:", "blob:"))] == []
    assert window.faults == []
    window.page.context.close()
