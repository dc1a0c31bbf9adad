"""`state` comes back as it came."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request

from rest.oauth.redirects import back, raw_parameter


def asked(query: str) -> Request:
    scope = {"type": "http", "scheme": "http", "server": ("here", 80), "path": "/", "headers": []}
    return Request({**scope, "query_string": query.encode("latin-1")})


@pytest.mark.parametrize("state", ["abc", "abc==", "a%3D%3D", "a+b", "a%2Bb", "a%20b", "%C3%A9", "a=b=c", "", "a:/?@'"])
def test_AU7_state_is_not_touched(state: str) -> None:
    raw = raw_parameter(asked(f"x=1&state={state}&y=2"), "state")
    assert raw == state
    assert back("http://c/cb", {"code": "k"}, raw) == f"http://c/cb?code=k&state={state}"


@pytest.mark.parametrize("state", ['"<script>', "\xe9", "\\", "a\x00b", "a\r\nX: y"])
def test_AU7_what_no_address_may_hold_is_escaped(state: str) -> None:
    raw = raw_parameter(asked(f"state={state}"), "state")
    assert raw is not None and raw.isascii() and raw.isprintable()
    assert not set(raw) & set('"<>\\ \r\n')


def test_AU7_octets_that_no_address_may_hold_stay_the_same_octets() -> None:
    assert raw_parameter(asked("state=\xc3\xa9"), "state") == "%C3%A9"


def test_an_absent_state_stays_absent() -> None:
    assert raw_parameter(asked("x=1"), "state") is None
    assert back("http://c/cb", {"code": "k"}, None) == "http://c/cb?code=k"


def test_a_callback_keeps_its_query() -> None:
    assert parse_qs(urlsplit(back("http://c/cb?a=1", {"code": "k+/"}, "s")).query) == {
        "a": ["1"],
        "code": ["k+/"],
        "state": ["s"],
    }
