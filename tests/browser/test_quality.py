"""What all pages owe everybody: contrast, names for screen readers, keys alone, narrow screens, text as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.browser.pictures import keep
from tests.browser.window import Window, visitor
from tests.support.needs import NODE_MODULES, need
from tests.support.servers import Server

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_editor]

Open = Callable[..., Window]
AXE = NODE_MODULES / "axe-core/axe.min.js"
FINDINGS = """async (rules) => {
    const options = { resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) };
    const { violations } = await axe.run(document, options);
    return violations.filter(({ impact }) => /serious|critical/.test(impact)).flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}"""
OUTSIDE = """() => [...document.querySelectorAll("button, a, input, h1, h2, p, select")].filter((one) => {
    const { left, right, width, height } = one.getBoundingClientRect();
    const scrolls = (up) => up && (/auto|scroll/.test(getComputedStyle(up).overflowX) || scrolls(up.parentElement));
    return width > 1 && height > 1 && (left < -1 || right > innerWidth + 1) && !scrolls(one.parentElement);
}).map((one) => one.outerHTML.slice(0, 120))"""
PHONE = {"width": 390, "height": 844}


def judge(page: Page, view: str, rules: list[str] | None = None) -> None:
    """Nothing serious or critical by axe-core, which the page's own policy would keep out."""
    need("npm")
    page.add_script_tag(path=AXE)
    assert page.evaluate(FINDINGS, rules) == [], view


def look(page: Page, view: str) -> None:
    """At this view on a telephone: nothing reaches over the edge."""
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
    assert page.evaluate(OUTSIDE) == [], view
    keep(page, f"phone-{view}")
    page.set_viewport_size(size)


def create(page: Page, name: str) -> None:
    page.get_by_role("radio", name="Web shop").check(force=True)
    page.fill(".new input[name=name]", name)
    page.click("#create")
    page.wait_for_selector("#status[data-state=live]")


def test_all_views_can_be_read_and_operated_by_everybody(browser: Browser, server: Server) -> None:
    with visitor(browser, bypass_csp=True, color_scheme="light") as page:
        page.goto(f"{server.http}/")
        page.wait_for_selector("#sign-in")
        judge(page, "sign-in")
        keep(page, "sign-in")
        look(page, "sign-in")
        page.fill("input[name=name]", "alice")
        page.click("#sign-in")
        page.wait_for_selector("#create")
        create(page, "Online shop")
        page.locator(".stage").focus()
        page.keyboard.press("Tab")
        judge(page, "editor")
        keep(page, "editor")
        look(page, "editor")
        page.click(".roster")
        judge(page, "people")
        page.keyboard.press("Escape")
        page.click("#share")
        judge(page, "sharing")
        page.keyboard.press("Escape")
        place = page.url.partition("#")[2]
        page.click("[aria-label='All diagrams']")
        page.wait_for_selector(".diagram")
        judge(page, "dashboard")
        keep(page, "dashboard")
        look(page, "dashboard")
        page.goto(f"{server.http}/playground#{place}")
        page.wait_for_selector("#status[data-state=live]")
        page.click("#send-section summary")
        page.locator(".frame-row").first.click()
        judge(page, "playground")
        keep(page, "playground")
        look(page, "playground")


def test_all_views_have_contrast_in_the_dark(browser: Browser, server: Server) -> None:
    contrast = ["color-contrast"]
    with visitor(browser, bypass_csp=True, color_scheme="dark") as page:
        page.goto(f"{server.http}/")
        page.wait_for_selector("#sign-in")
        judge(page, "sign-in", contrast)
        page.fill("input[name=name]", "alice")
        page.click("#sign-in")
        page.wait_for_selector("#create")
        judge(page, "dashboard", contrast)
        create(page, "By night")
        judge(page, "editor", contrast)
        keep(page, "editor-dark")
        page.goto(f"{server.http}/playground#{page.url.partition('#')[2]}")
        page.wait_for_selector(".frame-row")
        judge(page, "playground", contrast)


STOP = """() => {
    const one = document.activeElement;
    const { outlineStyle, boxShadow } = getComputedStyle(one);
    const { width, height } = one.getBoundingClientRect();
    const hasRing = outlineStyle !== "none" || boxShadow !== "none";
    return [one.outerHTML.slice(0, 90), hasRing || one.matches("[type=radio]") || width * height === 0];
}"""


def walk_to(page: Page, selector: str, key: str = "Tab") -> None:
    """By the key alone; wherever one stops on the way, one sees where one is."""
    for _ in range(40):
        page.keyboard.press(key)
        where, is_seen = page.evaluate(STOP)
        assert is_seen, f"the focus cannot be seen on {where}"
        if page.locator(f"{selector}:focus").count() > 0:
            return
    pytest.fail(f"{key} does not lead to {selector}")


GROUND = "(one) => getComputedStyle(one).backgroundColor"


def test_colours_and_what_is_pressed_are_seen_where_the_system_has_colours_of_its_own(
    browser: Browser, server: Server
) -> None:
    with visitor(browser, forced_colors="active") as page:
        page.goto(f"{server.http}/")
        page.fill("input[name=name]", "alice")
        page.click("#sign-in")
        create(page, "Shop")
        page.locator(".x6-node").first.click()
        swatches = page.get_by_role("group", name="Fill").locator(".swatch:not(.none)")
        colours = {one.evaluate(GROUND) for one in swatches.all()}
        assert len(colours) == swatches.count() > 0
        tools = {one: page.locator(f".tool[data-tool={one}]").evaluate(GROUND) for one in ("select", "process")}
        assert tools["select"] != tools["process"]
        keep(page, "forced-colours")


def test_from_the_door_to_a_drawing_and_back_by_keys_alone(window: Open, server: Server) -> None:
    page = window("alice", at=f"{server.http}/").page
    page.wait_for_selector("#create")
    walk_to(page, ".new input[name=name]")
    page.keyboard.type("By keys")
    page.keyboard.press("Enter")
    page.wait_for_selector("#status[data-state=live]")
    walk_to(page, ".tools [data-tool=process]")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.locator(".rename:focus").fill("Drawn by keys")
    page.keyboard.press("Enter")
    page.locator(".stage text", has_text="Drawn").first.wait_for()
    walk_to(page, "[aria-label='All diagrams']", "Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("h2", has_text="By keys").wait_for()


HOSTILE = """<img src=x onerror="window.ran=1"><script>window.ran=1</script>"""
AT_WORK = """async ([place, hostile]) => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const [, model, diagram] = place.split("/");
    const box = { x: 80, y: 80, width: 400, height: 200 };
    const [a, b, c] = [1, 2, 3].map(() => crypto.randomUUID());
    const text = { text: hostile, html: hostile };
    const attrs = { label: text, text, body: { fill: `url("${hostile}")` } };
    const cells = [
        { id: a, operation: "add", data: { shape: "process", ...box, label: hostile, tools: [{ name: hostile }] } },
        { id: b, operation: "add", data: { shape: "html", ...box, y: 400, attrs, html: hostile, markup: hostile } },
        { id: c, operation: "add", data: { shape: "flow", source: a, target: b, labels: [{ attrs }] } },
    ];
    const body = { operation_id: crypto.randomUUID(), operation: { type: "patch", cells } };
    await rest.request("POST", `/threat_models/${model}/diagrams/${diagram}/operations`, { body });
    await rest.request("PATCH", `/threat_models/${model}/diagrams/${diagram}`, { body: { name: hostile } });
}"""
RAN = """() => [
    window.ran, window.violations, document.querySelectorAll("img[src=x], main script, main iframe").length]"""
IF_IT_WERE = """(hostile) => new Promise((resolve) => {
    addEventListener("securitypolicyviolation", ({ blockedURI }) => resolve(blockedURI));
    document.querySelector("main").insertAdjacentHTML("beforeend", hostile);
})"""
"""Then the page's policy would not let it run; and this test would see it."""
NOTE = """violations = [];
    addEventListener("securitypolicyviolation", ({ blockedURI }) => violations.push(blockedURI))"""


def with_hostile_names(page: Page) -> None:
    """Everybody is called so, and so is a provider."""
    shown = json.dumps(HOSTILE)

    def providers(route: Route) -> None:
        listed = route.fetch().json()
        icons = HOSTILE, "//evil.example/x.png", "/\\evil.example/x.png"
        listed["providers"] += [
            {"id": f"evil{at}", "name": HOSTILE, "auth_url": "https://evil.example/", "icon": icon}
            for at, icon in enumerate(icons)
        ]
        route.fulfill(json=listed)

    def me(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "name": HOSTILE, "display_name": HOSTILE, "email": HOSTILE})

    def socket(ws: WebSocketRoute) -> None:
        renamed = '"display_name":"Alice"', f'"display_name":{shown}'
        ws.connect_to_server().on_message(lambda text: ws.send(str(text).replace(*renamed)))

    page.route("**/oauth2/providers", providers)
    page.route("**/me", me)
    page.route_web_socket(re.compile(r"/ws\?"), socket)
    page.add_init_script(NOTE)


def test_S55_no_name_and_no_label_is_ever_read_as_markup(browser: Browser, server: Server) -> None:
    with visitor(browser) as page:
        with_hostile_names(page)
        page.goto(f"{server.http}/")
        page.locator("button", has_text="onerror").last.wait_for()
        assert page.locator("main img").count() == 0
        page.fill("input[name=name]", "alice")
        page.click("#sign-in")
        page.locator(".who", has_text="onerror").wait_for()
        page.fill(".new input[name=name]", HOSTILE)
        page.click("#create")
        page.wait_for_selector("#status[data-state=live]")
        place = page.url.partition("#")[2]
        page.evaluate(AT_WORK, [place, HOSTILE])
        for view in ("", "playground"):
            page.goto(f"{server.http}/{view}#{place}")
            page.reload()
            page.locator("h1", has_text="onerror").wait_for()
            page.locator(".stage text", has_text="<img").first.wait_for()
            page.click(".roster")
            page.locator(".popover:visible", has_text="onerror").wait_for()
            assert page.evaluate(RAN) == [None, [], 0], view
        page.locator(".frame-row", has_text="state").first.click()
        expect(page.locator(".frame-detail pre")).to_contain_text("onerror")
        page.keyboard.press("Escape")
        page.click("[aria-label='All diagrams']")
        page.locator("h2", has_text="onerror").wait_for()
        page.locator(".diagram", has_text="onerror").wait_for()
        assert page.evaluate(RAN) == [None, [], 0]
        assert page.evaluate(IF_IT_WERE, HOSTILE) == "inline"
        assert page.evaluate(RAN) == [None, ["inline"], 2]
