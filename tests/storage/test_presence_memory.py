"""Presence in memory."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.values import SessionId
from storage.presence_memory import MemoryPresence
from tests.contracts.presence import PresenceContract, S, participant
from tests.contracts.worlds import ANA, Hands


class MemoryPresenceWorld:
    def __init__(self) -> None:
        self.clock = Hands()
        self.presence = MemoryPresence(self.clock)


class TestMemoryPresence(PresenceContract):
    @pytest.fixture
    def world(self) -> MemoryPresenceWorld:
        return MemoryPresenceWorld()


async def test_SES20_a_worker_counts_to_the_last_millisecond() -> None:
    clock = Hands()
    presence = MemoryPresence(clock)
    await presence.put(S, "w1", [participant(ANA)])
    clock.turn(29.999)
    assert await presence.read(S) == {"w1": (participant(ANA),)}
    clock.turn(0.001)
    assert await presence.read(S) == {}


async def test_nothing_is_kept_of_what_is_past() -> None:
    clock = Hands()
    presence = MemoryPresence(clock)
    await presence.put(S, "w1", [participant(ANA)])
    clock.turn(30)
    await presence.read(S)
    assert not presence._said


async def test_however_many_rooms_speak_all_are_looked_through_once_a_second() -> None:
    class Looked(dict[Any, Any]):
        times = 0

        def items(self) -> Any:
            self.times += 1
            return super().items()

    clock = Hands()
    presence = MemoryPresence(clock)
    presence._said = looked = Looked()
    for _ in range(3):
        clock.turn(1)
        for number in range(50):
            await presence.put(SessionId(f"s{number}"), "w1", [participant(ANA)])
            await presence.read(S)
    assert looked.times == 3
