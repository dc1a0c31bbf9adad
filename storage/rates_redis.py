"""How often somebody asked, counted in Redis and so the same on all workers; while Redis is away each counts alone.

A key for each quota and name holds when all that was taken will have come back (in microseconds of Redis's own time):
more than a minute ahead nothing is left. It expires when that time is over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from rest.ports import Allowance, Quota, Rates
from storage.redis_link import RedisAway, RedisLink, ended, home_of, keep_running, told
from storage.redis_pipeline import RedisPipeline

log = logging.getLogger(__name__)

WINDOW_US = 60_000_000
PATIENCE_S = 0.25
"""Longer nobody waits for a count."""
AWAY_S = 1.0
"""So long nobody asks again after no answer came: while Redis hangs, one request in a second waits for it."""

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local back = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) or 0, now)
if back > now + window then
  back = now
end
local wait = back + step - window - now
if wait <= 0 and ARGV[3] == '1' then
  back = back + step
  redis.call('SET', KEYS[1], string.format('%.0f', back), 'PX', math.ceil((back - now) / 1000))
end
return {math.max(0, wait), math.max(0, window - (back - now))}
"""
"""In one step, for two workers may ask at once. Answers how long to wait, and what of the window is left. Whole
microseconds throughout: halves of them would add up to a token. What lies further ahead is of a clock that has
been set back since, or of a Redis whose clock was ahead, and counts as nothing."""


class RedisRates:
    """`rest.ports.Rates`."""

    def __init__(self, url: str, prefix: str, alone: Rates, now_s: Callable[[], float] = time.monotonic) -> None:
        """`alone` counts while Redis cannot be asked. Raises StoreRefused: the URL is none."""
        self._home = f"{home_of(prefix)}rates:"
        self._pipeline = RedisPipeline(RedisLink(url, self._home.encode()))
        self._alone = alone
        self._now_s = now_s
        self._away_until_s = 0.0
        self._refused = False
        self._root: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._root = asyncio.get_running_loop().create_task(keep_running("rates", self._pipeline.run), name="rates")

    async def close(self) -> None:
        if self._root is not None:
            await ended(self._root)

    async def take(self, quota: Quota, who: str) -> Allowance:
        return await self._asked(quota, who, 1) or await self._alone.take(quota, who)

    async def look(self, quota: Quota, who: str) -> Allowance:
        return await self._asked(quota, who, 0) or await self._alone.look(quota, who)

    async def _asked(self, quota: Quota, who: str, taken: int) -> Allowance | None:
        """None: nobody knows."""
        if self._now_s() < self._away_until_s:
            return None
        step_us = -(-WINDOW_US // quota.per_minute)
        key, window_us = f"{self._home}{quota.name}:{who}", step_us * quota.per_minute
        try:
            async with asyncio.timeout(PATIENCE_S):
                (said,) = await self._pipeline.ask(("EVAL", SCRIPT, 1, key, step_us, window_us, taken))
        except (RedisAway, TimeoutError):
            self._away_until_s = self._now_s() + AWAY_S
            return None
        match said:
            case [int(wait_us), int(left_us)]:
                return Allowance(left_us // step_us, wait_us / 1_000_000)
        self._told(said)
        return None

    def _told(self, said: object) -> None:
        """A Redis that refuses, since this user may not run scripts, is reported once."""
        if not self._refused:
            why = told(said) if isinstance(said, Exception) else "an answer of another kind"
            log.warning("Redis does not count requests, so that each worker counts for itself: %s", why)
        self._refused = True
