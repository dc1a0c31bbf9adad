"""The page of asyncapi.yml: everything is on it, every link leads somewhere, and no text turns into markup."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from rest.routes import front_table, starlette
from rest.wire_page import TABLES, identity, page
from tests.support.asyncapi import DOCUMENT
from tests.support.fronts import front
from tests.support.pages import Reader


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(page(DOCUMENT))


def test_every_message_has_its_place(reader: Reader) -> None:
    for name, channel in DOCUMENT["channels"].items():
        assert {f"{name}.{key}" for key in channel["messages"]} <= set(reader.ids)


def test_every_moment_has_its_place(reader: Reader) -> None:
    assert {f"when.{identity(moment['when'])}" for moment in DOCUMENT["x-moments"]} <= set(reader.ids)


@pytest.mark.parametrize("key", [key for key, _, _ in TABLES])
def test_every_row_of_a_table_is_there(reader: Reader, key: str) -> None:
    rows = DOCUMENT[key]
    names = list(rows) if isinstance(rows, dict) else [row.get("error") or row["when"] for row in rows]
    assert set(names) <= set(reader.text)


def test_whoever_reads_the_name_of_a_table_is_led_to_it(reader: Reader) -> None:
    named = set(re.findall(r"`(x-[a-z-]+)`", DOCUMENT["info"]["description"]))
    assert named == {"x-moments", *(key for key, _, _ in TABLES)}
    assert {f"#{key}" for key in named} <= set(reader.targets)


def test_the_dialects_stand_in_one_order(reader: Reader) -> None:
    heads = re.findall(r"<tr><th>told</th>(.*?)</tr>", page(DOCUMENT))
    assert len(heads) == len(DOCUMENT["x-moments"])
    for head in heads:
        names = re.findall(r"<th>(.*?)</th>", head)
        assert names == [name for name in ("classic", "tmi", "codraw.v1") if name in names]


def test_every_member_of_every_shape_is_there(reader: Reader) -> None:
    told = set("".join(f"{text} " for text in reader.text).split())
    for schema in DOCUMENT["components"]["schemas"].values():
        assert set(schema.get("properties", ())) <= told


def test_every_link_leads_somewhere_of_our_own(reader: Reader) -> None:
    places = [target for target in reader.targets if target.startswith("#")]
    assert {target[1:] for target in places} <= set(reader.ids)
    assert {target for target in reader.targets if target not in places} == {
        "/",
        "/asyncapi.yml",
        "/web/docs.css",
        "/web/icon.svg",
    }


def test_no_place_has_two_things(reader: Reader) -> None:
    assert len(reader.ids) == len(set(reader.ids))


def test_nothing_runs_on_it(reader: Reader) -> None:
    assert not reader.tags & {"script", "style", "iframe", "form"}


HOSTILE = "<script>alert('`1`')</script>"


def poisoned(value: Any) -> Any:
    """Every text, the words by which the page finds its way left out."""
    if isinstance(value, dict):
        kept = ("$ref", "x-free-form")
        return {key: part if key in kept else poisoned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part) for part in value]
    return value + HOSTILE if isinstance(value, str) else value


def test_whatever_the_document_says_is_text() -> None:
    document = poisoned(copy.deepcopy(DOCUMENT))
    reader = Reader(page(document))
    assert "script" not in reader.tags
    assert "<script>" in "".join(reader.text)


def test_it_is_served_to_be_read_and_nothing_else() -> None:
    made = front(messages=lambda: page(DOCUMENT))
    answer = TestClient(starlette(front_table(made))).get("/docs/ws")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.text == page(DOCUMENT)


def test_without_the_document_there_is_no_page() -> None:
    assert TestClient(starlette(front_table(front()))).get("/docs/ws").status_code == 404
