"""What every Presence owes, `collab.ports.Presence` sentence by sentence."""

from __future__ import annotations

from typing import Protocol

from collab.ports import Presence
from protocol.notices import Connection, Participant
from protocol.values import Role, SessionId, SocketId, User
from tests.contracts.worlds import ANA, BO, Hands

S = SessionId("s")


class PresenceWorld(Protocol):
    @property
    def presence(self) -> Presence: ...
    @property
    def clock(self) -> Hands: ...


def participant(user: User, *sockets: str, joined_ms: int = 100) -> Participant:
    connections = tuple(Connection(SocketId(socket), "codraw.v1", joined_ms) for socket in sockets or ("s1",))
    return Participant(user, Role.WRITER, connections, 200)


class PresenceContract:
    """A subclass gives the fixture `world`."""

    async def test_what_a_worker_says_replaces_what_it_said(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [participant(ANA), participant(BO)])
        await world.presence.put(S, "w1", [participant(BO, "s2", "s3")])
        assert await world.presence.read(S) == {"w1": (participant(BO, "s2", "s3"),)}
        assert await world.presence.read(SessionId("other")) == {}

    async def test_each_worker_speaks_for_itself(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [participant(ANA)])
        await world.presence.put(S, "w2", [participant(ANA, "s2"), participant(BO)])
        said = {"w1": (participant(ANA),), "w2": (participant(ANA, "s2"), participant(BO))}
        assert await world.presence.read(S) == said

    async def test_a_worker_that_has_nobody_any_more_is_left_out(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [participant(ANA)])
        await world.presence.put(S, "w1", [])
        assert await world.presence.read(S) == {}

    async def test_SES20_it_is_gone_after_its_time(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [participant(ANA)])
        world.clock.turn(20)
        await world.presence.put(S, "w2", [participant(BO)])
        world.clock.turn(9.999)
        assert (await world.presence.read(S) or {}).keys() == {"w1", "w2"}
        world.clock.turn(0.001)
        assert (await world.presence.read(S) or {}).keys() == {"w2"}
        world.clock.turn(20)
        assert await world.presence.read(S) == {}
