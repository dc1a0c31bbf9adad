"""What the store owes to webhooks, `rest.webhooks.ports` sentence by sentence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.values import DiagramId, Role, ThreatModelId, User
from rest.ports import Entry, Page
from rest.webhooks.events import of_move
from rest.webhooks.ports import (
    EVERY_MS,
    Attempt,
    DeliveryStatus,
    Event,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
    Wanted,
)
from storage.outbox import SqlOutbox
from storage.trail import SqlTrail
from storage.webhooks import SqlSubscriptions
from tests.contracts.models import group_entry, model, user_entry
from tests.contracts.worlds import ANA, BO, CY, MODEL, D, SqlWorld, caller, grow

PAGE = Page()
HOLD_MS = 20_000
MOST = 3


class HookWorld:
    """A store with the threat model `MODEL` of ANA."""

    def __init__(self, world: SqlWorld) -> None:
        self.store = world
        self.clock = world.clock
        self.subscriptions = SqlSubscriptions(world.database, world.clock)
        self.outbox = SqlOutbox(world.database, world.clock)
        self.trail = SqlTrail(world.database)

    async def share(self, *entries: Entry) -> None:
        found = await self.store.models.read(MODEL)
        assert found is not None
        await self.store.models.change(msgspec.structs.replace(found, entries=entries))

    async def active(self, *new: Subscription) -> None:
        for one in new:
            assert await self.subscriptions.subscribe(one, MOST) is not None
        for asked in await self.outbox.challenges(10, HOLD_MS):
            await self.outbox.verified(asked)

    async def tell(self, *events: Event) -> None:
        after = await self.outbox.told()
        assert await self.outbox.tell(after, after + 1, events)

    async def told(self, owner: User = ANA) -> list[str]:
        """Which events became deliveries."""
        found, total = await self.subscriptions.deliveries(owner.id, None, PAGE)
        assert total == len(found)
        return sorted(delivery.event_type for delivery in found)

    async def claimed(self, most: int = 10) -> list[Attempt]:
        return list(await self.outbox.claim(most, HOLD_MS))


def hook(n: int = 1, owner: User = ANA, *groups: str, **more: Any) -> Subscription:
    values: dict[str, Any] = {
        "id": SubscriptionId(f"00000000-0000-4000-8000-{n:012d}"),
        "owner": caller(owner, *groups),
        "name": f"hook {n}",
        "url": "https://hooks.example.org/codraw",
        "events": ("threat.created", "threat.updated", "threat_model.deleted"),
        "sealed_secret": f"sealed {n}",
    }
    return Subscription(**(values | more))


class WebhooksContract:
    """A subclass gives the fixture `world`."""

    @pytest.fixture
    async def hooks(self, world: SqlWorld) -> HookWorld:
        await world.models.create(model(MODEL, ANA))
        return HookWorld(world)

    def event(self, hooks: HookWorld, n: int = 1, **more: Any) -> Event:
        values = {"key": f"change {n}", "type": "threat.created", "threat_model_id": MODEL, "at_ms": hooks.clock.ms}
        return Event(**(values | {"body": f'{{"n":{n}}}'} | more))

    # subscriptions

    async def test_a_subscription_is_read_back_whole_by_its_owner_alone(self, hooks: HookWorld) -> None:
        new = hook(1, ANA, "staff", "all", threat_model_id=MODEL)
        made = await hooks.subscriptions.subscribe(new, MOST)
        now_ms = hooks.clock.ms
        assert made == msgspec.structs.replace(new, created_at_ms=now_ms, modified_at_ms=now_ms)
        assert await hooks.subscriptions.subscription(ANA.id, new.id) == made
        assert await hooks.subscriptions.subscription(BO.id, new.id) is None
        assert await hooks.subscriptions.subscriptions(ANA.id, PAGE) == ([made], 1)
        assert await hooks.subscriptions.subscriptions(BO.id, PAGE) == ([], 0)

    async def test_a_user_has_so_many_and_no_more(self, hooks: HookWorld) -> None:
        assert [await hooks.subscriptions.subscribe(hook(n), 2) is not None for n in (1, 2, 3)] == [True, True, False]
        assert await hooks.subscriptions.subscribe(hook(4, BO), 2) is not None

    async def test_they_are_listed_in_the_order_that_is_asked_for(self, hooks: HookWorld) -> None:
        for n, name in enumerate(("b", "A", "c"), 1):
            await hooks.subscriptions.subscribe(hook(n, name=name), MOST)
            hooks.clock.turn(1)
        found, total = await hooks.subscriptions.subscriptions(ANA.id, Page(2, 0, "name"))
        assert ([one.name for one in found], total) == (["A", "b"], 3)
        found, _ = await hooks.subscriptions.subscriptions(ANA.id, Page(descending=True))
        assert [one.name for one in found] == ["c", "A", "b"]

    async def test_who_unsubscribes_hears_and_sees_nothing_more(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        await hooks.tell(self.event(hooks))
        assert not await hooks.subscriptions.unsubscribe(BO.id, hook().id)
        assert await hooks.subscriptions.unsubscribe(ANA.id, hook().id)
        assert not await hooks.subscriptions.unsubscribe(ANA.id, hook().id)
        assert await hooks.told() == []
        assert await hooks.claimed() == []
        assert await hooks.outbox.wanted() == Wanted()

    # challenges

    async def test_RE19_a_subscription_is_asked_at_once_and_by_one(self, hooks: HookWorld) -> None:
        await hooks.subscriptions.subscribe(hook(), MOST)
        (asked,) = await hooks.outbox.challenges(10, HOLD_MS)
        assert (asked.subscription.id, asked.number) == (hook().id, 1)
        assert await hooks.outbox.challenges(10, HOLD_MS) == ()

    async def test_RE19_who_dies_over_a_challenge_is_followed_by_another(self, hooks: HookWorld) -> None:
        await hooks.subscriptions.subscribe(hook(), MOST)
        await hooks.outbox.challenges(10, HOLD_MS)
        hooks.clock.turn(HOLD_MS / 1000)
        (asked,) = await hooks.outbox.challenges(10, HOLD_MS)
        assert asked.number == 2

    async def test_RE19_a_challenge_that_was_not_met_comes_again_or_was_the_last(self, hooks: HookWorld) -> None:
        await hooks.subscriptions.subscribe(hook(), MOST)
        (asked,) = await hooks.outbox.challenges(10, HOLD_MS)
        await hooks.outbox.not_verified(asked, "status 500", 5_000)
        assert await hooks.outbox.challenges(10, HOLD_MS) == ()
        hooks.clock.turn(5)
        (asked,) = await hooks.outbox.challenges(10, HOLD_MS)
        await hooks.outbox.not_verified(asked, "status 501", None)
        found = await hooks.subscriptions.subscription(ANA.id, hook().id)
        assert found is not None
        assert (found.status, found.last_error) == (SubscriptionStatus.FAILED, "status 501")
        hooks.clock.turn(3_600)
        assert await hooks.outbox.challenges(10, HOLD_MS) == ()
        assert await hooks.outbox.wanted() == Wanted(any=True)

    async def test_RE19_nothing_is_told_to_one_that_is_not_active(self, hooks: HookWorld) -> None:
        await hooks.active(hook(1))
        await hooks.subscriptions.subscribe(hook(2), MOST)
        await hooks.tell(self.event(hooks))
        assert await hooks.told() == ["threat.created"]

    async def test_RE19_what_happened_before_it_was_active_is_not_told(self, hooks: HookWorld) -> None:
        await hooks.active(hook(1, ANA))
        before = self.event(hooks, 1)
        hooks.clock.turn(1)
        await hooks.active(hook(2, ANA))
        await hooks.tell(before, self.event(hooks, 2))
        found, _ = await hooks.subscriptions.deliveries(ANA.id, hook(2).id, PAGE)
        assert len(found) == 1
        assert len((await hooks.subscriptions.deliveries(ANA.id, hook(1).id, PAGE))[0]) == 2

    async def test_the_first_that_hears_begins_where_the_trail_stands(self, hooks: HookWorld) -> None:
        assert await hooks.outbox.told() == 0
        await hooks.active(hook(1))
        told = await hooks.outbox.told()
        assert told == await hooks.trail.newest() > 0
        await hooks.share(user_entry(BO, Role.READER))
        await hooks.active(hook(2))
        assert await hooks.outbox.told() == told

    # telling

    async def test_each_event_is_told_to_those_who_asked_for_it(self, hooks: HookWorld) -> None:
        other = ThreatModelId("other")
        await hooks.store.models.create(model(other, ANA))
        await hooks.active(hook(1), hook(2, threat_model_id=MODEL), hook(3, threat_model_id=other))
        await hooks.tell(self.event(hooks, 1), self.event(hooks, 2, type="diagram.created"))
        assert await hooks.told() == ["threat.created", "threat.created"]

    async def test_what_was_told_is_not_told_again(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        after = await hooks.outbox.told()
        assert await hooks.outbox.tell(after, after + 5, [self.event(hooks)])
        assert not await hooks.outbox.tell(after, after + 5, [self.event(hooks, 2)])
        assert await hooks.outbox.tell(after + 5, after + 6, [self.event(hooks)])
        assert await hooks.told() == ["threat.created"]
        assert await hooks.outbox.told() == after + 6

    @pytest.mark.parametrize(
        ("entries", "groups", "hears"),
        [
            ((), (), False),
            ((user_entry(BO, Role.READER),), (), True),
            ((user_entry(CY, Role.READER),), (), False),
            ((group_entry("staff", Role.READER),), ("staff",), True),
            ((group_entry("staff", Role.READER, "test"),), ("staff",), True),
            ((group_entry("staff", Role.READER, "other"),), ("staff",), False),
            ((group_entry("staff", Role.READER),), (), False),
            ((group_entry("everyone", Role.READER),), (), True),
        ],
    )
    async def test_only_of_what_the_owner_may_read(
        self, hooks: HookWorld, entries: tuple[Entry, ...], groups: tuple[str, ...], hears: bool
    ) -> None:
        await hooks.share(*entries)
        await hooks.active(hook(1, BO, *groups))
        await hooks.tell(self.event(hooks))
        assert await hooks.told(BO) == (["threat.created"] if hears else [])

    async def test_rights_that_went_before_the_attempt_are_seen(self, hooks: HookWorld) -> None:
        await hooks.share(user_entry(BO, Role.READER))
        await hooks.active(hook(1, BO))
        await hooks.tell(self.event(hooks))
        await hooks.share()
        (attempt,) = await hooks.claimed()
        assert not attempt.readable

    async def test_the_owner_who_is_locked_out_hears_nothing(self, hooks: HookWorld) -> None:
        await hooks.store.accounts.remember(caller(ANA))
        await hooks.active(hook())
        await hooks.tell(self.event(hooks))
        await hooks.store.accounts.disable(ANA.provider, ANA.provider_id)
        await hooks.tell(self.event(hooks, 2))
        assert await hooks.told() == ["threat.created"]
        (attempt,) = await hooks.claimed()
        assert not attempt.readable

    async def test_the_end_of_a_threat_model_is_told_to_those_who_could_read_it(self, hooks: HookWorld) -> None:
        await hooks.share(user_entry(BO, Role.READER))
        await hooks.active(hook(1), hook(2, BO, threat_model_id=MODEL), hook(3, CY))
        await hooks.tell(self.event(hooks, 1))
        await hooks.store.models.delete(MODEL)
        await hooks.tell(self.event(hooks, 2, type="threat_model.deleted"))
        assert await hooks.told(ANA) == await hooks.told(BO) == ["threat.created", "threat_model.deleted"]
        assert await hooks.told(CY) == []
        attempts = await hooks.claimed()
        assert [attempt.readable for attempt in attempts] == [True, True]

    # edits

    async def moved(self, hooks: HookWorld) -> list[tuple[str, int]]:
        """What is told now."""
        moves = await hooks.outbox.moves()
        events = [of_move(one) for one in moves.moved]
        if moves.moved:
            assert await hooks.outbox.tell_moves(moves, events)
            assert not await hooks.outbox.tell_moves(moves, events)
        return [(one.diagram, one.vector) for one in moves.moved]

    async def test_edits_are_told_once_in_five_seconds_and_none_is_lost(self, hooks: HookWorld) -> None:
        await hooks.store.add(D)
        await hooks.active(hook(events=("diagram.updated",)))
        assert (await hooks.outbox.wanted()).edits
        hooks.clock.turn(EVERY_MS / 1000)
        assert await self.moved(hooks) == []
        await grow(hooks.store, 3)
        assert await self.moved(hooks) == [(D, 3)]
        await grow(hooks.store, 1)
        assert await self.moved(hooks) == []
        hooks.clock.turn(EVERY_MS / 1000)
        assert await self.moved(hooks) == [(D, 4)]
        hooks.clock.turn(EVERY_MS / 1000)
        assert await self.moved(hooks) == []
        assert await hooks.told() == ["diagram.updated"] * 2

    async def test_edits_of_a_time_when_nobody_told_are_told_afterwards(self, hooks: HookWorld) -> None:
        for name in ("d1", "d2", "d3"):
            await hooks.store.add(DiagramId(name))
        await hooks.active(hook(events=("diagram.updated",)))
        hooks.clock.turn(60)
        await grow(hooks.store, 1, DiagramId("d1"))
        await grow(hooks.store, 1, DiagramId("d3"))
        hooks.clock.turn(3_600)
        await grow(hooks.store, 2, DiagramId("d2"))
        await hooks.store.models.delete_diagram(DiagramId("d3"))
        assert await self.moved(hooks) == [("d1", 1), ("d2", 2)]

    async def test_RE19_edits_from_before_it_was_active_are_not_told(self, hooks: HookWorld) -> None:
        await hooks.store.add(D)
        await hooks.active(hook(1))
        hooks.clock.turn(3_600)
        await grow(hooks.store, 1)
        hooks.clock.turn(1)
        await hooks.active(hook(2, events=("diagram.updated",)))
        hooks.clock.turn(EVERY_MS / 1000)
        await self.moved(hooks)
        assert await hooks.told() == []
        await grow(hooks.store, 1)
        hooks.clock.turn(EVERY_MS / 1000)
        assert await self.moved(hooks) == [(D, 2)]
        assert await hooks.told() == ["diagram.updated"]

    async def test_edits_of_long_ago_are_not_looked_for(self, hooks: HookWorld) -> None:
        await hooks.store.add(D)
        await grow(hooks.store, 1)
        hooks.clock.turn(3_600)
        await hooks.active(hook(events=("diagram.updated",)))
        hooks.clock.turn(EVERY_MS / 1000)
        assert (await hooks.outbox.moves()).moved == ()

    # deliveries

    async def test_a_subscription_has_one_delivery_under_way(self, hooks: HookWorld) -> None:
        await hooks.active(hook(1), hook(2))
        await hooks.tell(self.event(hooks, 1), self.event(hooks, 2, type="threat.updated"))
        first = await hooks.claimed()
        assert sorted((a.subscription.id, a.event_type, a.number) for a in first) == [
            (hook(1).id, "threat.created", 1),
            (hook(2).id, "threat.created", 1),
        ]
        assert [(a.body, a.readable) for a in first] == [('{"n":1}', True)] * 2
        assert await hooks.claimed() == []
        await hooks.outbox.delivered(first[0])
        (second,) = await hooks.claimed()
        assert (second.subscription.id, second.event_type) == (first[0].subscription.id, "threat.updated")

    async def test_no_more_are_claimed_than_there_is_room_for(self, hooks: HookWorld) -> None:
        await hooks.active(hook(1), hook(2), hook(3))
        await hooks.tell(self.event(hooks))
        assert [len(await hooks.claimed(2)) for _ in range(3)] == [2, 1, 0]

    async def test_one_that_was_delivered_says_so(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        await hooks.tell(self.event(hooks))
        (attempt,) = await hooks.claimed()
        hooks.clock.turn(1)
        await hooks.outbox.delivered(attempt)
        found = await hooks.subscriptions.delivery(ANA.id, attempt.delivery)
        assert found is not None
        assert (found.status, found.attempts) == (DeliveryStatus.DELIVERED, 1)
        assert found.delivered_at_ms == found.created_at_ms + 1_000 == hooks.clock.ms
        assert await hooks.subscriptions.delivery(BO.id, attempt.delivery) is None
        assert await hooks.claimed() == []

    async def test_RE19_another_attempt_has_the_same_id(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        await hooks.tell(self.event(hooks))
        (first,) = await hooks.claimed()
        await hooks.outbox.not_delivered(first, "status 500", 10_000)
        found = await hooks.subscriptions.delivery(ANA.id, first.delivery)
        assert found is not None
        assert (found.status, found.attempts, found.last_error) == (DeliveryStatus.PENDING, 1, "status 500")
        assert await hooks.claimed() == []
        hooks.clock.turn(10)
        (second,) = await hooks.claimed()
        assert (second.delivery, second.number, second.body) == (first.delivery, 2, first.body)
        await hooks.outbox.not_delivered(second, "status 501", None)
        found = await hooks.subscriptions.delivery(ANA.id, first.delivery)
        assert found is not None
        assert (found.status, found.attempts, found.last_error) == (DeliveryStatus.FAILED, 2, "status 501")
        hooks.clock.turn(86_400)
        assert await hooks.claimed() == []

    async def test_one_that_waits_for_another_attempt_holds_up_no_other(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        await hooks.tell(self.event(hooks, 1), self.event(hooks, 2))
        (first,) = await hooks.claimed()
        await hooks.outbox.not_delivered(first, "status 500", 10_000)
        (second,) = await hooks.claimed()
        assert second.delivery != first.delivery

    async def test_who_dies_over_a_delivery_is_followed_by_another(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        await hooks.tell(self.event(hooks))
        (first,) = await hooks.claimed()
        hooks.clock.turn(HOLD_MS / 1000)
        (second,) = await hooks.claimed()
        assert (second.delivery, second.number) == (first.delivery, 2)
        # the one who was taken for dead comes late: what it has to say of its own attempt changes nothing
        await hooks.outbox.not_delivered(first, "too late", None)
        assert await hooks.claimed() == []
        await hooks.outbox.delivered(second)
        found = await hooks.subscriptions.delivery(ANA.id, first.delivery)
        assert found is not None
        assert (found.status, found.attempts, found.last_error) == (DeliveryStatus.DELIVERED, 2, None)

    async def test_a_replay_begins_anew_under_the_same_id(self, hooks: HookWorld) -> None:
        await hooks.active(hook())
        await hooks.tell(self.event(hooks))
        (attempt,) = await hooks.claimed()
        await hooks.outbox.not_delivered(attempt, "status 500", None)
        assert await hooks.subscriptions.replay(BO.id, attempt.delivery) is None
        again = await hooks.subscriptions.replay(ANA.id, attempt.delivery)
        assert again is not None
        assert (again.status, again.attempts, again.last_error) == (DeliveryStatus.PENDING, 0, None)
        (second,) = await hooks.claimed()
        assert (second.delivery, second.number) == (attempt.delivery, 1)

    async def test_deliveries_are_listed_by_subscription(self, hooks: HookWorld) -> None:
        await hooks.active(hook(1), hook(2))
        for n in (1, 2):
            await hooks.tell(self.event(hooks, n))
            hooks.clock.turn(1)
        found, total = await hooks.subscriptions.deliveries(ANA.id, hook(2).id, Page(1, 0, descending=True))
        assert (len(found), total, found[0].created_at_ms) == (1, 2, hooks.clock.ms - 1_000)
        assert await hooks.subscriptions.deliveries(BO.id, hook(2).id, PAGE) == ([], 0)

    # the rest

    async def test_one_worker_has_the_turn_and_keeps_it(self, hooks: HookWorld) -> None:
        assert await hooks.outbox.take_turn("w1", 15_000)
        assert not await hooks.outbox.take_turn("w2", 15_000)
        hooks.clock.turn(14)
        assert await hooks.outbox.take_turn("w1", 15_000)
        hooks.clock.turn(14)
        assert not await hooks.outbox.take_turn("w2", 15_000)
        hooks.clock.turn(1)
        assert await hooks.outbox.take_turn("w2", 15_000)
        assert not await hooks.outbox.take_turn("w1", 15_000)

    async def test_what_is_old_or_nobodys_is_forgotten(self, hooks: HookWorld) -> None:
        await hooks.active(hook(1), hook(2))
        await hooks.tell(self.event(hooks, 1))
        await hooks.subscriptions.unsubscribe(ANA.id, hook(2).id)
        assert await hooks.outbox.forget(hooks.clock.ms) == 0
        hooks.clock.turn(61)
        assert await hooks.outbox.forget(hooks.clock.ms - 120_000) == 1
        await hooks.tell(self.event(hooks, 2))
        assert await hooks.outbox.forget(hooks.clock.ms) == 1
        assert await hooks.told() == ["threat.created"]
