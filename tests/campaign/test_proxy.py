"""The proxy passes everything on, and does to connections what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from tests.campaign.proxy import Cut, Plain, Proxy, Spotter

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """The far side: what it got, and its connections."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.ended = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1_000):
                self.got += data
                writer.write(data)
        except OSError:
            pass
        finally:
            self.ended.set()
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    proxy = await Proxy(echo.port).start()
    yield proxy
    await proxy.close()


async def connected(proxy: Proxy) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    return reader, writer


async def silent(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.1):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_everything_goes_through(proxy: Proxy) -> None:
    reader, writer = await connected(proxy)
    sent = bytes(range(256)) * 2_000
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent
    writer.close()


async def test_an_end_goes_through(proxy: Proxy, echo: Echo) -> None:
    _, writer = await connected(proxy)
    writer.close()
    async with asyncio.timeout(5):
        await echo.ended.wait()


async def test_a_cut_is_an_end(proxy: Proxy) -> None:
    reader, writer = await connected(proxy)
    assert proxy.cut() == 1
    assert await reader.read(1) == b""
    writer.close()


async def test_a_reset_is_a_reset(proxy: Proxy) -> None:
    reader, writer = await connected(proxy)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()


async def test_a_black_hole_holds_until_it_is_healed(proxy: Proxy) -> None:
    reader, writer = await connected(proxy)
    proxy.black_hole()
    writer.write(b"x")
    assert await silent(reader)
    proxy.heal()
    assert await reader.readexactly(1) == b"x"
    writer.close()


async def test_one_way_lets_the_other_way_go(proxy: Proxy, echo: Echo) -> None:
    reader, writer = await connected(proxy)
    proxy.down.hold()
    writer.write(b"x")
    assert await silent(reader)
    assert echo.got == b"hellox"
    writer.close()


async def test_the_near_side_of_a_half_open_connection_hears_nothing(proxy: Proxy, echo: Echo) -> None:
    reader, writer = await connected(proxy)
    proxy.forget()
    async with asyncio.timeout(5):
        await echo.ended.wait()
    writer.write(b"x")
    assert await silent(reader)
    assert echo.got == b"hello"
    writer.close()


async def test_who_is_refused_is_cut_at_once(proxy: Proxy) -> None:
    proxy.refuse()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()
    proxy.heal()
    _, another = await connected(proxy)
    another.close()


async def test_what_is_delayed_arrives_in_order(proxy: Proxy) -> None:
    reader, writer = await connected(proxy)
    proxy.up.delay_s = lambda: 0.01
    for number in range(10):
        writer.write(b"%d" % number)
    assert await reader.readexactly(10) == b"0123456789"
    writer.close()


class CutsAfter(Plain):
    def feed(self, data: bytes) -> Iterable[bytes]:
        if b"commit" in data:
            raise Cut(data)
        return (data,)


async def test_what_a_filter_cuts_still_arrives_and_is_never_answered(echo: Echo) -> None:
    proxy = await Proxy(echo.port, lambda: (CutsAfter(), Plain())).start()
    reader, writer = await connected(proxy)
    writer.write(b"commit")
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    await proxy.close()
    assert echo.got == b"hellocommit"
    writer.close()


async def test_a_spotter_calls_once_when_it_has_passed(echo: Echo) -> None:
    spotter, told = Spotter(), []
    spotter.needles, spotter.spotted = (b"receipt",), lambda: told.append(1)
    proxy = await Proxy(echo.port, lambda: (Plain(), spotter)).start()
    reader, writer = await connected(proxy)
    for _ in range(2):
        writer.write(b"a receipt")
        assert await reader.readexactly(9) == b"a receipt"
    await proxy.close()
    assert told == [1]
    writer.close()
