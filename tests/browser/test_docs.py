"""The page at /docs/ws in a real browser: nothing is refused by its policy, and a phone needs no sideways scrolling."""

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
