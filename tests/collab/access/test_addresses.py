from __future__ import annotations

import pytest

from collab.access.addresses import address


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("unknown", "unknown"),
        ("x" * 10_000, "x" * 100),
        ("", ""),
    ],
)
def test_S75_an_address_is_what_one_has_for_oneself(host: str, counted: str) -> None:
    assert address({"client": (host, 1)}) == counted


def test_a_connection_without_an_address_is_counted_all_the_same() -> None:
    assert address({"client": None}) == address({}) == ""
