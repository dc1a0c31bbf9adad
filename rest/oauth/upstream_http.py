"""The way to a provider: https to where one may stand, no redirects, answers of bounded size (S24, S62)."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from functools import cache, partial

import httpx2

from rest.outbound import CheckedTransport, Resolver, Unreachable, trusted

PATIENCE_S = 10.0
"""For one request, all in all: somebody sits before a browser and waits."""
LARGEST_BYTES = 262_144
"""Of an answer. The largest key sets and metadata out there have about a tenth of it."""
THREADS = 4
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


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


class ProviderTransport(CheckedTransport):
    def __init__(self, development: bool) -> None:
        super().__init__(partial(may_be_reached, development=development), resolver(), trusted())
        self._development = development

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not is_allowed(request.url, self._development):
            raise Unreachable("the address is not https")
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise Unreachable("the answer is compressed")
        return bounded(response)


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
def resolver() -> Resolver:
    """People wait for it; few providers are asked at once."""
    return Resolver(THREADS)


async def fetched(url: str, development: bool, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a 200. Raises Unreachable, httpx2.HTTPError or TimeoutError."""
    async with asyncio.timeout(PATIENCE_S), httpx2.AsyncClient(transport=ProviderTransport(development)) as client:
        answer = await client.get(url, headers={"Accept": "application/json", **(headers or {})})
    if answer.status_code != 200:
        # A redirect too: it would lead past the check of the address.
        raise Unreachable(f"the answer is {answer.status_code}")
    return answer.content
