from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from codraw.untaken import untaken
from tests.support.loops import on_both_loops
from tests.support.turns import until

SIZE = 8 * 1024 * 1024
Pair = tuple[asyncio.Transport, socket.socket]


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """A connection, and its peer, which reads nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
        accepted, _ = listener.accept()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=accepted)
        peer.setblocking(False)
        yield transport, peer
        transport.abort()


@on_both_loops(pair)
async def test_S74_what_the_peer_has_not_read_counts_wherever_it_waits(pair: Pair) -> None:
    transport, peer = pair
    transport.write(bytes(SIZE))
    assert untaken(transport) >= transport.get_write_buffer_size() > 0
    taken = 0
    while taken < SIZE:
        taken += len(await asyncio.get_running_loop().sock_recv(peer, SIZE))
    await until(lambda: untaken(transport) == 0)
