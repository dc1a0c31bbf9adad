"""The way to a provider: the address that was checked, no redirects, answers of bounded size (S24, S62)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache

import httpx2

PATIENCE_S = 10.0
"""For one request, all in all: somebody sits before a browser and waits."""
LARGEST_BYTES = 262_144
"""Of an answer. The largest key sets and metadata out there have about a tenth of it."""
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
PORTS = {"https": 443, "http": 80}


class Unreachable(httpx2.TransportError):
    """Where this address leads no request of ours goes, or what comes from there is not read."""


def is_allowed(url: httpx2.URL, development: bool) -> bool:
    """https; in development http of this machine too. Nothing that carries a user name."""
    if url.userinfo or not url.host:
        return False
    return url.scheme == "https" or (development and url.scheme == "http" and url.host in LOOPBACK)


def may_be_reached(address: str, development: bool) -> bool:
    """Whether a provider may stand there. Private networks are where most self-hosted ones do; this machine only in
    development, and never the link-local addresses, where clouds keep their secrets."""
    found = ipaddress.ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return development
    return not (found.is_link_local or found.is_multicast or found.is_unspecified or is_reserved(found))


def is_reserved(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """`is_reserved` of IPv6 holds for NAT64 too, by which a network without IPv4 reaches everybody."""
    return isinstance(address, ipaddress.IPv4Address) and address.is_reserved


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Resolves a name once and connects to what was checked: a moment later the name may lead elsewhere.

    One for each request: connections that are kept belong to an address, and another name of that address would get
    one whose certificate was never its own.
    """

    def __init__(self, development: bool) -> None:
        self._development = development
        self._inner = httpx2.AsyncHTTPTransport(verify=trusted(), trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if not is_allowed(url, self._development):
            raise Unreachable("the address is not https")
        # Inflated, little is much: nothing that is compressed is asked for or read.
        request.headers["Accept-Encoding"] = "identity"
        response = await self._response(request, await self._addresses(url))
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise Unreachable("the answer is compressed")
        return bounded(response)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _response(self, request: httpx2.Request, addresses: list[str]) -> httpx2.Response:
        """The first address that takes the connection answers."""
        url = request.url
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        for address in addresses[:-1]:
            request.url = url.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        request.url = url.copy_with(host=addresses[-1])
        return await self._inner.handle_async_request(request)

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        loop = asyncio.get_running_loop()
        port = url.port or PORTS[url.scheme]
        try:
            found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable("the name is not known") from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if not addresses or not all(may_be_reached(address, self._development) for address in addresses):
            raise Unreachable("the name leads to an address where no provider may stand")
        return addresses


class Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for part in self._stream:
            taken += len(part)
            if taken > LARGEST_BYTES:
                raise Unreachable("the answer is too large")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def bounded(response: httpx2.Response) -> httpx2.Response:
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        raise Unreachable("the answer cannot be read")
    return httpx2.Response(
        response.status_code, headers=response.headers, stream=Bounded(stream), extensions=response.extensions
    )


@cache
def trusted() -> ssl.SSLContext:
    """Reading the certificates of the system takes longer than all the rest of a request."""
    return httpx2.create_ssl_context()


async def fetched(url: str, development: bool, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a 200. Raises Unreachable, httpx2.HTTPError or TimeoutError."""
    async with asyncio.timeout(PATIENCE_S), httpx2.AsyncClient(transport=CheckedTransport(development)) as client:
        answer = await client.get(url, headers={"Accept": "application/json", **(headers or {})})
    if answer.status_code != 200:
        # A redirect too: it would lead past the check of the address.
        raise Unreachable(f"the answer is {answer.status_code}")
    return answer.content
