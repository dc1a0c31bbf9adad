"""The outbox of the webhooks on a database: what was told, what is due, who is at it.

Laws: (1) that a change was told, and its deliveries, are written in one transaction, on the condition that it was not
told before; (2) a delivery is named after its subscription and its event: however often it is written, it is there
once; (3) who is at a delivery has its subscription until a time: nobody else has it meanwhile, and anybody afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from functools import partial

from protocol.values import DiagramId, Epoch, ThreatModelId
from rest.webhooks.ports import (
    EVERY_MS,
    UPDATED,
    Attempt,
    Challenge,
    DeliveryId,
    Event,
    Moved,
    Moves,
    Wanted,
)
from storage import columns
from storage.database import Row, Transaction, first
from storage.tables import Tables
from storage.webhooks import COLUMNS, READS, STANDS, subscription

NAME = "webhooks"
OVERLAP_MS = 15_000
"""Looked back further than the last look: longer than a commit may take from its stamp until it can be seen."""
PIECE = 1_000

TURN = "SELECT serial, edits_at, worker, held_until FROM webhook_turn"
BEGIN = "INSERT INTO webhook_turn (one, serial, edits_at, held_until) VALUES (1, 0, 0, 0) ON CONFLICT (one) DO NOTHING"
TAKE = "UPDATE webhook_turn SET worker = $1, held_until = $2 WHERE worker = $1 OR held_until <= $3"
TOLD = "UPDATE webhook_turn SET serial = $2 WHERE serial = $1"
EDITS_TOLD = "UPDATE webhook_turn SET edits_at = $2 WHERE edits_at = $1"
CHANGES_FROM_HERE = "UPDATE webhook_turn SET serial = (SELECT last FROM change_serial)"
EDITS_FROM_HERE = "UPDATE webhook_turn SET edits_at = $1"

HEARERS = "SELECT id, threat_model_id, events, active_at FROM webhook_subscription WHERE status = 'active'"
REACH = (
    "SELECT s.id, t.id FROM webhook_subscription s, threat_model t"
    f" WHERE t.id = ANY($1) AND s.status = 'active' AND {READS} AND {STANDS}"
    " UNION SELECT s.id, f.threat_model_id FROM webhook_farewell f"
    " JOIN webhook_subscription s ON s.id = f.subscription_id"
    f" WHERE f.threat_model_id = ANY($1) AND s.status = 'active' AND {STANDS}"
)
ADD = (
    "INSERT INTO webhook_delivery (id, subscription_id, event_type, threat_model_id, body, status, attempts, place,"
    " due_at, created_at) VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6, $7, $7) ON CONFLICT (id) DO NOTHING"
)
MOVED = (
    "SELECT h.id, h.threat_model_id, h.epoch, h.vector, o.at FROM (SELECT diagram, max(decided_at) AS at"
    " FROM diagram_outcome WHERE decided_at > $1 AND verdict = 'accepted' GROUP BY diagram) o"
    " JOIN diagram_head h ON h.number = o.diagram AND h.deleted_at IS NULL"
    " LEFT JOIN webhook_head w ON w.diagram = h.number"
    " WHERE w.diagram IS NULL OR w.epoch <> h.epoch OR w.vector <> h.vector ORDER BY h.number"
)
MARK = (
    "INSERT INTO webhook_head (diagram, epoch, vector, at) VALUES"
    " ((SELECT number FROM diagram_head WHERE id = $1), $2, $3, $4)"
    " ON CONFLICT (diagram) DO UPDATE SET epoch = excluded.epoch, vector = excluded.vector, at = excluded.at"
)

FREE = (
    "SELECT s.id FROM webhook_subscription s JOIN webhook_delivery d ON d.subscription_id = s.id"
    " WHERE s.status = 'active' AND s.busy_until <= $1 AND d.status = 'pending' AND d.due_at <= $1"
    " GROUP BY s.id ORDER BY min(d.due_at), s.id LIMIT $2"
)
HOLD = "UPDATE webhook_subscription SET busy_until = $2 WHERE id = $1 AND busy_until <= $3"
LET_GO = "UPDATE webhook_subscription SET busy_until = 0 WHERE id = $1 AND busy_until = $2"
OLDEST = (
    "SELECT id, attempts, event_type, body, threat_model_id FROM webhook_delivery"
    " WHERE subscription_id = $1 AND status = 'pending' AND due_at <= $2 ORDER BY due_at, place, id LIMIT 1"
)
BEGUN = "UPDATE webhook_delivery SET attempts = attempts + 1, due_at = $2 WHERE id = $1"
"""Counted before it is made: one that kills whoever makes it is not made for ever."""
ARRIVED = (
    "UPDATE webhook_delivery SET status = 'delivered', delivered_at = $2, last_error = NULL"
    " WHERE id = $1 AND status = 'pending'"
)
MISSED = (
    "UPDATE webhook_delivery SET status = $3, due_at = $4, last_error = $5"
    " WHERE id = $1 AND attempts = $2 AND status = 'pending'"
)
UNASKED = (
    f"SELECT {COLUMNS}, s.challenges FROM webhook_subscription s"
    " WHERE s.status = 'pending_verification' AND s.due_at <= $1 AND s.busy_until <= $1"
    " ORDER BY s.due_at, s.id LIMIT $2"
)
ASKED = "UPDATE webhook_subscription SET challenges = challenges + 1, due_at = $2 WHERE id = $1"
VERIFIED = (
    "UPDATE webhook_subscription SET status = 'active', active_at = $2, modified_at = $2, busy_until = 0,"
    " last_error = NULL WHERE id = $1 AND status = 'pending_verification'"
)
NOT_VERIFIED = (
    "UPDATE webhook_subscription SET status = $2, due_at = $3, modified_at = $4, last_error = $5, busy_until = 0"
    " WHERE id = $1 AND status = 'pending_verification'"
)
OLD = "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery WHERE created_at < $1 LIMIT $2)"
ORPHANED = (
    "DELETE FROM webhook_delivery WHERE id IN (SELECT d.id FROM webhook_delivery d WHERE d.created_at < $1"
    " AND NOT EXISTS (SELECT 1 FROM webhook_subscription s WHERE s.id = d.subscription_id) LIMIT $2)"
)
MARKS = ("DELETE FROM webhook_farewell WHERE at < $1", "DELETE FROM webhook_head WHERE at < $1")
"""Few: one for each threat model that was deleted, and each diagram that was edited, while somebody heard."""


class SqlOutbox(Tables):
    async def wanted(self) -> Wanted:
        rows = await self._database.fetch(
            "SELECT status, max(CASE WHEN events LIKE $1 THEN 1 ELSE 0 END) FROM webhook_subscription GROUP BY status",
            f'%"{UPDATED}"%',
        )
        hear = {status: bool(edits) for status, edits in rows}
        return Wanted(bool(hear), "active" in hear, hear.get("active", False))

    async def take_turn(self, worker: str, hold_ms: int) -> bool:
        now_ms = self._now_ms()
        rows = await self._database.fetch(TURN)
        if rows:
            _, _, holder, until = rows[0]
            if until > now_ms and holder != worker:
                return False
            # written every other time: that it is still here need not be said each second
            if until > now_ms + hold_ms // 2:
                return True
        return await self._database.transaction(partial(_take, worker=worker, until=now_ms + hold_ms, now_ms=now_ms))

    async def told(self) -> int:
        rows = await self._database.fetch(TURN)
        return int(rows[0][0]) if rows else 0

    async def tell(self, after: int, upto: int, events: Sequence[Event]) -> bool:
        work = partial(_tell, after=after, upto=upto, events=events, now_ms=self._now_ms())
        return await self._database.transaction(work)

    async def moves(self) -> Moves:
        return await self._database.read(partial(_moves, now_ms=self._now_ms()))

    async def tell_moves(self, moves: Moves, events: Sequence[Event]) -> bool:
        work = partial(_tell_moves, moves=moves, events=events, now_ms=self._now_ms())
        return await self._database.transaction(work)

    async def claim(self, most: int, hold_ms: int) -> Sequence[Attempt]:
        now_ms = self._now_ms()
        # Most of the time nothing is due, which a read tells without waiting for the disk.
        if not await self._database.fetch(FREE, now_ms, 1):
            return ()
        return await self._database.transaction(partial(_claim, most=most, until=now_ms + hold_ms, now_ms=now_ms))

    async def delivered(self, attempt: Attempt) -> None:
        now_ms = self._now_ms()
        await self._database.transaction(lambda tx: _settled(tx, attempt, ARRIVED, attempt.delivery, now_ms))

    async def not_delivered(self, attempt: Attempt, why: str, again_in_ms: int | None) -> None:
        now_ms = self._now_ms()
        status = "failed" if again_in_ms is None else "pending"
        values = (attempt.delivery, attempt.number, status, now_ms + (again_in_ms or 0), why)
        await self._database.transaction(lambda tx: _settled(tx, attempt, MISSED, *values))

    async def challenges(self, most: int, hold_ms: int) -> Sequence[Challenge]:
        now_ms = self._now_ms()
        if not await self._database.fetch(UNASKED, now_ms, 1):
            return ()
        return await self._database.transaction(partial(_challenge, most=most, until=now_ms + hold_ms, now_ms=now_ms))

    async def verified(self, challenge: Challenge) -> None:
        work = partial(_verify, id=challenge.subscription.id, now_ms=self._now_ms())
        await self._database.transaction(work)

    async def not_verified(self, challenge: Challenge, why: str, again_in_ms: int | None) -> None:
        now_ms = self._now_ms()
        status = "failed" if again_in_ms is None else "pending_verification"
        values = (challenge.subscription.id, status, now_ms + (again_in_ms or 0), now_ms, why)
        await self._database.write(NOT_VERIFIED, *values)

    async def forget(self, before_ms: int) -> int:
        gone = 0
        # what was written a moment ago may be of a subscription that this transaction does not see yet
        for sql, before in ((OLD, before_ms), (ORPHANED, self._now_ms() - 60_000)):
            while removed := await self._database.transaction(partial(_forget, sql=sql, before=before)):
                gone += removed
        return gone + await self._database.transaction(partial(_forget_marks, before=before_ms))


async def _take(tx: Transaction, worker: str, until: int, now_ms: int) -> bool:
    await tx.execute(BEGIN)
    return await tx.execute(TAKE, worker, until, now_ms) > 0


async def _tell(tx: Transaction, after: int, upto: int, events: Sequence[Event], now_ms: int) -> bool:
    await tx.execute(BEGIN)
    if not await tx.execute(TOLD, after, upto):
        return False
    await _write(tx, events, now_ms)
    return True


async def _moves(tx: Transaction, now_ms: int) -> Moves:
    row = await first(tx, TURN)
    as_of = row[1] if row else 0
    if now_ms - as_of < EVERY_MS:
        return Moves(as_of)
    rows = await tx.fetch(MOVED, as_of - OVERLAP_MS)
    return Moves(
        as_of,
        tuple(Moved(DiagramId(id), ThreatModelId(model), Epoch(epoch), *rest) for id, model, epoch, *rest in rows),
    )


async def _tell_moves(tx: Transaction, moves: Moves, events: Sequence[Event], now_ms: int) -> bool:
    await tx.execute(BEGIN)
    if not await tx.execute(EDITS_TOLD, moves.as_of_ms, now_ms):
        return False
    await tx.execute_many(MARK, [(moved.diagram, moved.epoch, moved.vector, now_ms) for moved in moves.moved])
    await _write(tx, events, now_ms)
    return True


async def _write(tx: Transaction, events: Sequence[Event], now_ms: int) -> None:
    if not events:
        return
    reached = await _reached(tx, {event.threat_model_id for event in events})
    rows = []
    for id, model, names, active_at in await tx.fetch(HEARERS):
        heard = set(columns.anything(names))
        for place, event in enumerate(events):
            about = event.type in heard and model in (None, event.threat_model_id)
            if about and event.at_ms >= active_at and (id, event.threat_model_id) in reached:
                name = str(uuid.uuid5(uuid.UUID(id), event.key))
                rows.append((name, id, event.type, event.threat_model_id, event.body, place, now_ms))
    await tx.execute_many(ADD, rows)


async def _reached(tx: Transaction, models: Iterable[str]) -> set[tuple[str, str]]:
    """Subscription and threat model, where the one may hear of the other."""
    return {(id, model) for id, model in await tx.fetch(REACH, sorted(models))}


async def _claim(tx: Transaction, most: int, until: int, now_ms: int) -> list[Attempt]:
    claimed: list[tuple[str, Row]] = []
    for (id,) in await tx.fetch(FREE, now_ms, most):
        if not await tx.execute(HOLD, id, until, now_ms):
            continue
        row = await first(tx, OLDEST, id, now_ms)
        if row is None:
            await tx.execute(LET_GO, id, until)
            continue
        await tx.execute(BEGUN, row[0], until)
        claimed.append((id, row))
    reached = await _reached(tx, {row[4] for _, row in claimed})
    found = f"SELECT {COLUMNS} FROM webhook_subscription s WHERE s.id = ANY($1)"
    rows = {row[0]: row for row in await tx.fetch(found, [id for id, _ in claimed])}
    return [
        Attempt(
            delivery=DeliveryId(delivery),
            number=attempts + 1,
            subscription=subscription(rows[id]),
            event_type=event_type,
            body=body,
            readable=(id, model) in reached,
            until_ms=until,
        )
        for id, (delivery, attempts, event_type, body, model) in claimed
    ]


async def _settled(tx: Transaction, attempt: Attempt, sql: str, *values: str | int) -> None:
    await tx.execute(LET_GO, attempt.subscription.id, attempt.until_ms)
    await tx.execute(sql, *values)


async def _challenge(tx: Transaction, most: int, until: int, now_ms: int) -> list[Challenge]:
    found = []
    for row in await tx.fetch(UNASKED, now_ms, most):
        *said, challenges = row
        asked = subscription(said)
        if await tx.execute(HOLD, asked.id, until, now_ms):
            await tx.execute(ASKED, asked.id, until)
            found.append(Challenge(asked, challenges + 1, until))
    return found


async def _verify(tx: Transaction, id: str, now_ms: int) -> None:
    """The first one that hears begins here: what happened before was told to nobody, and would be looked for first."""
    await tx.alone(NAME)
    await tx.execute(BEGIN)
    hear = [columns.anything(names) for _, _, names, _ in await tx.fetch(HEARERS)]
    if not hear:
        await tx.execute(CHANGES_FROM_HERE)
    if not any(UPDATED in names for names in hear):
        await tx.execute(EDITS_FROM_HERE, now_ms)
    await tx.execute(VERIFIED, id, now_ms)


async def _forget(tx: Transaction, sql: str, before: int) -> int:
    return await tx.execute(sql, before, PIECE)


async def _forget_marks(tx: Transaction, before: int) -> int:
    return sum([await tx.execute(sql, before) for sql in MARKS])
