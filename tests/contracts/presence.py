"""What every Presence owes, `collab.ports.Presence` sentence by sentence."""

from __future__ import annotations

import asyncio
from typing import Protocol

from collab.ports import Presence
from protocol.notices import Connection, Participant
from protocol.values import Role, SessionId, SocketId, User
from tests.contracts.worlds import ANA, BO, CY

S = SessionId("s")


class Turned(Protocol):
    def turn(self, seconds: float) -> None: ...


class PresenceWorld(Protocol):
    @property
    def presence(self) -> Presence: ...
    @property
    def clock(self) -> Turned:
        """It may run by itself, too."""


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
        world.clock.turn(5)
        assert (await world.presence.read(S) or {}).keys() == {"w1", "w2"}
        world.clock.turn(5)
        assert (await world.presence.read(S) or {}).keys() == {"w2"}
        world.clock.turn(20)
        assert await world.presence.read(S) == {}

    async def test_who_says_it_again_stays(self, world: PresenceWorld) -> None:
        for _ in range(4):
            await world.presence.put(S, "w1", [participant(ANA)])
            world.clock.turn(20)
        assert await world.presence.read(S) == {"w1": (participant(ANA),)}

    async def test_who_never_said_anything_may_take_it_back(self, world: PresenceWorld) -> None:
        await world.presence.put(S, "w1", [])
        assert await world.presence.read(S) == {}

    async def test_all_of_a_participant_is_kept(self, world: PresenceWorld) -> None:
        sockets = (Connection(SocketId("s1"), "classic", 1), Connection(SocketId("s2"), "codraw.v1", 2))
        everybody = (Participant(CY, Role.READER, sockets, 3), Participant(ANA, Role.OWNER, sockets[:1], 4))
        await world.presence.put(S, "w1", everybody)
        assert await world.presence.read(S) == {"w1": everybody}

    async def test_of_many_sessions_is_said_what_is_said_of_each(self, world: PresenceWorld) -> None:
        other, empty = SessionId("other"), SessionId("empty")
        await world.presence.put(S, "w1", [participant(ANA)])
        await world.presence.put(other, "w1", [participant(BO)])
        await world.presence.put(other, "w2", [participant(CY)])
        there = {"w1": (participant(BO),), "w2": (participant(CY),)}
        said = await world.presence.read_many([S, empty, other])
        assert said == {S: {"w1": (participant(ANA),)}, empty: {}, other: there}
        assert await world.presence.read_many([]) == {}

    async def test_many_workers_speak_of_many_sessions_at_once(self, world: PresenceWorld) -> None:
        sessions = [SessionId(f"s{n}") for n in range(5)]
        workers = [f"w{n}" for n in range(8)]
        await asyncio.gather(
            *(
                world.presence.put(session, worker, [participant(ANA, worker)])
                for session in sessions
                for worker in workers
            )
        )
        for session in sessions:
            assert await world.presence.read(session) == {worker: (participant(ANA, worker),) for worker in workers}
