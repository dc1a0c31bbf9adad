"""Where requests to providers may go."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from rest.oauth import upstream_http
from rest.oauth.upstream_http import ProviderTransport, fetched, is_allowed, may_be_reached
from rest.outbound import Unreachable
from tests.support.balancer import certify


@pytest.mark.parametrize(
    ("url", "production", "development"),
    [
        ("https://login.example.org/realms/a", True, True),
        ("https://login.example.org:8443/", True, True),
        ("https://10.0.0.7/", True, True),
        ("http://login.example.org/", False, False),
        ("http://127.0.0.1:8080/", False, True),
        ("http://localhost/", False, True),
        ("http://[::1]:8080/", False, True),
        ("http://localhost.evil.test/", False, False),
        ("http://127.0.0.1@evil.test/", False, False),
        ("https://ana:secret@login.example.org/", False, False),
        ("ftp://login.example.org/", False, False),
        ("file:///etc/passwd", False, False),
        ("/etc/passwd", False, False),
    ],
)
def test_S62_requests_go_to_https_and_in_development_to_this_machine(
    url: str, production: bool, development: bool
) -> None:
    assert [is_allowed(httpx2.URL(url), mode) for mode in (False, True)] == [production, development]


@pytest.mark.parametrize(
    ("address", "production", "development"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("64:ff9b::5db8:d70e", True, True),
        ("10.1.2.3", True, True),
        ("192.168.1.2", True, True),
        ("fd00::1", True, True),
        ("127.0.0.1", False, True),
        ("127.255.0.9", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("240.0.0.1", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_S62_addresses_where_no_provider_stands(address: str, production: bool, development: bool) -> None:
    assert [may_be_reached(address, mode) for mode in (False, True)] == [production, development]


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:127.0.0.1]/",
        "https://no-such-name.invalid/",
        "http://127.0.0.1:9/",
    ],
)
async def test_S62_odd_spellings_lead_to_the_same_judgement(url: str) -> None:
    with pytest.raises(Unreachable):
        await fetched(url, development=False)


async def test_a_port_where_nobody_listens_is_told_as_such() -> None:
    async with httpx2.AsyncClient(transport=ProviderTransport(development=True)) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1/")


class Silent(HTTPServer):
    """About clients that do not like its certificate."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def https(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server with that certificate, which answers every request with a 501."""
    with Silent(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("name", "accepted"), [("localhost", True), ("login.example.org", False)])
async def test_S62_the_certificate_is_that_of_the_name_although_an_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, accepted: bool
) -> None:
    certify(tmp_path, name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    trust = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
    # It signs itself, and is no authority.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    monkeypatch.setattr(upstream_http, "trusted", lambda: trust)
    with https(server) as port:
        answered = "the answer is 501" if accepted else "CERTIFICATE_VERIFY_FAILED"
        with pytest.raises(httpx2.TransportError, match=answered):
            await fetched(f"https://localhost:{port}/none", development=True)
