"""News over Redis pub/sub, which loses silently: a beat of our own, heard through the real subscription, tells.

Laws: (1) whoever may have missed news hears None once, when the beat comes through again; (2) one task writes to the
subscribing connection and one reads; an answer that nobody asked for is a connection that is not what it was, and ends
it; (3) what is heard is handed on at once and never waited for.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from protocol.values import DiagramId
from storage.redis_channels import Channels, Hear, Listener
from storage.redis_link import (
    ELSEWHERE,
    LOST,
    PREFIX,
    Line,
    Patience,
    RedisAway,
    RedisLink,
    ended,
    home_of,
    keep_running,
    told,
)
from storage.redis_pipeline import PUBLISH, RedisPipeline

log = logging.getLogger(__name__)

BEAT_S = 1.0
BEATS_MISSED = 2
CONFIRM_S = 1.0
FLUSH_S = 0.5
MESSAGES = (b"message", b"smessage")


class BusCounts(msgspec.Struct, frozen=True):
    """`dropped` were never sent, `failed` may have been; `gaps_told` counts every None that was heard."""

    published: int
    dropped: int
    failed: int
    received: int
    beats_missed: int
    gaps_told: int
    reconnects: int


class RedisSubscription:
    def __init__(self, channels: Channels, listener: Listener) -> None:
        self._channels = channels
        self._listener = listener

    async def close(self) -> None:
        self._channels.leave(self._listener)


class RedisBus:
    def __init__(self, url: str, prefix: str = PREFIX, beat_s: float = BEAT_S) -> None:
        """Raises StoreRefused: the URL is none."""
        home = home_of(prefix)
        self._prefix = prefix
        self._identity_key = f"{home}identity".encode()
        self._link = RedisLink(url, self._identity_key)
        self._pipeline = RedisPipeline(self._link)
        self._channels = Channels()
        self._line: Line | None = None
        self._scope: asyncio.Timeout | None = None
        """Of the subscribing connection; it ends when this is over."""
        self._patience = Patience()
        self._away = False
        self._complained = False

        self._beat_s = beat_s
        self._beat = self._channels.join(f"{home}beat:{secrets.token_hex(8)}".encode(), self._hear_beat)
        self._beat_now = asyncio.Event()
        self._heard = False
        """The beat, since this second began."""
        self._missed = 0
        self._elsewhere = False
        """Redis takes no writes: what it spreads does not reach those at the one in charge."""
        self._sound = asyncio.Event()
        self._identity: str | None = None
        self._known = asyncio.Event()
        """The identity, since the start."""
        self._candidate = secrets.token_hex(8)

        self._received = self._beats_missed = self._gaps_told = self._connections = 0
        self._root: asyncio.Task[None] | None = None

    @property
    def alone(self) -> bool:
        return False

    @property
    def counts(self) -> BusCounts:
        sent = self._pipeline.counts
        return BusCounts(
            published=sent.published,
            dropped=sent.dropped,
            failed=sent.failed,
            received=self._received,
            beats_missed=self._beats_missed,
            gaps_told=self._gaps_told,
            reconnects=max(self._connections - 1, 0),
        )

    async def start(self) -> None:
        """Returns when news comes through and the identity is known, or after a second without."""
        work = keep_running("bus", self._pipeline.run, self._ask, self._listen, self._beats)
        self._root = asyncio.get_running_loop().create_task(work, name="bus")
        with suppress(TimeoutError):
            async with asyncio.timeout(CONFIRM_S):
                await self._sound.wait()
                # The beat may come back before the answers to what went with it: that is another connection.
                await self._known.wait()

    async def close(self) -> None:
        """What was published goes out first, if that takes no time."""
        if self._root is None:
            return
        await self._pipeline.drain(FLUSH_S)
        await ended(self._root)

    def healthy(self) -> bool:
        return self._sound.is_set()

    def identity(self) -> str | None:
        """A random value that is kept in the Redis in use, the same for all who use it; None: not known now."""
        return self._identity

    def publish(self, diagram: DiagramId, news: bytes) -> None:
        self._pipeline.publish(news_channel(diagram, self._prefix), news)

    async def subscribe(self, diagram: DiagramId, hear: Hear) -> RedisSubscription:
        listener = self._channels.join(news_channel(diagram, self._prefix), hear)
        try:
            async with asyncio.timeout(0 if self._away else CONFIRM_S):
                await listener.channel.confirmed.wait()
        except TimeoutError:
            listener.owed = True
        except BaseException:
            self._channels.leave(listener)
            raise
        return RedisSubscription(self._channels, listener)

    # the subscribing connection --------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        while True:
            await self._channels.change.wait()
            line = self._line
            if line is None:
                self._channels.change.clear()  # a new connection is asked for everything
            elif commands := self._channels.due(sharded=line.sharded):
                try:
                    await line.send(commands)
                except LOST as error:
                    self._end(line, told(error))

    async def _listen(self) -> None:
        while True:
            try:
                line = await self._link.open()
            except RedisAway as error:
                self._away = True
                self._fall()
                self._complain(str(error))
            else:
                await self._hear_out(line)
            await self._patience.wait()

    async def _hear_out(self, line: Line) -> None:
        """One connection, to its end."""
        self._away = False
        self._connections += 1
        self._line = line
        self._channels.connected()
        try:
            async with asyncio.timeout(None) as self._scope:
                while True:
                    self._take(await line.reply())
        except LOST as error:
            self._complain(told(error))
        finally:
            self._scope = self._line = None
            self._channels.disconnected()
            self._fall()
            await line.close()

    def _end(self, line: Line | None, why: str) -> None:
        if self._scope is not None and self._line is line:
            self._complain(why)
            self._scope.reschedule(asyncio.get_running_loop().time())

    def _take(self, reply: Any) -> None:
        if isinstance(reply, ResponseError):
            raise reply
        if not isinstance(reply, list) or len(reply) != 3:
            raise ConnectionError(f"no answer to what was asked: {reply!r:.200}")
        kind, name, content = reply
        if kind in MESSAGES:
            if channel := self._channels.get(name):
                for listener in tuple(channel.listeners):
                    self._tell(listener, content)
        elif not self._channels.answered(name):
            raise ConnectionError(f"{kind!r} of a channel came unasked")
        elif self._channels.settled and (not self._sound.is_set() or self._owed(name)):
            self._beat_now.set()

    def _owed(self, name: bytes) -> bool:
        channel = self._channels.get(name)
        return channel is not None and any(listener.owed for listener in channel.listeners)

    def _tell(self, listener: Listener, news: bytes | None) -> None:
        if listener not in listener.channel.listeners:
            return  # one before it has ended it
        self._received += news is not None and listener is not self._beat
        try:
            listener.hear(news)
        except Exception:
            log.exception("what hears %r failed", listener.channel.name)

    # health ----------------------------------------------------------------------------------------------------------

    async def _beats(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            end = loop.time() + self._beat_s
            self._heard = False
            sent = await self._send_beat()
            while await self._called_before(end):
                sent = await self._send_beat()
            if not self._heard:
                self._miss(sent)

    async def _called_before(self, end: float) -> bool:
        """Whether a beat is wanted before its time: something was confirmed, and somebody waits to hear so."""
        try:
            async with asyncio.timeout_at(end):
                await self._beat_now.wait()
        except TimeoutError:
            return False
        self._beat_now.clear()
        return True

    async def _send_beat(self) -> bool:
        """Whether Redis took it. What else is to be known each second goes with it."""
        held = self._identity or self._candidate
        try:
            async with asyncio.timeout(self._beat_s):
                kept, identity, spread = await self._pipeline.ask(
                    ("SET", self._identity_key, held, "NX"),
                    ("GET", self._identity_key),
                    (PUBLISH, self._beat.channel.name, b""),
                )
        except (RedisAway, TimeoutError):
            self._identity = None
            return False
        if isinstance(kept, ELSEWHERE):
            self._elsewhere = True
            self._end(self._line, told(kept))
        elif self._elsewhere:
            self._elsewhere = False
            self._beat_now.set()
        if isinstance(identity, bytes):
            self._identity = self._candidate = identity.decode("utf-8", "replace")
            self._known.set()
        return isinstance(spread, int)

    def _hear_beat(self, _: bytes | None) -> None:
        if self._elsewhere:
            return
        self._heard = True
        self._missed = 0
        self._patience.reset()
        self._sound.set()
        if self._complained:
            self._complained = False
            log.info("news comes through Redis again")
        for listener in [owed for owed in self._channels.listeners() if owed.owed]:
            if listener.channel.confirmed.is_set():
                listener.owed = False
                self._gaps_told += 1
                self._tell(listener, None)

    def _miss(self, sent: bool) -> None:
        self._missed += 1
        self._beats_missed += 1
        if self._missed >= BEATS_MISSED:
            self._fall()
            self._complain("the beat does not come back")
            if sent:  # Redis has it: then the subscription is deaf
                self._end(self._line, "the subscription is deaf")

    def _fall(self) -> None:
        """From now on news may be lost, until the beat is heard again."""
        self._sound.clear()
        for listener in self._channels.listeners():
            listener.owed = listener is not self._beat

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            log.warning("no news comes through Redis: %s", why)


def news_channel(diagram: DiagramId, prefix: str = PREFIX) -> bytes:
    return f"{home_of(prefix)}news:{diagram}".encode()
