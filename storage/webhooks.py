"""Webhook subscriptions and their deliveries on a database, as their owners see them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from protocol.values import ThreatModelId, UserId
from rest.ports import Page
from rest.webhooks.ports import (
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
)
from storage import columns
from storage.columns import text
from storage.database import Row, Transaction, first
from storage.rights import matches
from storage.tables import Tables, window

COLUMNS = (
    "s.id AS id, s.owner, s.title, s.url, s.events, s.sealed_secret, s.threat_model_id, s.status,"
    " s.created_at AS created_at, s.modified_at AS modified_at, s.last_error"
)
ADD = (
    "INSERT INTO webhook_subscription (id, owner, owner_id, owner_provider, owner_provider_id, threat_model_id, title,"
    " name, url, events, sealed_secret, status, created_at, modified_at, challenges, due_at, busy_until)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 0, $13, 0)"
)
ADD_GROUP = "INSERT INTO webhook_group (subscription_id, name) VALUES ($1, $2)"
OF_OWNER = "FROM webhook_subscription s WHERE s.owner_id = $1"
DELIVERY = (
    "d.id AS id, d.subscription_id, d.event_type, d.status, d.attempts, d.created_at AS created_at, d.delivered_at,"
    " d.last_error"
)
OF_OWNERS = "FROM webhook_delivery d JOIN webhook_subscription s ON s.id = d.subscription_id WHERE s.owner_id = $1"
REPLAY = (
    "UPDATE webhook_delivery SET status = 'pending', attempts = 0, due_at = $2, delivered_at = NULL, last_error = NULL"
    " WHERE id = $1"
)

STANDS = (
    "NOT EXISTS (SELECT 1 FROM account a WHERE a.provider = s.owner_provider AND a.provider_id = s.owner_provider_id"
    " AND a.disabled_at IS NOT NULL)"
)
_GROUPS = "IN (SELECT g.name FROM webhook_group g WHERE g.subscription_id = s.id)"
READS = (
    "(s.threat_model_id IS NULL OR s.threat_model_id = t.id)"
    " AND (t.owner_provider = s.owner_provider AND t.owner_provider_id = s.owner_provider_id"
    " OR EXISTS (SELECT 1 FROM entry e WHERE e.threat_model_id = t.id AND e.role >= 1"
    f" AND {matches('s.owner_provider', 's.owner_provider_id', _GROUPS)}))"
)
"""That a subscription `s` is about the threat model `t`, and its owner may read it."""
FAREWELL = (
    "INSERT INTO webhook_farewell (threat_model_id, subscription_id, at) SELECT t.id, s.id, CAST($2 AS bigint)"
    f" FROM threat_model t, webhook_subscription s WHERE t.id = $1 AND s.status = 'active' AND {READS}"
)


class SqlSubscriptions(Tables):
    async def subscribe(self, new: Subscription, most: int) -> Subscription | None:
        work = partial(_subscribe, new=new, most=most, now_ms=self._now_ms())
        return await self._database.transaction(work)

    async def subscription(self, owner: UserId, id: SubscriptionId) -> Subscription | None:
        rows = await self._database.fetch(f"SELECT {COLUMNS} {OF_OWNER} AND s.id = $2", owner, id)
        return subscription(rows[0]) if rows else None

    async def subscriptions(self, owner: UserId, page: Page) -> tuple[Sequence[Subscription], int]:
        return await self._database.read(partial(_subscriptions, owner=owner, page=page))

    async def unsubscribe(self, owner: UserId, id: SubscriptionId) -> bool:
        return await self._database.transaction(partial(_unsubscribe, owner=owner, id=id))

    async def delivery(self, owner: UserId, id: DeliveryId) -> Delivery | None:
        rows = await self._database.fetch(f"SELECT {DELIVERY} {OF_OWNERS} AND d.id = $2", owner, id)
        return _delivery(rows[0]) if rows else None

    async def deliveries(self, owner: UserId, of: SubscriptionId | None, page: Page) -> tuple[Sequence[Delivery], int]:
        return await self._database.read(partial(_deliveries, owner=owner, of=of, page=page))

    async def replay(self, owner: UserId, id: DeliveryId) -> Delivery | None:
        return await self._database.transaction(partial(_replay, owner=owner, id=id, now_ms=self._now_ms()))


async def remember_readers(tx: Transaction, model: str, now_ms: int) -> None:
    """In the transaction that deletes a threat model, while its entries are there: who is still to hear of it."""
    await tx.execute(FAREWELL, model, now_ms)


async def _subscribe(tx: Transaction, new: Subscription, most: int, now_ms: int) -> Subscription | None:
    owner = new.owner
    # one at a time: two would both find room for the last one
    await tx.alone(f"webhooks of {owner.id}")
    ((count,),) = await tx.fetch(f"SELECT count(*) {OF_OWNER}", owner.id)
    if count >= most:
        return None
    made = msgspec.structs.replace(
        new, status=SubscriptionStatus.PENDING, created_at_ms=now_ms, modified_at_ms=now_ms, last_error=None
    )
    people = (text(owner), owner.id, owner.user.provider, owner.user.provider_id)
    said = (made.name, made.name.casefold(), made.url, text(made.events), made.sealed_secret, made.status.value)
    await tx.execute(ADD, made.id, *people, made.threat_model_id, *said, now_ms)
    await tx.execute_many(ADD_GROUP, [(made.id, name) for name in dict.fromkeys(owner.groups)])
    return made


async def _subscriptions(tx: Transaction, owner: UserId, page: Page) -> tuple[list[Subscription], int]:
    total = await tx.fetch(f"SELECT count(*) {OF_OWNER}", owner)
    rows = await tx.fetch(f"SELECT {COLUMNS} {OF_OWNER}{window(page)}", owner)
    return [subscription(row) for row in rows], total[0][0]


async def _unsubscribe(tx: Transaction, owner: UserId, id: SubscriptionId) -> bool:
    """Its deliveries, which may be many, go later: without it nobody finds them."""
    if not await tx.execute("DELETE FROM webhook_subscription WHERE id = $1 AND owner_id = $2", id, owner):
        return False
    await tx.execute("DELETE FROM webhook_group WHERE subscription_id = $1", id)
    return True


async def _deliveries(
    tx: Transaction, owner: UserId, of: SubscriptionId | None, page: Page
) -> tuple[list[Delivery], int]:
    where, args = (OF_OWNERS, (owner,)) if of is None else (f"{OF_OWNERS} AND d.subscription_id = $2", (owner, of))
    total = await tx.fetch(f"SELECT count(*) {where}", *args)
    rows = await tx.fetch(f"SELECT {DELIVERY} {where}{window(page)}", *args)
    return [_delivery(row) for row in rows], total[0][0]


async def _replay(tx: Transaction, owner: UserId, id: DeliveryId, now_ms: int) -> Delivery | None:
    sql = f"SELECT {DELIVERY} {OF_OWNERS} AND d.id = $2"
    if await first(tx, sql, owner, id) is None:
        return None
    await tx.execute(REPLAY, id, now_ms)
    row = await first(tx, sql, owner, id)
    return None if row is None else _delivery(row)


def subscription(row: Row) -> Subscription:
    """Of COLUMNS."""
    id, owner, title, url, events, sealed_secret, model, status, created_at, modified_at, last_error = row
    return Subscription(
        id=SubscriptionId(id),
        owner=columns.caller(owner),
        name=title,
        url=url,
        events=tuple(columns.anything(events)),
        sealed_secret=sealed_secret,
        threat_model_id=None if model is None else ThreatModelId(model),
        status=SubscriptionStatus(status),
        created_at_ms=created_at,
        modified_at_ms=modified_at,
        last_error=last_error,
    )


def _delivery(row: Row) -> Delivery:
    id, subscription_id, event_type, status, attempts, created_at, delivered_at, last_error = row
    return Delivery(
        id=DeliveryId(id),
        subscription_id=SubscriptionId(subscription_id),
        event_type=event_type,
        status=DeliveryStatus(status),
        attempts=attempts,
        created_at_ms=created_at,
        delivered_at_ms=delivered_at,
        last_error=last_error,
    )
