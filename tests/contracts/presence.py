"""What every Presence owes, `collab.ports.Presence` sentence by sentence."""

from __future__ import annotations

from typing import Any, Protocol

from collab.ports import Member, Presence
from protocol.values import SessionId, User
from tests.contracts.worlds import ANA, BO, Hands

S = SessionId("s")


class PresenceWorld(Protocol):
    @property
    def presence(self) -> Presence: ...
    @property
    def clock(self) -> Hands: ...


def member(user: User, **more: Any) -> Member:
    values: dict[str, Any] = {
        "user": user,
        "role": "writer",
        "joined_at_ms": 100,
        "last_activity_ms": 200,
        "sockets": 1,
    }
    return Member(**(values | more))


class PresenceContract:
    """A subclass gives the fixture `world`."""

    async def test_unknown_is_not_empty(self, world: PresenceWorld) -> None:
        assert await world.presence.read(S) is None
        await world.presence.put(S, "w1", [], 35)
        found = await world.presence.read(S)
        assert found is not None
        assert len(found) == 0

    async def test_what_a_worker_says_replaces_what_it_said(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [member(ANA), member(BO)], 35)
        await world.presence.put(S, "w1", [member(BO)], 35)
        assert await world.presence.read(S) == (member(BO),)
        assert await world.presence.read(SessionId("other")) is None

    async def test_SES20_it_is_gone_after_its_time(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [member(ANA)], 35)
        world.clock.turn(20)
        await world.presence.put(S, "w2", [member(BO)], 35)
        world.clock.turn(14.999)
        assert await world.presence.read(S) == (member(ANA), member(BO))
        world.clock.turn(0.001)
        assert await world.presence.read(S) == (member(BO),)
        world.clock.turn(35)
        assert await world.presence.read(S) is None

    async def test_a_user_on_several_workers_is_one(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [member(ANA, joined_at_ms=50, last_activity_ms=60, role="reader")], 35)
        await world.presence.put(S, "w2", [member(BO, joined_at_ms=10), member(ANA, sockets=2)], 35)
        merged = member(ANA, joined_at_ms=50, last_activity_ms=200, role="writer", sockets=3)
        assert await world.presence.read(S) == (member(BO, joined_at_ms=10), merged)
