"""How often one may ask, and what a single worker knows of how often one did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from collab.access.buckets import Buckets
from rest.ports import Allowance, Quota

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Quotas:
    """Requests a minute; 0: no limit. The first four are of each user, the others of each address."""

    reads: int = 0
    writes: int = 0
    joins: int = 0
    """Tickets, and beginning or joining a session."""
    webhooks: int = 0
    """Changes of subscriptions, each of which makes this server ask another one."""
    sign_ins: int = 0
    failed_sign_ins: int = 0
    """Of what shows a code or a refresh token only what is refused counts: TMI's app refreshes by each message that it
    gets, in parallel, as soon as its token has less than 15 minutes left."""


class LocalRates:
    """`rest.ports.Rates` of one worker: two look-ups in dictionaries."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._buckets: dict[Quota, Buckets] = {}

    async def take(self, quota: Quota, who: str) -> Allowance:
        buckets, now_s = self._of(quota), self._now_s()
        wait_s = buckets.ask(who, now_s)
        return Allowance(int(buckets.left(who, now_s)), wait_s)

    async def look(self, quota: Quota, who: str) -> Allowance:
        buckets, now_s = self._of(quota), self._now_s()
        return Allowance(int(buckets.left(who, now_s)), buckets.ready_in(who, now_s))

    def _of(self, quota: Quota) -> Buckets:
        found = self._buckets.get(quota)
        if found is None:
            found = self._buckets[quota] = Buckets(quota.per_minute / WINDOW_S, quota.per_minute)
        return found
