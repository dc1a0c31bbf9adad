"""An origin counts only as a whole."""

from __future__ import annotations

import pytest

from collab.access.origins import Origins

LISTED = Origins.of(("https://draw.example.org", "http://10.0.0.5:9000", "*", "null"), development=False)


@pytest.mark.parametrize(
    "origin",
    ["https://draw.example.org", "https://draw.example.org:443", "HTTPS://Draw.Example.Org", "http://10.0.0.5:9000"],
)
def test_a_listed_origin_is_allowed(origin: str) -> None:
    assert LISTED.listing(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "null",
        "http://draw.example.org",
        "https://draw.example.org:444",
        "https://draw.example.org.evil.test",
        "https://evil.test/https://draw.example.org",
        "https://draw.example.org/",
        "https://draw.example.org@evil.test",
        "https://sub.draw.example.org",
        "https://draw.example.orgx",
        "http://10.0.0.5",
        "http://127.0.0.1:8080",
        "file://",
        "https://draw.example.org\n",
    ],
)
def test_S97_nothing_but_the_listed_origin_is_allowed(origin: str) -> None:
    assert not LISTED.allowing(origin, own="https://own.example.org")


def test_the_servers_own_origin_is_allowed_without_being_listed() -> None:
    assert LISTED.allowing("https://own.example.org", own="https://own.example.org:443")
    assert not LISTED.listing("https://own.example.org")


@pytest.mark.parametrize(
    "origin", ["http://localhost:4200", "http://127.0.0.1:1", "http://[::1]:5173", "https://localhost"]
)
def test_in_development_loopback_counts_as_listed(origin: str) -> None:
    assert Origins(development=True).listing(origin)


@pytest.mark.parametrize("origin", ["http://localhost.evil.test", "http://127.0.0.1.evil.test", "http://127.0.0.2"])
def test_what_looks_like_loopback_is_not(origin: str) -> None:
    assert not Origins(development=True).listing(origin)
