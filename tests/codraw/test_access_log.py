"""Each request leaves one line, without its query string."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from codraw.access_log import AccessLog


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/broken":
        raise RuntimeError
    await PlainTextResponse("yes", 201)(scope, receive, send)


def lines_of(path: str) -> list[Any]:
    with capture_logs() as lines:
        TestClient(AccessLog(answer), raise_server_exceptions=False).get(path)
    return list(lines)


def test_a_request_is_a_line_without_its_query() -> None:
    (line,) = lines_of("/things?token=abc")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/things", 201)
    assert "abc" not in str(line)


def test_a_request_that_broke_is_a_line_too() -> None:
    (line,) = lines_of("/broken")
    assert line["status"] == 500


def test_no_path_moves_the_cursor_of_a_terminal() -> None:
    (line,) = lines_of("/a%1b%5b2J%0a/b:c")
    assert line["path"] == "/a%1B%5B2J%0A/b:c"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_questions_of_programs_leave_none(path: str) -> None:
    assert lines_of(path) == []
