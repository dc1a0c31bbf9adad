"""What a page shows of the others, and what happens to them: two to four windows on one diagram.

The parts of web/shell/together are the same on every page; these tests look only at what those pages have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Locator, expect

from tests.browser.pictures import keep
from tests.browser.window import Window
from tests.support.servers import Server

pytestmark = pytest.mark.needs_chromium

Open = Callable[..., Window]

CREATE = """async (everyone) => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const { id } = await rest.createThreatModel("Online shop", { everyone });
    location.hash = `#/${id}/${(await rest.createDiagram(id, "Overview")).id}`;
}"""
CLOSE = """async () => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const path = `/threat_models/${location.hash.split("/")[1]}/authorization`;
    const { items } = await (await rest.request("GET", path)).json();
    await rest.request("DELETE", `${path}/${items.findIndex(({ subject }) => subject === "everyone")}`);
}"""
"""Nobody else may see it any more."""
LABELS = """() => [...document.querySelectorAll(".stage text")].map((one) => one.textContent).filter(Boolean).sort()"""
STANDS_AT = """async ([label, x, y]) => {
    const give_up = performance.now() + 10_000;
    for (;;) {
        const text = [...document.querySelectorAll(".stage text")].find((one) => one.textContent === label);
        const box = text?.getBoundingClientRect();
        if (box && Math.hypot(box.x + box.width / 2 - x, box.y + box.height / 2 - y) < 3) return "there";
        if (performance.now() > give_up) return JSON.stringify([box?.x, box?.y, box?.width, box?.height]);
        await new Promise(requestAnimationFrame);
    }
}"""
"""Asked in the page: its policy forbids the polling that Playwright would do."""


CROWD = """async (people) => {
    const { cursors } = await import("/web/shell/together/cursors.js");
    const ids = Array.from({ length: people }, (_, at) => `c${at}`);
    const participants = ids.map((connection_id, at) => ({
        user: { provider: "test", provider_id: `u${at}`, display_name: `Person ${at}` },
        connections: [{ connection_id, dialect: "codraw.v1" }],
    }));
    class Diagram extends EventTarget {
        peers = new Map();
        you = { id: "test:me", connection_id: "me" };
        roster = { participants, host: null, host_state: "here", presenter: null };
        on(type, listener) { this.addEventListener(type, ({ detail }) => listener(detail)); return () => {}; }
    }
    const diagram = new Diagram();
    const root = document.body;
    const stage = { root, on: () => () => {}, toScreen: (point) => point, boxOf: () => null };
    const shown = cursors({ diagram, stage });
    const frame = () => new Promise(requestAnimationFrame);
    const hear = (step) => {
        const updates = ids.map((connection_id, at) => ({ connection_id, cursor: { x: at * 9 + step, y: step } }));
        for (const { connection_id, cursor } of updates) diagram.peers.set(connection_id, { cursor });
        diagram.dispatchEvent(new CustomEvent("awareness", { detail: { updates } }));
    };
    window.crowd = async (frames) => { for (let at = 0; at < frames; at++) { hear(at); hear(at); await frame(); } };
    await window.crowd(3);
    return document.querySelectorAll(".cursor").length;
}"""


@pytest.fixture
def at(server: Server) -> str:
    """The editor where it is built, else the page without a build; both are made of the same parts."""
    return f"{server.http}/"


def draw_on(window: Window, everyone: str = "writer") -> None:
    """A diagram of one's own, with one box in it."""
    window.page.locator("#create").wait_for()
    window.page.evaluate(CREATE, everyone)
    window.await_state("live")
    add(window, 500, 300, "Shop")


def join(window: Open, name: str, other: Window) -> Window:
    joined = window(name, at=other.page.url)
    joined.await_state("live")
    text(joined, "Shop").wait_for()
    return joined


def add(window: Window, x: float, y: float, label: str) -> None:
    window.page.click(".tools [data-tool=process]")
    area = window.page.locator(".stage").bounding_box()
    assert area is not None
    window.page.mouse.click(area["x"] + x, area["y"] + y)
    field = window.page.locator(".rename:focus")
    field.fill(label)
    field.press("Enter")


def text(window: Window, label: str) -> Locator:
    return window.page.locator(".stage text", has_text=label).first


def middle(window: Window, label: str) -> tuple[float, float]:
    box = text(window, label).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def await_same_view(window: Window, other: Window) -> None:
    """The box stands at the same place of two windows of one size: both see the same part, equally large."""
    assert window.page.evaluate(STANDS_AT, ["Shop", *middle(other, "Shop")]) == "there"


def do(window: Window, label: str) -> None:
    """One of the buttons behind the faces."""
    if window.page.locator("#people").get_attribute("aria-expanded") == "false":
        window.page.click("#people")
    window.page.locator(".people-place").get_by_role("button", name=label, exact=True).click()


def read(window: Window, selector: str, words: str) -> None:
    window.page.locator(selector, has_text=words).first.wait_for()


def test_five_people_see_each_other_edit_at_once_and_end_equal(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    others = [join(window, name, alice) for name in ("bob", "carol", "dave", "eve")]
    read(alice, ".toast", "joined.")
    everybody = [alice, *others]
    for place, one in enumerate(everybody):
        add(one, 200 + 160 * place, 120 + 90 * place, f"By {one.name}")
        one.page.mouse.move(300 + 120 * place, 600)
    for one in everybody:
        for other in everybody:
            text(one, f"By {other.name}").wait_for()
        read(one, "#status", "all saved")
        expect(one.page.locator(".faces .avatar")).to_have_count(5)
        expect(one.page.locator(".together .cursor")).to_have_count(4)
    assert len({str(one.page.evaluate(LABELS)) for one in everybody}) == 1

    bob = others[0]
    x, y = middle(bob, "Shop")
    bob.page.mouse.move(x, y)
    bob.page.mouse.down()
    bob.page.mouse.move(x + 40, y + 40, steps=4)
    editing = alice.page.locator(".others .frame.editing", has_text="Bob")
    editing.wait_for()
    keep(alice.page, "five-people")
    bob.page.mouse.up()
    editing.wait_for(state="detached")
    read(alice, ".others .frame .tag", "Bob")
    tint = "element => getComputedStyle(element).getPropertyValue('--who')"
    cursor, face = alice.page.locator(".cursor[data-name=Bob]"), bob.page.locator(".faces .avatar").first
    assert cursor.evaluate(tint) == face.evaluate(tint)


def test_two_windows_of_one_person_are_one_with_two_cursors_and_the_network_may_go_and_come(
    window: Open, at: str
) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    bob, bob_too = (join(window, "bob", alice) for _ in range(2))
    x, y = middle(bob, "Shop")
    bob.page.mouse.click(x, y)
    bob_too.page.mouse.move(x + 90, y + 90)
    expect(alice.page.locator(".cursor[data-name=Bob]")).to_have_count(2)
    expect(alice.page.locator(".faces .avatar")).to_have_count(2)
    read(bob_too, ".cursor .tag", "You, elsewhere")
    alice.page.click("#people")
    read(alice, ".people-list li", "2 windows")

    bob.page.context.set_offline(True)
    bob.await_state("offline")
    add(bob, 300, 480, "Unplugged")
    read(bob, "#status", "2 changes not saved")
    bob.page.context.set_offline(False)
    read(bob, "#status", "all saved")
    text(alice, "Unplugged").wait_for()


RENAME = """async (name) => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const [, model, diagram] = location.hash.split("/");
    await rest.request("PATCH", `/threat_models/${model}/diagrams/${diagram}`, { body: { name } });
}"""


@pytest.mark.parametrize("page", ["", "playground"])
def test_another_name_of_the_diagram_is_seen_on_coming_back_to_the_window_and_with_the_connection(
    window: Open, at: str, page: str
) -> None:
    alice = window("alice", at=at + page)
    draw_on(alice)
    bob = join(window, "bob", alice)
    title = alice.page.get_by_role("heading", level=1)
    expect(title).to_have_text("Overview")

    bob.page.evaluate(RENAME, "Payments")
    alice.page.evaluate("dispatchEvent(new Event('focus'))")  # as when a window comes to the front
    expect(title).to_have_text("Payments")
    assert alice.page.title() == "Payments · codraw"
    alice.page.click("#share")
    expect(alice.page.get_by_role("heading", name="Share “Payments”")).to_be_visible()

    alice.page.context.set_offline(True)
    alice.await_state("offline")
    bob.page.evaluate(RENAME, "Refunds")
    alice.page.context.set_offline(False)
    alice.await_state("live")
    expect(title).to_have_text("Refunds")


def test_PR4_one_follows_another_and_the_presenter_is_asked_for_denied_granted_and_over(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    bob = join(window, "bob", alice)
    carol = join(window, "carol", alice)

    do(carol, "Follow Bob")
    read(carol, ".following", "Following Bob")
    bob.page.mouse.move(*middle(bob, "Shop"))
    bob.page.mouse.wheel(0, 240)
    bob.page.mouse.wheel(90, 0)
    await_same_view(carol, bob)
    carol.page.keyboard.press("Escape")  # closes the list, and goes on following
    read(carol, ".following", "Following Bob")
    carol.page.mouse.move(*middle(carol, "Shop"))
    carol.page.mouse.wheel(0, -240)
    carol.page.locator(".following").wait_for(state="hidden")

    do(bob, "Ask to present")
    read(alice, ".request", "Bob would like to present")
    alice.page.locator(".request button", has_text="Deny").click()
    read(bob, ".toast", "did not let you present")
    do(bob, "Ask to present")
    alice.page.locator(".request button", has_text="Allow").click()
    read(bob, ".toast", "You present now")
    read(carol, ".following", "Bob presents")
    carol.page.locator(".following button", has_text="Follow").click()
    await_same_view(carol, bob)
    keep(carol.page, "presenter")
    carol.page.keyboard.press("Escape")
    carol.page.locator(".following").wait_for(state="hidden")
    do(bob, "Stop presenting")
    read(carol, ".toast", "Nobody presents now.")
    do(alice, "Let Carol present")
    read(carol, ".toast", "You present now")
    do(alice, "End Carol's presenting")
    read(bob, ".toast", "Nobody presents now.")


def test_SES18_a_reader_looks_on_the_host_removes_and_ends(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice, everyone="reader")
    carol = join(window, "carol", alice)
    bob = join(window, "bob", alice)
    read(carol, "#status", "You look on")
    assert carol.page.locator(".tools [data-tool=process]").is_disabled()
    carol.page.mouse.move(*middle(carol, "Shop"))
    alice.page.locator(".cursor[data-name=Carol]").wait_for()
    keep(carol.page, "reader")

    do(alice, "Remove Carol")
    alice.page.locator("dialog .primary").click()
    read(carol, ".session-over", "removed you")
    assert carol.page.locator(".session-over .primary").count() == 0
    read(bob, ".toast", "Carol left.")

    alice.page.click("#end-session")
    alice.page.locator("dialog .primary").click()
    read(bob, ".session-over", "The session is over")
    alice.page.locator(".session-over .primary").click()
    alice.await_state("live")


@pytest.mark.parametrize("page", ["", "playground"])
def test_a_reader_sees_a_diagram_that_nobody_has_open_and_is_there_once_somebody_opens_it(
    window: Open, at: str, page: str
) -> None:
    alice = window("alice", at=at + page)
    draw_on(alice, everyone="reader")
    alice.await_state("live")
    diagram = alice.page.url
    alice.page.go_back()
    alice.page.locator("#create").wait_for()
    bob = window("bob", at=diagram)
    text(bob, "Shop").wait_for()
    read(bob, "#status", "Nobody has it open")
    assert bob.page.locator(".tools [data-tool=process]").is_disabled()
    keep(bob.page, "nobody-there")
    alice.page.go_forward()
    alice.await_state("live")
    bob.page.locator("#status button").dispatch_event("click")  # by itself it would be some seconds later
    bob.await_state("live")
    read(bob, "#status", "You look on")


def test_SES18_whoever_was_removed_is_told_so_on_coming_back_and_who_lost_access_that(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    bob, carol = (join(window, name, alice) for name in ("bob", "carol"))
    do(alice, "Remove Bob")
    alice.page.locator("dialog .primary").click()
    read(bob, ".session-over", "removed you")
    bob.page.reload()
    read(bob, ".session-over", "removed you")

    carol.page.context.set_offline(True)
    carol.await_state("offline")
    alice.page.evaluate(CLOSE)
    carol.page.context.set_offline(False)
    read(carol, ".session-over", "You have no access to this diagram.")


DELETE = """async () => {
    const { Rest } = await import("/web/sdk/rest.js");
    const rest = new Rest({ tokens: JSON.parse(sessionStorage["codraw.tokens"]) });
    const [, model, diagram] = location.hash.split("/");
    await rest.request("DELETE", `/threat_models/${model}/diagrams/${diagram}`);
}"""


def test_who_goes_on_drawing_after_the_end_is_told_what_becomes_of_it(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    bob, carol = (join(window, name, alice) for name in ("bob", "carol"))
    do(alice, "Remove Bob")
    alice.page.locator("dialog .primary").click()
    read(bob, ".session-over", "removed you")
    alice.page.evaluate(DELETE)
    read(carol, ".session-over", "The diagram has been deleted.")

    for one, card, question in (
        (bob, "wait in this browser until you are back: 2.", "The rest is sent when you are here again."),
        (carol, "go with the diagram: 2.", "The rest goes with the diagram."),
    ):
        add(one, 300, 480, "Later")
        read(one, ".session-over .hint", card)
        one.page.locator(".session-over button").click()
        read(one, "dialog", question)


@pytest.mark.parametrize("page", ["", "playground"])
def test_who_leaves_right_after_typing_a_name_is_not_asked_about_it(window: Open, at: str, page: str) -> None:
    alice = window("alice", at=at + page)
    draw_on(alice)
    alice.page.mouse.dblclick(*middle(alice, "Shop"))
    alice.page.locator(".rename:focus").fill("Web shop")
    alice.page.click("[aria-label='All diagrams']")
    alice.page.locator("#create").wait_for()
    expect(alice.page.locator("dialog")).to_have_count(0)
    alice.page.go_back()
    text(alice, "Web shop").wait_for()


def test_who_stays_can_go_back_later(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    diagram = alice.page.url
    bob = join(window, "bob", alice)
    for answer in ("Stay", "Leave"):
        read(alice, ".faces .avatar >> nth=1", "B")
        alice.page.go_back()
        alice.page.locator("dialog button", has_text=answer).click()
        alice.page.locator("dialog").wait_for(state="detached")
        assert (alice.page.url == diagram) is (answer == "Stay")
    alice.page.locator("#create").wait_for()
    read(bob, ".session-over", "The session is over")


def test_who_goes_back_and_forth_is_asked_once_and_is_where_the_address_says(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    draw_on(alice)
    bob = join(window, "bob", alice)
    read(alice, ".faces .avatar >> nth=1", "B")
    diagram = alice.page.url
    for go in ("back", "forward", "back", "forward"):
        with alice.page.expect_event("framenavigated"):
            alice.page.evaluate(f"void history.{go}()")
    expect(alice.page.locator("dialog")).to_have_count(1)
    alice.page.locator("dialog button", has_text="Leave").click()
    expect(alice.page.locator("dialog")).to_have_count(0)
    assert alice.page.url == diagram
    add(alice, 300, 480, "Still here")
    text(bob, "Still here").wait_for()
    read(bob, "#status", "all saved")


def test_fifty_moving_cursors_lay_out_nothing_and_fade_when_they_fall_silent(window: Open, at: str) -> None:
    alice = window("alice", at=at)
    alice.page.locator("#create").wait_for()
    alice.page.clock.install()
    assert alice.page.evaluate(CROWD, 50) == 50
    devtools = alice.page.context.new_cdp_session(alice.page)
    devtools.send("Performance.enable")

    def layouts() -> int:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return int(next(one["value"] for one in metrics if one["name"] == "LayoutCount"))

    before = layouts()
    alice.page.evaluate("crowd(30)")  # 3 000 new places
    assert layouts() - before < 30, "one a round"
    assert alice.page.locator(".cursor.silent").count() == 0
    alice.page.clock.fast_forward(40_000)
    expect(alice.page.locator(".cursor.silent")).to_have_count(50)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may stop."""
    with Server(tmp_path, host_grace_seconds="60") as server:
        yield server


def test_SES10_edits_without_a_server_survive_a_reload_and_its_restart_and_the_host_may_return(
    browser: Browser, mortal: Server
) -> None:
    alice = Window(browser, f"{mortal.http}/", name="alice")
    alice.sign_in()
    draw_on(alice)
    bob = Window(browser, alice.page.url, name="bob")
    bob.sign_in()
    bob.await_state("live")
    text(bob, "Shop").wait_for()

    mortal.stop()
    for one in (alice, bob):
        one.await_state("offline")
        read(one, "#status .countdown", "again in")
    add(alice, 300, 150, "By Alice")
    add(bob, 640, 450, "By Bob")
    read(bob, "#status", "not saved")
    keep(bob.page, "offline")
    bob.page.on("dialog", lambda dialog: dialog.accept())
    with pytest.raises(Error):
        bob.page.reload()
    bob.page.wait_for_url("chrome-error://**")  # its late arrival would end the navigation that follows
    mortal.start()
    bob.page.goto(alice.page.url)
    for one in (alice, bob):
        one.await_state("live")
        text(one, "By Alice").wait_for()
        text(one, "By Bob").wait_for()
        read(one, "#status", "all saved")
    assert alice.page.evaluate(LABELS) == bob.page.evaluate(LABELS)

    alice.page.close(run_before_unload=False)
    read(bob, ".host-away", "Alice, the host")
    back = Window(browser, bob.page.url, name="alice")
    back.sign_in()
    back.await_state("live")
    bob.page.locator(".host-away").wait_for(state="hidden")
    for one in (alice, bob, back):
        one.page.context.close()
        assert not one.faults
