"""Signing in at a running server: a token that is accepted, or one sentence that says why there is none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

from codraw.local_stores import free_port
from codraw.sign_in import SignInFailed, access_token
from tests.support.servers import Server


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The address of something that says this to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_server_accepts_the_token_as_that_user(server: Server, slash: str) -> None:
    token = access_token(server.http + slash, "alice")
    asked = Request(f"{server.http}/me", headers={"Authorization": f"Bearer {token}"})
    with urlopen(asked, timeout=20) as answer:
        assert json.load(answer)["provider_id"] == "alice"


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(SignInFailed, match="does not answer"):
        access_token(f"http://127.0.0.1:{free_port()}", "alice")


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "file:///etc/hosts", ""])
def test_what_is_no_address_of_a_server_is_not_opened(url: str) -> None:
    with pytest.raises(SignInFailed, match="must start with http"):
        access_token(url, "alice")


def test_an_address_that_cannot_be_read() -> None:
    with pytest.raises(SignInFailed):
        access_token("http://127.0.0.1:port", "alice")


def test_a_server_that_refuses() -> None:
    with answering(http("404 Not Found", b"{}")) as url, pytest.raises(SignInFailed, match="refused with 404"):
        access_token(url, "alice")


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html>"),
        http("200 OK", b"{}"),
        http("200 OK", b"[]"),
        http("200 OK", b"\xff"),
    ],
)
def test_a_server_that_is_something_else(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(SignInFailed, match="does not answer as codraw does"):
        access_token(url, "alice")


def test_a_server_that_speaks_something_else() -> None:
    with answering(b"-ERR what?\r\n") as url, pytest.raises(SignInFailed, match=r"does not answer \("):
        access_token(url, "alice")
