"""Presence in memory."""

from __future__ import annotations

import pytest

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
