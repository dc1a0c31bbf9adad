"""The picture of a diagram over REST."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import pytest

from protocol.values import Cell
from rest.image.asked import Asked
from rest.image.images import disposition
from tests.support.edges import NODE, Edge, Somebody
from tests.support.turns import until

OPERATION = "11111111-1111-4111-8111-111111111111"


async def pictured(alice: Somebody, cells: list[Any] | None = None, name: str = "Diagram") -> str:
    """The path of the image of a diagram, of one node if it is not said."""
    return f"{await alice.diagram(await alice.threat_model(), cells or [NODE], name=name)}/image"


async def relabel(alice: Somebody, path: str, label: str) -> None:
    change = {"id": NODE["id"], "operation": "update", "data": {"label": label}}
    operation = {"operation_id": OPERATION, "operation": {"type": "patch", "cells": [change]}}
    await alice.post(f"{path.removesuffix('/image')}/operations", operation, status=200)


async def test_RE60_the_picture_is_the_live_state(alice: Somebody) -> None:
    path = await pictured(alice)
    await alice.post(f"{path.removesuffix('/image')}/collaborate")
    first = await alice.ask("GET", path)
    await relabel(alice, path, "Newer")
    second = await alice.ask("GET", path)
    assert (first.status_code, first.headers["content-type"]) == (200, "image/svg+xml")
    assert "Newer" in second.text and "Newer" not in first.text
    assert first.headers["etag"].startswith('"0-') and second.headers["etag"].startswith('"1-')


async def test_RE60_who_has_the_picture_is_told_so(alice: Somebody) -> None:
    path = await pictured(alice)
    tag = (await alice.ask("GET", path)).headers["etag"]
    same = await alice.ask("GET", path, headers={"If-None-Match": f'"x", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    dark = await alice.ask("GET", f"{path}?theme=dark", headers={"If-None-Match": tag})
    # The bare vector is the tag of the diagram, not of a picture.
    bare = await alice.ask("GET", path, headers={"If-None-Match": '"0"'})
    await relabel(alice, path, "Newer")
    changed = await alice.ask("GET", path, headers={"If-None-Match": tag})
    assert (dark.status_code, bare.status_code, changed.status_code) == (200, 200, 200)


async def test_RE60_reading_suffices_and_is_needed(here: Edge, alice: Somebody, eve: Somebody) -> None:
    path = await pictured(alice)
    model = path.partition("/diagrams")[0]
    await eve.refused(403, "forbidden", "GET", path)
    entry = {"principal_type": "user", "provider": "test", "provider_id": "eve", "role": "reader"}
    await alice.post(f"{model}/authorization", entry)
    assert (await eve.ask("GET", path)).status_code == 200
    assert (await here.http.get(path)).status_code == 401


async def test_what_is_not_there_has_no_picture(alice: Somebody) -> None:
    path = await pictured(alice)
    elsewhere = (await alice.threat_model()) + path[path.index("/diagrams") :]
    await alice.refused(404, "not_found", "GET", elsewhere)


async def test_a_png_has_the_width_that_was_asked_for(alice: Somebody) -> None:
    path = await pictured(alice)
    answer = await alice.ask("GET", f"{path}?width=352", headers={"Accept": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    assert struct.unpack(">II", answer.content[16:24]) == (352, round(352 * 128 / 168))


async def test_RE62_too_large_a_png_is_refused(alice: Somebody) -> None:
    path = await pictured(alice, [NODE, {**NODE, "id": "b", "y": 90_000}])
    body = await alice.refused(422, "limit_exceeded", "GET", f"{path}?format=png&width=4096")
    assert body["details"]["most_width"] == 4_096


@pytest.mark.parametrize("query", ["format=gif", "width=5000", "download=maybe", "width=20&scale=1"])
async def test_what_cannot_be_asked_is_refused(alice: Somebody, query: str) -> None:
    await alice.refused(400, "invalid_input", "GET", f"{await pictured(alice)}?{query}")


async def test_S55_a_picture_runs_nothing_wherever_it_is_opened(alice: Somebody) -> None:
    label = "<script>alert(1)</script>"
    answer = await alice.ask("GET", await pictured(alice, [{**NODE, "label": label}]))
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    root = ElementTree.fromstring(answer.text)
    assert not [element for element in root.iter() if element.tag.endswith("script")]


async def test_RE10_a_picture_is_asked_for_again_every_time(alice: Somebody) -> None:
    headers = (await alice.ask("GET", await pictured(alice))).headers
    assert headers["cache-control"] == "private, no-cache"
    assert {"Accept", "Authorization", "Cookie"} <= set(headers["vary"].replace(" ", "").split(","))


async def test_RE61_the_same_picture_for_many_is_drawn_once(alice: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    path, drawn = await pictured(alice), []

    async def counted(svg: str) -> bytes:
        drawn.append(svg)
        return b"png"

    monkeypatch.setattr("rest.image.images.rasterised", counted)
    answers = await asyncio.gather(*(alice.ask("GET", f"{path}?format=png") for _ in range(5)))
    assert {answer.content for answer in answers} == {b"png"} and len(drawn) == 1


async def test_RE61_an_svg_does_not_wait_for_pngs(alice: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    path, let, inside = await pictured(alice), threading.Event(), threading.Semaphore(0)

    def slow(cells: Sequence[Cell], wanted: Asked) -> str:
        if wanted.format == "png":
            inside.release()
            let.wait()
        return "<svg/>"

    async def at_once(svg: str) -> bytes:
        return svg.encode()

    monkeypatch.setattr("rest.image.images._document", slow)
    monkeypatch.setattr("rest.image.images.rasterised", at_once)
    waiting = [asyncio.create_task(alice.ask("GET", f"{path}?format=png&width={width}")) for width in (20, 30)]
    try:
        await until(lambda: inside.acquire(blocking=False))
        await until(lambda: inside.acquire(blocking=False))
        async with asyncio.timeout(5):
            assert (await alice.ask("GET", path)).text == "<svg/>"
    finally:
        let.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_download_has_the_name_of_the_diagram(alice: Somebody) -> None:
    answer = await alice.ask("GET", f"{await pictured(alice, name='Zahlung / Übersicht')}?download=true")
    assert answer.headers["content-disposition"] == disposition("Zahlung / Übersicht", "svg")


@pytest.mark.parametrize(
    ("name", "plain", "whole"),
    [
        ("Plan", "Plan.png", "Plan.png"),
        ("Übersicht 2", "bersicht-2.png", "%C3%9Cbersicht%202.png"),
        ('a"b\r\nX: y/..\\c', "abX-y..c.png", "abX%20y..c.png"),
        ("../../etc/passwd", "etcpasswd.png", "etcpasswd.png"),
        ("", "diagram.png", "diagram.png"),
        ("日本", "diagram.png", "%E6%97%A5%E6%9C%AC.png"),
    ],
)
def test_a_name_is_safe_in_a_header_and_on_a_disk(name: str, plain: str, whole: str) -> None:
    assert disposition(name, "png") == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}"
