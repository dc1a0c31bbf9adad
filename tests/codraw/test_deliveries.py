"""Webhooks by themselves: from a change to the receiver, over refusals, deaths and lost rights. The clock is turned by
hand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from codraw.deliveries import AGAIN_S, HOLD_MS, TURN_MS, Deliveries, Pace
from collab.ports import StoreUnavailable
from collab.tasks import Tasks
from protocol.values import DiagramId, Role
from rest.ports import Cause, Door, Item, ItemId, ItemKind
from rest.webhooks.addresses import LOOPBACK, Policy
from rest.webhooks.delivery import Sender
from rest.webhooks.events import of_change
from rest.webhooks.ports import EVERY_MS, Delivery, DeliveryStatus, Subscription, SubscriptionStatus
from storage.migrations.migrate import migrate
from storage.sqlite import SqliteDatabase
from tests.contracts.models import model, user_entry
from tests.contracts.webhooks import MOST, PAGE, HookWorld, hook
from tests.contracts.worlds import ANA, BO, MODEL, D, SqlWorld, grow
from tests.support.receiver import Received, Receiver, answer, receiving, willing
from tests.support.turns import turns, until

SECRET = "your-webhook-secret"
ROUND_S = 70.0
"""Longer than any pause between two challenges."""


class Scene:
    """A store with a threat model of ANA, a receiver, and one worker's deliveries."""

    def __init__(self, world: HookWorld, receiver: Receiver) -> None:
        self.world = world
        self.clock = world.clock
        self.receiver = receiver
        self.tasks: list[Tasks] = []
        self.crashes: list[BaseException] = []
        self.here = self.worker("w1")

    def worker(self, name: str, at_once: int = 10) -> Deliveries:
        tasks = Tasks(lambda _, error: self.crashes.append(error))
        self.tasks.append(tasks)
        return Deliveries(
            outbox=self.world.outbox,
            trail=self.world.trail,
            sender=Sender(Policy(http=True, allowed=LOOPBACK), "codraw/1.2.3", no_names),
            open_secret=lambda sealed: None if sealed == "lost" else SECRET,
            tasks=tasks,
            now_ms=self.clock,
            pace=Pace(name, at_once),
        )

    async def look(self, worker: Deliveries | None = None) -> None:
        """One round, and all that comes of it."""
        await (worker or self.here).look()
        await until(lambda: not any(self.tasks))
        assert self.crashes == []

    async def subscribe(self, *new: Subscription) -> None:
        for one in new:
            assert await self.world.subscriptions.subscribe(one, MOST) is not None

    async def active(self, *new: Subscription) -> None:
        await self.subscribe(*new)
        await self.look()
        assert {await self.status(one) for one in new} == {SubscriptionStatus.ACTIVE}

    async def status(self, one: Subscription) -> SubscriptionStatus:
        found = await self.world.subscriptions.subscription(one.owner.id, one.id)
        assert found is not None
        return found.status

    async def threat(self, n: int = 1) -> None:
        item = Item(ItemId(f"t{n}"), MODEL, 0, 0, {"name": f"Threat {n}"}, {})
        await self.world.store.models.create_items(ItemKind.THREAT, [item], Cause(ANA, Door.REST))

    async def deliveries(self) -> list[Delivery]:
        return list((await self.world.subscriptions.deliveries(ANA.id, None, PAGE))[0])

    async def the_one(self) -> Delivery:
        (found,) = await self.deliveries()
        return found

    def hook(self, n: int = 1, **more: object) -> Subscription:
        return hook(n, **({"url": self.receiver.url} | more))


async def no_names(host: str, port: int) -> list[str]:
    raise OSError("no name is known")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with standing(tmp_path) as made:
        yield made


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Scene]:
    database = SqliteDatabase(folder / "codraw.db")
    await migrate(database)
    world = SqlWorld(database)
    await world.models.create(model(MODEL, ANA))
    async with receiving() as receiver:
        made = Scene(HookWorld(world), receiver)
        yield made
        for tasks in made.tasks:
            await tasks.close()
    await database.close()


def refusing(received: Received) -> bytes:
    return willing(received) if received.event == "webhook.challenge" else answer(500)


# challenges -----------------------------------------------------------------------------------------------------------


async def test_RE19_whoever_repeats_the_challenge_is_active(scene: Scene) -> None:
    await scene.active(scene.hook())
    (asked,) = scene.receiver.received
    assert asked.json == {"type": "webhook.challenge", "challenge": asked.json["challenge"]}
    assert len(asked.json["challenge"]) == 64
    assert asked.headers["x-webhook-subscription-id"] == scene.hook().id
    assert asked.headers["x-webhook-signature"] == f"sha256={signature(asked.body)}"


def signature(body: str) -> str:
    return hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()


def parroting(status: int, **changed: object) -> object:
    def then(received: Received) -> bytes:
        return answer(status, json.dumps({"challenge": received.json["challenge"], **changed}).encode())

    return then


@pytest.mark.parametrize(
    "then",
    [
        lambda _: answer(200),
        lambda _: answer(200, b"{"),
        lambda _: answer(200, b"[1]"),
        lambda _: answer(200, b"[" * 60_000),
        lambda received: answer(200, json.dumps([received.json]).encode()),
        lambda received: answer(200, received.json["challenge"].encode()),
        lambda received: answer(200, b'{"challenge":"%s"}' % (b"0" * 64)),
        parroting(200, challenge=None),
        parroting(201),
        parroting(404),
        lambda _: answer(302, location="/"),
        lambda _: b"",
    ],
)
async def test_RE19_three_challenges_that_were_not_met_are_the_end(scene: Scene, then: object) -> None:
    scene.receiver.then = then  # type: ignore[assignment]
    await scene.subscribe(scene.hook())
    for _ in range(3):
        assert await scene.status(scene.hook()) is SubscriptionStatus.PENDING
        await scene.look()
        await scene.look()
        scene.clock.turn(ROUND_S + 10)
    assert await scene.status(scene.hook()) is SubscriptionStatus.FAILED
    assert len({asked.json["challenge"] for asked in scene.receiver.received}) == len(scene.receiver.received) == 3
    found = await scene.world.subscriptions.subscription(ANA.id, scene.hook().id)
    assert found is not None and found.last_error


async def test_RE19_a_challenge_met_at_last_will_do(scene: Scene) -> None:
    scene.receiver.then = lambda _: answer(503)
    await scene.subscribe(scene.hook())
    await scene.look()
    scene.receiver.then = willing
    scene.clock.turn(ROUND_S)
    await scene.look()
    assert await scene.status(scene.hook()) is SubscriptionStatus.ACTIVE


async def test_RE19_nothing_is_delivered_before_it_is_active(scene: Scene) -> None:
    scene.receiver.then = lambda _: answer(503)
    await scene.subscribe(scene.hook())
    await scene.threat(1)
    await scene.look()
    scene.receiver.then = willing
    scene.clock.turn(ROUND_S)
    await scene.threat(2)
    await scene.look()
    scene.clock.turn(1)
    await scene.threat(3)
    await scene.look()
    assert [one.json["object_id"] for one in scene.receiver.events] == ["t3"]


# deliveries -----------------------------------------------------------------------------------------------------------


async def test_a_change_reaches_the_receiver(scene: Scene) -> None:
    await scene.active(scene.hook())
    await scene.threat()
    await scene.look()
    (received,) = scene.receiver.events
    delivery = await scene.the_one()
    assert received.path == "/hook"
    assert received.json["event_type"] == received.event == "threat.created"
    assert (received.json["threat_model_id"], received.json["object_id"]) == (MODEL, "t1")
    assert received.json["data"]["by"]["provider_id"] == "ana"
    assert received.delivery == received.headers["webhook-id"] == delivery.id
    assert received.headers["x-webhook-subscription-id"] == scene.hook().id
    assert received.headers["user-agent"] == "codraw/1.2.3"
    assert received.headers["webhook-timestamp"] == str(scene.clock.ms // 1_000)
    assert received.headers["x-webhook-signature"] == f"sha256={signature(received.body)}"
    assert (delivery.status, delivery.attempts, delivery.delivered_at_ms) == (
        DeliveryStatus.DELIVERED,
        1,
        scene.clock.ms,
    )
    await scene.look()
    assert len(scene.receiver.events) == 1


async def test_RE19_there_are_six_attempts_in_about_an_hour_under_one_id(scene: Scene) -> None:
    await scene.active(scene.hook())
    scene.receiver.then = refusing
    await scene.threat()
    await scene.look()
    began_ms = scene.clock.ms
    while (await scene.the_one()).status is DeliveryStatus.PENDING:
        scene.clock.turn(20)
        await scene.look()
    assert {received.delivery for received in scene.receiver.events} == {(await scene.the_one()).id}
    assert len(scene.receiver.events) == 6
    minutes = (scene.clock.ms - began_ms) / 60_000
    assert 45 < minutes < 80
    assert sum(AGAIN_S) == 3_670
    assert (await scene.the_one()).last_error == "status 500"


async def test_who_takes_it_in_the_end_has_it_once(scene: Scene) -> None:
    await scene.active(scene.hook())
    scene.receiver.then = refusing
    await scene.threat()
    await scene.look()
    scene.receiver.then = willing
    scene.clock.turn(AGAIN_S[0] * 2)
    await scene.look()
    delivery = await scene.the_one()
    assert (delivery.status, delivery.attempts, delivery.last_error) == (DeliveryStatus.DELIVERED, 2, None)
    first, second = scene.receiver.events
    assert (first.delivery, first.body) == (second.delivery, second.body)


@pytest.mark.parametrize(("asked", "waits_s"), [("120", 120), ("1", 8), ("99999", 3_600)])
async def test_it_comes_again_when_it_was_asked_to_within_bounds(scene: Scene, asked: str, waits_s: int) -> None:
    await scene.active(scene.hook())
    scene.receiver.then = lambda _: answer(429, retry_after=asked)
    await scene.threat()
    await scene.look()
    scene.clock.turn(waits_s - 1)
    await scene.look()
    assert len(scene.receiver.events) == 1
    scene.clock.turn(5)
    await scene.look()
    assert len(scene.receiver.events) == 2


async def test_a_receiver_that_does_not_answer_holds_up_nobody_else(scene: Scene) -> None:
    async with receiving() as other:
        await scene.active(scene.hook(1), scene.hook(2, url=other.url))
        scene.receiver.then = lambda _: None
        await scene.threat()
        await scene.here.look()
        await other.until(lambda: len(other.events) == 1)
        assert scene.receiver.under_way == 1


async def test_many_for_one_receiver_go_one_after_the_other_and_need_no_look_each(scene: Scene) -> None:
    await scene.active(scene.hook())
    for n in range(12):
        await scene.threat(n)
    await scene.look()
    assert [received.json["object_id"] for received in scene.receiver.events] == [f"t{n}" for n in range(12)]
    assert scene.receiver.most_at_once == 1


async def test_no_more_are_under_way_than_allowed(scene: Scene) -> None:
    await scene.active(*(scene.hook(n) for n in (1, 2, 3)))
    await scene.threat()
    scene.receiver.then = lambda _: None
    await scene.worker("w1", at_once=2).look()
    await scene.receiver.until(lambda: len(scene.receiver.events) == 2)
    await turns()
    assert len(scene.receiver.events) == scene.receiver.under_way == 2


async def test_who_may_not_read_it_any_more_is_not_told(scene: Scene) -> None:
    await scene.world.share(user_entry(BO, Role.READER))
    bos = hook(1, BO, url=scene.receiver.url)
    await scene.active(bos)
    await scene.threat()
    scene.receiver.then = refusing
    await scene.look()
    await scene.world.share()
    scene.clock.turn(60)
    await scene.look()
    assert len(scene.receiver.events) == 1
    (delivery,) = (await scene.world.subscriptions.deliveries(BO.id, None, PAGE))[0]
    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.last_error == "the owner may not read this threat model any more"


async def test_the_end_of_a_threat_model_is_told(scene: Scene) -> None:
    await scene.active(scene.hook(threat_model_id=MODEL))
    await scene.world.store.models.delete(MODEL, Cause(ANA, Door.REST))
    await scene.look()
    assert [received.event for received in scene.receiver.events] == ["threat_model.deleted"]


async def test_edits_are_told_once_in_five_seconds(scene: Scene) -> None:
    await scene.world.store.add(D)
    await scene.active(scene.hook(events=("diagram.updated",)))
    scene.clock.turn(EVERY_MS / 1_000)
    for count in (3, 2, 4):
        await grow(scene.world.store, count)
        await scene.look()
    assert [received.json["data"]["update_vector"] for received in scene.receiver.events] == [3]
    scene.clock.turn(EVERY_MS / 1_000)
    await scene.look()
    assert [received.json["data"]["update_vector"] for received in scene.receiver.events] == [3, 9]
    assert scene.receiver.events[0].json["object_id"] == DiagramId("d")


async def test_a_secret_that_cannot_be_opened_any_more_is_said(scene: Scene) -> None:
    await scene.subscribe(scene.hook(1, sealed_secret="lost"))
    await scene.look()
    found = await scene.world.subscriptions.subscription(ANA.id, scene.hook().id)
    assert found is not None
    assert (found.status, found.last_error) == (
        SubscriptionStatus.FAILED,
        "the server's key has changed: subscribe anew",
    )
    assert scene.receiver.received == []


# who dies on the way --------------------------------------------------------------------------------------------------


async def test_what_was_told_by_one_who_died_is_delivered_by_another(scene: Scene) -> None:
    """Killed between the outbox and the delivery."""
    await scene.active(scene.hook())
    await scene.threat()
    changes = await scene.world.trail.since(await scene.world.outbox.told(), 10)
    await scene.world.tell(*filter(None, map(of_change, changes)))
    other = scene.worker("w2")
    await scene.look(other)
    assert scene.receiver.events == []
    scene.clock.turn(TURN_MS / 1_000)
    await scene.look(other)
    assert len(scene.receiver.events) == 1


async def test_an_attempt_of_one_who_died_is_made_again_under_the_same_id(scene: Scene) -> None:
    await scene.active(scene.hook())
    await scene.threat()
    scene.receiver.then = lambda _: None
    await scene.here.look()
    await scene.receiver.until(lambda: len(scene.receiver.events) == 1)
    await scene.tasks[0].close()
    scene.receiver.then = willing
    other = scene.worker("w2")
    scene.clock.turn(TURN_MS / 1_000)
    await scene.look(other)
    scene.clock.turn(HOLD_MS / 1_000)
    await scene.look(other)
    first, second = scene.receiver.events
    assert first.delivery == second.delivery
    delivery = await scene.the_one()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 2)


async def test_of_two_workers_one_delivers_and_nothing_twice(scene: Scene) -> None:
    await scene.active(scene.hook(1), scene.hook(2))
    other = scene.worker("w2")
    for n in range(5):
        await scene.threat(n)
        await asyncio.gather(scene.here.look(), other.look())
    await scene.look()
    ids = [received.delivery for received in scene.receiver.events]
    assert len(ids) == len(set(ids)) == 10


# by itself ------------------------------------------------------------------------------------------------------------


async def test_without_subscriptions_nothing_is_written(scene: Scene) -> None:
    await scene.threat()
    await scene.look()
    assert list(await scene.world.store.database.fetch("SELECT worker FROM webhook_turn")) == []


async def test_what_was_delivered_is_forgotten_after_its_days(scene: Scene) -> None:
    await scene.active(scene.hook())
    await scene.threat()
    await scene.look()
    scene.clock.turn(6.9 * 86_400)
    await scene.look()
    assert len(await scene.deliveries()) == 1
    scene.clock.turn(0.2 * 86_400)
    await scene.look()
    assert await scene.deliveries() == []


async def test_it_goes_on_when_the_store_was_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await scene.active(scene.hook())
    monkeypatch.setattr("codraw.deliveries.LOOK_S", 0)
    failures = [StoreUnavailable("away"), RuntimeError("a bug")]
    look = scene.here.look

    async def failing() -> None:
        if failures:
            raise failures.pop(0)
        await look()

    monkeypatch.setattr(scene.here, "look", failing)
    running = scene.tasks[0].start("webhooks", scene.here.run())
    await scene.threat()
    await scene.receiver.until(lambda: len(scene.receiver.events) == 1)
    running.cancel()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["the webhooks failed"]
