"""A WebSocket by hand, for what a library would never do: it reads nothing, answers no ping, takes a small window."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from pathlib import Path
from urllib.parse import urlencode

from tests.support.servers import Meeting, Person

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
PATIENCE_S = 30.0


class Raw:
    """A codraw.v1 socket. `read` gives one frame, (opcode, payload); nothing is read or answered by itself."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""

    @classmethod
    async def join(cls, meeting: Meeting, person: Person, window: int = 4_096) -> Raw:
        """Its upgrade is done; `window`: the receive buffer that it asks the kernel for."""
        sock = socket.socket()
        meeting.sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.setblocking(False)
        raw = cls(sock)
        query = urlencode({"ticket": await meeting.ticket(person), "dialect": "codraw.v1"})
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", meeting.server.port))
        asked = HANDSHAKE.format(path=f"{meeting.path}/ws?{query}", port=meeting.server.port)
        await loop.sock_sendall(sock, asked.encode())
        while b"\r\n\r\n" not in raw._read:
            await raw._more(256)
        head, _, raw._read = raw._read.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return raw

    async def read(self) -> tuple[int, bytes]:
        """Raises ConnectionError at the end of the connection."""
        head = await self._exactly(2)
        length = head[1] & 127
        if length > 125:
            length = int.from_bytes(await self._exactly(2 if length == 126 else 8), "big")
        return head[0] & 15, await self._exactly(length)

    async def ended(self) -> tuple[int, ...]:
        """Reads to the end: the opcodes of all frames."""
        codes: list[int] = []
        try:
            while True:
                codes.append((await self.read())[0])
        except ConnectionError:
            return tuple(codes)

    async def say(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        await self.send(frame(opcode, payload, fin=fin))

    async def send(self, raw: bytes) -> None:
        """Raises OSError where the server has let go."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_sendall(self._sock, raw)

    def is_sent_to(self) -> bool:
        """Whether there is something to read; the room has given away by then all that it wrote in that turn."""
        return bool(self._read or select.select((self._sock,), (), (), 0)[0])

    def close(self) -> None:
        self._sock.close()

    async def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            await self._more(65_536)
        taken, self._read = self._read[:size], self._read[size:]
        return taken

    async def _more(self, size: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            got = await asyncio.get_running_loop().sock_recv(self._sock, size)
        if not got:
            raise ConnectionResetError
        self._read += got


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Masked with zeros, which leave the payload as it is."""
    size = len(payload)
    length = bytes((128 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((opcode | (128 if fin else 0),)) + length + bytes(4) + payload


def memory(pid: int) -> int:
    """Bytes of a process that are in memory. Raises OSError where the system does not show them."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
