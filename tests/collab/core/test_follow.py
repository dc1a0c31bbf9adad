"""News of other workers, put in order."""

from __future__ import annotations

from collab.core.follow import HELD_OPERATIONS, Held
from protocol.operations import LoggedOperation
from tests.support.script import FOUNDED, change, logged


def news(*vectors: int) -> list[LoggedOperation]:
    template = logged(FOUNDED, "bo", "b1", change("n1", x=1))
    return [
        LoggedOperation(
            vector,
            template.operation_id,
            template.user,
            template.kind,
            template.effect,
            template.inverse,
            template.state_hash,
            template.at_ms,
        )
        for vector in vectors
    ]


def vectors_taken(held: Held, vector: int) -> list[int]:
    taken = []
    while held.take(vector + 1) is not None:
        vector += 1
        taken.append(vector)
    return taken


def test_I8_news_is_taken_in_the_order_of_its_vectors() -> None:
    held = Held()
    held.offer(news(3), 0)
    held.offer(news(1, 2), 0)
    assert vectors_taken(held, 0) == [1, 2, 3]


def test_I4_news_that_was_heard_before_is_not_held() -> None:
    held = Held()
    held.offer(news(1, 2), 2)
    assert vectors_taken(held, 0) == []


def test_I4_the_same_news_twice_is_taken_once() -> None:
    held = Held()
    held.offer(news(1), 0)
    held.offer(news(1), 0)
    assert vectors_taken(held, 0) == [1]


def test_a_gap_is_noticed_where_the_next_one_is_missing() -> None:
    held = Held()
    held.offer(news(2), 0)
    assert held.gap(0)
    held.offer(news(1), 0)
    assert not held.gap(0)


def test_what_has_been_overtaken_is_forgotten() -> None:
    held = Held()
    held.offer(news(2, 4), 0)
    held.forget(2)
    assert held.take(2) is None
    assert held.gap(2), "4 is still held"


def test_nothing_held_is_no_gap() -> None:
    assert not Held().gap(0)


def test_I28_too_much_is_noticed() -> None:
    held = Held()
    held.offer(news(*range(2, HELD_OPERATIONS + 2)), 0)
    assert not held.overfull()
    held.offer(news(HELD_OPERATIONS + 2), 0)
    assert held.overfull()
    held.clear()
    assert not held.overfull()
