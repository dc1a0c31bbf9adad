"""The way to a foreign server (S24, S62): a name is resolved once, all its addresses are judged, and one of them is
connected to, with the certificate of the name. What is compressed is not asked for: inflated, little is much.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import cache
from ipaddress import ip_address

import httpx2

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port -> its addresses. Raises OSError."""
Permits = Callable[[str], bool]
"""Whether an address may be connected to."""

ADDRESSES = 4
PORTS = {"https": 443, "http": 80}


class Unreachable(httpx2.TransportError):
    """Where this address leads no request of ours goes, or what comes from there is not read."""


class Resolver:
    """In a few threads of its own: a name server that does not answer must hold up neither who else works in threads
    nor the end of the process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._asked: deque[tuple[Future[Sequence[str]], str, int]] = deque()
        self._at_work = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        answer: Future[Sequence[str]] = Future()
        with self._lock:
            self._asked.append((answer, host, port))
            needed = self._at_work < self._threads
            self._at_work += needed
        if needed:
            threading.Thread(target=self._work, name="codraw-names", daemon=True).start()
        return await asyncio.wrap_future(answer)

    def _work(self) -> None:
        """As long as something is asked."""
        while (asked := self._next()) is not None:
            answer, host, port = asked
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(_addresses(host, port))
                except Exception as error:
                    answer.set_exception(error)

    def _next(self) -> tuple[Future[Sequence[str]], str, int] | None:
        with self._lock:
            if self._asked:
                return self._asked.popleft()
            self._at_work -= 1
            return None


def _addresses(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedTransport(httpx2.AsyncBaseTransport):
    """One for each request: connections that are kept belong to an address, and another name of that address would get
    one whose certificate was never its own. `trust`: whose certificates are believed."""

    def __init__(self, permits: Permits, resolve: Resolve, trust: ssl.SSLContext | None = None) -> None:
        self._permits = permits
        self._resolve = resolve
        self._inner = httpx2.AsyncHTTPTransport(verify=trust or trusted(), trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The first address that takes the connection answers."""
        url = request.url
        # Not `url.host`, which is what people read: how it is spelled in the name system is one spelling only.
        name = url.raw_host.decode("ascii")
        *others, last = await self._addresses(name, url.port or PORTS[url.scheme])
        request.headers["Accept-Encoding"] = "identity"
        request.extensions = {**request.extensions, "sni_hostname": name}
        for address in others:
            request.url = url.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                # Nothing was sent: another address may answer.
                continue
        request.url = url.copy_with(host=last)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _addresses(self, name: str, port: int) -> Sequence[str]:
        """All or none: a name that leads inside, too, is not what its owner says."""
        try:
            found = [name] if _is_address(name) else await self._resolve(name, port)
        except (OSError, UnicodeError):
            raise Unreachable("the name is not known") from None
        if not found or not all(map(self._permits, found)):
            raise Unreachable("the name leads to an address that may not be called")
        return found[:ADDRESSES]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@cache
def trusted() -> ssl.SSLContext:
    """Reading the certificates of the system takes longer (20 ms) than all the rest of a request."""
    return httpx2.create_ssl_context()
