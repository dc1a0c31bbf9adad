"""Webhooks by themselves: changes become deliveries, deliveries become requests, and addresses are asked first.

Laws: (1) what is to be delivered is in the store before anything is sent, and stays there until it was taken or given
up: who dies on the way is followed by another worker; (2) one worker does it for all, by turns; nothing hangs on there
being one only.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from collab.ports import StoreUnavailable
from collab.tasks import Tasks
from rest.ports import Trail
from rest.webhooks.delivery import DEADLINE_S, Sender, Undelivered
from rest.webhooks.events import CHALLENGE, challenge, of_change, of_move
from rest.webhooks.ports import Attempt, Challenge, Outbox, Subscription
from rest.webhooks.signatures import signed

LOOK_S = 1.0
TURN_MS = 15_000
"""A worker that died holds the others up for so long."""
HOLD_MS = round(DEADLINE_S * 1_000) + 10_000
PAGE = 500
QUIET_MS = 60_000
FORGET_MS = 3_600_000
AGAIN_S = (10, 60, 300, 900, 2_400)
"""After each failed attempt but the last: six attempts in about an hour."""
ASK_AGAIN_S = (10, 60)
JITTER = 0.2
DAY_MS = 24 * 3_600_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """`worker`: who does it. `at_once`: requests under way. `days`: deliveries are kept so long."""

    worker: str
    at_once: int = 10
    days: int = 7


class Deliveries:
    """`open_secret`: of what a subscription keeps sealed; None: it cannot be opened any more. `now_ms`: the store's."""

    def __init__(
        self,
        outbox: Outbox,
        trail: Trail,
        sender: Sender,
        open_secret: Callable[[str], str | None],
        tasks: Tasks,
        now_ms: Callable[[], int],
        pace: Pace,
    ) -> None:
        self._outbox, self._trail, self._sender = outbox, trail, sender
        self._open_secret = open_secret
        self._tasks = tasks
        self._now_ms = now_ms
        self._pace = pace
        self._under_way = 0
        self._claiming = False
        self._forget_at_ms = now_ms() + FORGET_MS

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except StoreUnavailable:
                continue
            except Exception:
                # Our bug; what the next rounds are for is more than what this one failed at.
                log.exception("the webhooks failed")

    async def look(self) -> None:
        """One round; what it sends goes on beside it."""
        wanted = await self._outbox.wanted()
        if not (wanted.any and await self._outbox.take_turn(self._pace.worker, TURN_MS)):
            return
        await self._ask()
        if wanted.active:
            await self._tell_changes()
            if wanted.edits:
                await self._tell_edits()
            await self._send_due()
        if self._now_ms() >= self._forget_at_ms:
            self._forget_at_ms = self._now_ms() + FORGET_MS
            await self._outbox.forget(self._now_ms() - self._pace.days * DAY_MS)

    async def _tell_changes(self) -> None:
        after = await self._outbox.told()
        while changes := await self._trail.since(after, PAGE):
            events = [event for change in changes if (event := of_change(change)) is not None]
            upto = changes[-1].serial
            if not await self._outbox.tell(after, upto, events):
                return
            after = upto

    async def _tell_edits(self) -> None:
        moves = await self._outbox.moves()
        # Also now and then while nobody edits: what follows is looked for from there on.
        if moves.moved or self._now_ms() - moves.as_of_ms >= QUIET_MS:
            await self._outbox.tell_moves(moves, [of_move(moved) for moved in moves.moved])

    async def _send_due(self) -> None:
        """As many as there is room for. Called again by whoever is done."""
        # Two that count at once would count the same room.
        if self._claiming or not self._room:
            return
        self._claiming = True
        try:
            for attempt in await self._outbox.claim(self._room, HOLD_MS):
                self._start(f"webhook {attempt.delivery}", partial(self._attempt, attempt))
        finally:
            self._claiming = False

    @property
    def _room(self) -> int:
        return max(self._pace.at_once - self._under_way, 0)

    def _start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._under_way += 1
        self._tasks.start(name, self._counted(work))

    async def _counted(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            try:
                await work()
            finally:
                self._under_way -= 1
            # Its place is free, and its subscription: the next one need not wait for the next look.
            await self._send_due()
        except StoreUnavailable:
            # What became of it may not be written: then it is done again when its time is over.
            log.info("a webhook was under way while the store went away")

    async def _attempt(self, attempt: Attempt) -> None:
        try:
            await self._deliver(attempt)
        except Undelivered as missed:
            await self._outbox.not_delivered(attempt, missed.reason, _again_ms(attempt.number, missed.retry_after_s))
        except _GivenUp as given_up:
            await self._outbox.not_delivered(attempt, str(given_up), None)
        else:
            await self._outbox.delivered(attempt)

    async def _deliver(self, attempt: Attempt) -> None:
        subscription = attempt.subscription
        if not attempt.readable:
            raise _GivenUp("the owner may not read this threat model any more")
        headers = self._headers(subscription, attempt.delivery, attempt.event_type, attempt.body)
        await self._sender.post(subscription.url, headers, attempt.body)

    async def _ask(self) -> None:
        for asked in await self._outbox.challenges(self._room, HOLD_MS) if self._room else ():
            self._start(f"webhook challenge {asked.subscription.id}", partial(self._challenge, asked))

    async def _challenge(self, asked: Challenge) -> None:
        """RE19: a server that does not repeat what it was asked has not agreed to be called."""
        text = secrets.token_hex(32)
        subscription = asked.subscription
        body = challenge(text)
        try:
            headers = self._headers(subscription, str(uuid.uuid4()), CHALLENGE, body)
            answer = await self._sender.post(subscription.url, headers, body, listen=True)
            if answer.status != 200 or not _repeats(answer.body, text):
                raise Undelivered("the challenge was not repeated")
        except Undelivered as missed:
            again_ms = _later_ms(ASK_AGAIN_S, asked.number)
            await self._outbox.not_verified(asked, missed.reason, again_ms)
        except _GivenUp as given_up:
            await self._outbox.not_verified(asked, str(given_up), None)
        else:
            await self._outbox.verified(asked)

    def _headers(self, subscription: Subscription, delivery: str, event: str, body: str) -> Mapping[str, str]:
        secret = self._open_secret(subscription.sealed_secret)
        if secret is None:
            raise _GivenUp("the server's key has changed: subscribe anew")
        return {
            "X-Webhook-Event": event,
            "X-Webhook-Delivery-Id": delivery,
            "X-Webhook-Subscription-Id": subscription.id,
            **signed(delivery, self._now_ms() // 1_000, body, secret),
        }


class _GivenUp(Exception):
    """No other attempt would do better; the text says why."""


def _again_ms(number: int, retry_after_s: float | None) -> int | None:
    """None: that was the last one."""
    planned = _later_ms(AGAIN_S, number)
    return planned if planned is None else max(planned, round((retry_after_s or 0) * 1_000))


def _later_ms(pauses_s: Sequence[int], number: int) -> int | None:
    if number > len(pauses_s):
        return None
    # so that all that failed together do not come back together; nothing secret hangs on it
    return round(pauses_s[number - 1] * 1_000 * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


def _repeats(body: bytes, text: str) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("challenge") == text
