"""Where a webhook may lead (S62): how its address is spelled, and which machines may be called.

The address is read once, by one grammar that is narrower than what URL parsers take, and what was read is what is
connected to. Where a name leads is judged when it is connected to, and the connection goes to the address that was
judged: a name that is somebody else's a moment later leads nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from rest.outbound import PORTS

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and what clouds tell their machines about themselves
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
        "2001::/23",  # Teredo, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",
    )
)
PUBLIC_6 = IPv6Network("2000::/3")
"""Outside of it are loopback, private, link- and site-local, multicast, v4-mapped and NAT64 addresses."""
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

URL = re.compile(r"(https?)://([^/?#]*)([/?][!-~]*)?", re.ASCII | re.IGNORECASE)
AUTHORITY = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
"""A last label like this makes resolvers read the whole as a number: `127.1`, `2130706433`, `0x7f.1`."""
SERVICES = 1_024
"""Below it, but for those of the web, wait services that may take a request for something else."""


class BadAddress(ValueError):
    """The text says what is wrong with it, after "url"."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`http`: whether unencrypted addresses will do. `allowed`: networks that may be called although not public."""

    http: bool = False
    allowed: tuple[Network, ...] = ()

    def permits(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        if any(address in network for network in self.allowed):
            return True
        if isinstance(address, IPv6Address) and address not in PUBLIC_6:
            return False
        return not any(address in network for network in SPECIAL)


@dataclass(frozen=True, slots=True)
class Target:
    """`host`: a name or an address, without brackets. `path`: with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target(url: str, policy: Policy) -> Target:
    """Raises BadAddress, also for a host that is an address which may not be called."""
    found = URL.fullmatch(url)
    if found is None or "\\" in url or "#" in url:
        raise BadAddress("must look like https://host/path, without a fragment")
    scheme, path = found[1].lower(), found[3] or "/"
    if path.startswith("?"):
        path = f"/{path}"
    if scheme == "http" and not policy.http:
        raise BadAddress("must begin with https://")
    if "@" in found[2]:
        raise BadAddress("must not name a user")
    authority = AUTHORITY.fullmatch(found[2])
    if authority is None:
        raise BadAddress("must name a host by letters, digits and hyphens, or by its address")
    host, port = _host(authority[1].lower()), _port(authority[2], scheme)
    judged = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    if _literal(judged) is not None and not policy.permits(judged):
        raise BadAddress("leads to an address that may not be called")
    return Target(scheme, host, port, path)


def _host(text: str) -> str:
    if text.startswith("["):
        host = text[1:-1]
        if not isinstance(_literal(host), IPv6Address):
            raise BadAddress("has no IPv6 address between the brackets")
        return host
    labels = text.split(".")
    if NUMERIC.fullmatch(labels[-1]) and not isinstance(_literal(text), IPv4Address):
        raise BadAddress("must spell an IPv4 address as four decimal numbers")
    if not all(LABEL.fullmatch(label) for label in labels):
        raise BadAddress("must name a host by letters, digits and hyphens, or by its address")
    return text


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return PORTS[scheme]
    port = int(text)
    if port not in PORTS.values() and not SERVICES <= port <= 65_535:
        raise BadAddress(f"must name port 80, 443 or one from {SERVICES} to 65535")
    return port


def _literal(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
