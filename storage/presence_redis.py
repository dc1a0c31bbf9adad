"""Who is connected where, in Redis: a key for each session and worker, and a set of its workers for each session.

All of it expires by itself. What does not is `generation`, and so an emptied Redis is told from an empty room: whoever
knew another one marks Redis as young for everybody, for as long as it may take until all have said again who is here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from protocol.notices import Participant
from protocol.values import SessionId
from storage.redis_link import PREFIX, Command, RedisAway, RedisLink, ended, home_of, keep_running, refused, told
from storage.redis_pipeline import RedisPipeline

log = logging.getLogger(__name__)

LIFE_MS = 30_000
YOUNG_MS = 35_000
LONG_AWAY_S = 5.0
"""A shorter outage of a Redis that kept its memory hides nobody: everybody is said again every 10 s."""
PATIENCE_S = 0.5
"""For one question; to read takes two."""
WATCH_S = 1.0
AT_ONCE = 256
"""Sessions read with one question."""

_PARTICIPANTS = msgspec.msgpack.Decoder(tuple[Participant, ...])


class RedisPresence:
    def __init__(self, url: str, prefix: str = PREFIX, now_s: Callable[[], float] = time.monotonic) -> None:
        """Raises StoreRefused: the URL is none."""
        self._home = f"{home_of(prefix)}presence:"
        self._generation_key = f"{self._home}generation"
        self._young_key = f"{self._home}young"
        self._pipeline = RedisPipeline(RedisLink(url, self._generation_key.encode()))
        self._now_s = now_s
        self._generation: bytes | None = None
        self._run_id: str | None = None
        self._away_since_s: float | None = None
        self._doubtful_until_s = 0.0
        self._refusing = False
        self._root: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when Redis is known, or seen to be away."""
        work = keep_running("presence", self._pipeline.run, self._watch)
        self._root = asyncio.get_running_loop().create_task(work, name="presence")
        with suppress(RedisAway):
            await self._look()

    async def close(self) -> None:
        if self._root is not None:
            await ended(self._root)

    async def put(self, session: SessionId, worker: str, participants: Sequence[Participant]) -> None:
        key, index = self._key(session, worker), self._index(session)
        if participants:
            said: list[Command] = [
                ("SET", key, msgspec.msgpack.encode(tuple(participants)), "PX", LIFE_MS),
                ("SADD", index, worker),
                ("PEXPIRE", index, LIFE_MS),
            ]
        else:
            said = [("DEL", key), ("SREM", index, worker)]
        with suppress(RedisAway):
            await self._ask(("MULTI",), *said, ("EXEC",))

    async def read(self, session: SessionId) -> Mapping[str, tuple[Participant, ...]] | None:
        said = await self.read_many((session,))
        return None if said is None else said.get(session)

    async def read_many(
        self, sessions: Sequence[SessionId]
    ) -> Mapping[SessionId, Mapping[str, tuple[Participant, ...]]] | None:
        said: dict[SessionId, Mapping[str, tuple[Participant, ...]]] = {}
        try:
            for first in range(0, len(sessions), AT_ONCE):
                some = await self._read(sessions[first : first + AT_ONCE])
                if some is None:
                    return None
                said.update(some)
        except RedisAway:
            return None
        return said

    async def _read(
        self, sessions: Sequence[SessionId]
    ) -> Mapping[SessionId, dict[str, tuple[Participant, ...]]] | None:
        found = await self._ask(*(("SMEMBERS", self._index(session)) for session in sessions))
        known = {session: names for session, names in zip(sessions, found, strict=True) if isinstance(names, list)}
        there = [
            (session, worker)
            for session, names in known.items()
            for worker in sorted(name.decode("utf-8", "replace") for name in names)
        ]
        keys = [self._key(session, worker) for session, worker in there]
        # What says whether Redis remembers is read last: an emptying before it is seen.
        values, *memory = await self._ask(("MGET", *(keys or [self._generation_key])), *self._memory())
        if refused((values,)) or not self._remembers(memory):
            return None
        said: dict[SessionId, dict[str, tuple[Participant, ...]]] = {session: {} for session in known}
        for (session, worker), value in zip(there, values, strict=False):
            if participants := _decoded(value):
                said[session][worker] = participants
        return said

    # whether Redis remembers ------------------------------------------------------------------------------------------

    def _memory(self) -> tuple[Command, Command]:
        return ("GET", self._generation_key), ("EXISTS", self._young_key)

    def _remembers(self, memory: Sequence[Any]) -> bool:
        generation, young = memory
        if not isinstance(generation, bytes) or generation != self._generation:
            return False  # the watch finds out what that means
        return young == 0 and self._now_s() >= self._doubtful_until_s

    async def _watch(self) -> None:
        while True:
            with suppress(RedisAway):
                await self._look()
            await asyncio.sleep(WATCH_S)

    async def _look(self) -> None:
        """Knows the generation of the Redis in use, makes one where there is none, and tells everybody of a change."""
        candidate = secrets.token_hex(8)
        kept, generation = await self._ask(
            ("SET", self._generation_key, candidate, "NX"), ("GET", self._generation_key)
        )
        self._doubt(refused((kept,)))
        if not isinstance(generation, bytes) or generation == self._generation:
            return
        if self._generation is not None:
            await self._ask(("SET", self._young_key, "1", "PX", YOUNG_MS))
        self._generation = generation

    def _doubt(self, refusal: ResponseError | None) -> None:
        """A Redis that writes nothing down, with its memory or disk full, forgets those who are here."""
        if refusal is not None:
            self._doubtful_until_s = self._now_s() + YOUNG_MS / 1_000
            if not self._refusing:
                log.warning("Redis does not keep who is connected where: %s", told(refusal))
        elif self._refusing:
            log.info("Redis keeps again who is connected where")
        self._refusing = refusal is not None

    # one way to ask ---------------------------------------------------------------------------------------------------

    async def _ask(self, *commands: Command) -> list[Any]:
        """The second attempt is for a connection that had died unnoticed; whatever is asked here may be done twice.
        Raises RedisAway."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                try:
                    replies = await self._pipeline.ask(*commands)
                except RedisAway:
                    replies = await self._pipeline.ask(*commands)
        except (RedisAway, TimeoutError) as error:
            if self._away_since_s is None:
                self._away_since_s = self._now_s()
            raise RedisAway(str(error) or "no answer in time") from error
        self._answered()
        return replies

    def _answered(self) -> None:
        line = self._pipeline.line
        replaced = line is not None and self._run_id is not None and line.run_id != self._run_id
        if line is not None:
            self._run_id = line.run_id
        now_s = self._now_s()
        long_away = self._away_since_s is not None and now_s - self._away_since_s >= LONG_AWAY_S
        self._away_since_s = None
        if replaced or long_away:
            self._doubtful_until_s = now_s + YOUNG_MS / 1_000

    def _key(self, session: SessionId, worker: str) -> str:
        return f"{self._home}{session}:{worker}"

    def _index(self, session: SessionId) -> str:
        return f"{self._home}{session}"


def _decoded(value: bytes | None) -> tuple[Participant, ...]:
    """Nobody, where it is gone, or says nothing that this version understands."""
    try:
        return _PARTICIPANTS.decode(value) if value is not None else ()
    except msgspec.MsgspecError:
        return ()
