"""Cookies go the way they came."""

from __future__ import annotations

from http.cookies import SimpleCookie

from starlette.responses import Response

from rest.oauth.cookies import clear_cookies, set_cookies


def cookies(response: Response) -> SimpleCookie:
    found = SimpleCookie()
    for header in response.headers.getlist("set-cookie"):
        found.load(header)
    return found


def test_S98_what_is_cleared_is_what_was_set() -> None:
    made, cleared = Response(), Response()
    set_cookies(made, "a", 60, "r", 600, secure=True)
    clear_cookies(cleared, secure=True)
    for name, cookie in cookies(made).items():
        gone = cookies(cleared)[name]
        assert gone.value == "" and gone["max-age"] == "0"
        for attribute in ("path", "samesite", "secure", "httponly"):
            assert gone[attribute] == cookie[attribute]
