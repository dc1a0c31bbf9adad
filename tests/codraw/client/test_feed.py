"""Iterators of events: in order, bounded, never in the way."""

from __future__ import annotations

import asyncio

from codraw.client import Changed, Event, Held, HeldOperation, HistoryChanged, Lagged, StatusChanged, Subscription
from codraw.client.feed import compacted
from tests.support.turns import turns


def changed(*ids: str) -> Changed:
    return Changed(frozenset(ids))


async def rest(subscription: Subscription[Event]) -> list[Event]:
    subscription.end()
    return [event async for event in subscription]


async def test_events_come_in_their_order() -> None:
    subscription: Subscription[Event] = Subscription()
    events = [changed("a"), HistoryChanged(1, 0), changed("b")]
    for event in events:
        subscription.tell(event)
    assert await rest(subscription) == events


async def test_one_who_waits_is_woken() -> None:
    subscription: Subscription[Event] = Subscription()
    waiting = asyncio.create_task(anext(subscription))
    await turns()
    subscription.tell(changed("a"))
    assert await waiting == changed("a")


async def test_only_the_kinds_asked_for() -> None:
    subscription: Subscription[Event] = Subscription((HistoryChanged,))
    subscription.tell(changed("a"))
    subscription.tell(HistoryChanged(1, 0))
    assert await rest(subscription) == [HistoryChanged(1, 0)]


async def test_I28_a_slow_iterator_keeps_the_newest_of_each_kind_and_all_changed_ids() -> None:
    subscription: Subscription[Event] = Subscription(capacity=10)
    for number in range(1_000):
        subscription.tell(changed(str(number)))
        subscription.tell(HistoryChanged(number, 0))
    events = await rest(subscription)
    assert len(events) <= 10
    ids = frozenset().union(*(event.ids for event in events if isinstance(event, Changed)))
    assert ids == {str(number) for number in range(1_000)}
    assert events[-1] == HistoryChanged(999, 0)
    assert sum(event.merged for event in events if isinstance(event, Lagged)) + len(events) - 1 >= 1_990


def test_merged_changes_say_whether_all_must_be_looked_at() -> None:
    waiting = [changed("a"), Changed(frozenset("b"), is_reset=True), StatusChanged("live", 0), changed("c")]
    assert compacted(waiting) == [Lagged(4), StatusChanged("live", 0), Changed(frozenset("abc"), is_reset=True)]


def test_what_was_merged_before_is_counted_again() -> None:
    assert compacted([Lagged(5), changed("a")]) == [Lagged(6), changed("a")]


async def test_who_asks_for_some_kinds_gets_no_others_however_slow() -> None:
    plain: Subscription[Changed] = Subscription((Changed,), capacity=10)
    curious: Subscription[Changed | Lagged] = Subscription((Changed, Lagged), capacity=10)
    for number in range(100):
        for one in (plain, curious):
            one.tell(changed(str(number)))
    assert {type(event) for event in await rest(plain)} == {Changed}
    assert {type(event) for event in await rest(curious)} == {Changed, Lagged}


def test_I29_what_is_handed_back_is_not_merged_away() -> None:
    first, second = (HeldOperation(id, "edit", (), was_sent=True) for id in "ab")
    assert compacted([Held([first]), Held([second])]) == [Lagged(2), Held([first, second])]
