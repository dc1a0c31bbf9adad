"""Where somebody comes from, as far as that tells one from another (S75)."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

LONGEST_NAME = 100


def address(scope: Mapping[str, Any]) -> str:
    """Where a request comes from, as far as one has it for oneself: of IPv6 the network, which is what one is given.

    A proxy that is listed has said it (`CODRAW_TRUSTED_PROXIES`); anybody else's X-Forwarded-For is not read (S8).
    """
    host: str = (scope.get("client") or ("",))[0]
    try:
        found = ip_address(host)
    except ValueError:
        return host[:LONGEST_NAME]
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
