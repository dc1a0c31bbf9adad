"""Log lines are JSON off a terminal, and hold neither query strings nor tokens, whoever wrote them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from codraw.logs import configure, redacted


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    configure("info", written)
    yield written
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def line(stream: io.StringIO) -> dict[str, Any]:
    (text,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_has_time_level_and_event(stream: io.StringIO) -> None:
    structlog.stdlib.get_logger("codraw").info("session_started", session="s1")
    found = line(stream)
    assert (found["level"], found["event"], found["session"]) == ("info", "session_started", "s1")
    assert found["ts"].endswith("Z")


def test_a_librarys_line_has_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("lost %d of %d", 1, 2)
    assert line(stream)["event"] == "lost 1 of 2"


def test_a_level_below_the_set_one_is_silent(stream: io.StringIO) -> None:
    structlog.stdlib.get_logger("codraw").debug("noise")
    assert stream.getvalue() == ""


def test_the_servers_own_access_line_is_off(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info("GET /ws?ticket=abc")
    assert stream.getvalue() == ""


def test_an_exception_is_one_line(stream: io.StringIO) -> None:
    try:
        raise RuntimeError("GET /ws?ticket=abc failed")
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    found = line(stream)
    assert "RuntimeError" in found["exception"] and "abc" not in found["exception"]


def test_a_librarys_line_is_redacted_too(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error('"WebSocket %s" 403', "/threat_models/1/ws?token=abc&x=1")
    assert line(stream)["event"] == '"WebSocket /threat_models/1/ws?[hidden]" 403'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /ws?ticket=abc HTTP/1.1", "GET /ws?[hidden] HTTP/1.1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [token]"),
        ("got eyJhbGciOi.eyJzdWIi.c2ln from a", "got [token] from a"),
        ("why? because=1", "why? because=1"),
        ("really?", "really?"),
    ],
)
def test_secrets_are_taken_out_and_nothing_else(text: str, expected: str) -> None:
    assert redacted(text) == expected
