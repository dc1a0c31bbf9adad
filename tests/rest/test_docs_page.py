"""The pages of openapi.yml: every call is on the one, and the other runs its own scripts and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from offapi import OpenAPITemplate
from starlette.testclient import TestClient

from rest.docs_page import PLACES, index, reader
from rest.routes import front_table, starlette
from tests.support.contract import document, operations
from tests.support.fronts import front
from tests.support.pages import Reader

SWAGGER = OpenAPITemplate.SWAGGER.value


class Fetched(HTMLParser):
    """What a browser would fetch for the page, and the scripts that stand in it, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [str(given[name]) for name in ("src", "href", "srcset", "data") if given.get(name)]
        if tag == "script" and "src" not in given:
            self._inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def page() -> Reader:
    return Reader(index(document()))


def test_every_call_is_on_the_page(page: Reader) -> None:
    text = " ".join(page.text)
    for (method, path), operation in operations().items():
        assert f"{method} {path}" in text
        assert operation["summary"] in text


def test_it_leads_to_both_pages_and_both_documents(page: Reader) -> None:
    assert {path for path, _ in PLACES} <= set(page.targets)
    assert {"/docs/rest", "/docs/ws", "/openapi.yml", "/asyncapi.yml"} == {path for path, _ in PLACES}


def test_no_text_of_the_document_turns_into_markup() -> None:
    evil = "<script>x</script>"
    made = {
        "info": {"summary": evil},
        "tags": [{"name": "a", "description": evil}],
        "paths": {f"/{evil}": {"get": {"tags": ["a"], "summary": evil}}},
    }
    assert "script" not in Reader(index(made)).tags


def test_both_pages_are_served() -> None:
    client = TestClient(starlette(front_table(front(calls=lambda: "<p>calls", reader=lambda: ("<p>try", "policy")))))
    calls, tried = client.get("/docs"), client.get("/docs/rest")
    assert (calls.text, tried.text) == ("<p>calls", "<p>try")
    assert calls.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert tried.headers["content-security-policy"] == "policy"


@pytest.mark.parametrize("path", ["/docs", "/docs/rest", "/docs/ws"])
def test_a_page_that_was_not_built_in_is_not_found(path: str) -> None:
    assert TestClient(starlette(front_table(front()))).get(path).json()["error"] == "not_found"


def test_S55_the_reader_fetches_nothing_but_our_document() -> None:
    html, policy = reader(SWAGGER)
    fetched = Fetched(html)
    assert [at for at in fetched.addresses if not at.startswith("data:")] == []
    assert "/openapi.yml" in fetched.scripts[-1]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert not re.search(r"https?:|\*|unsafe-eval|script-src[^;]*unsafe", policy)


def test_S55_each_script_of_the_reader_is_allowed_by_what_it_is() -> None:
    html, policy = reader(SWAGGER)
    found = Fetched(html).scripts
    assert found
    for script in found:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy


def test_a_browser_reads_every_line_end_as_lf_before_it_compares() -> None:
    assert reader("<script>a\r\nb\rc</script>") == reader("<script>a\nb\nc</script>")
