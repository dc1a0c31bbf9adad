"""The task around a room: what it serves first, what it starts, and that nobody waits for a room that has ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from collab.core import writing
from collab.core.apply import replacement
from collab.core.chair import WAITING
from collab.core.effects import Commit, Effect
from collab.core.events import Asked, Event, Missed, StoreOutcome, Submitted, Unavailable
from collab.core.meeting import Session, SessionChange
from collab.core.room import Room
from collab.core.state import RoomSettings
from collab.inbox import INBOX
from collab.loading import Opened, load
from collab.ports import Alive, Stale, StoreUnavailable
from collab.room_task import RoomTask
from collab.rooms import Rooms
from protocol.cells import canonical_cells
from protocol.intents import Edit, Heartbeat, Replace
from protocol.notices import Accepted, Rejected
from protocol.refusals import Reason
from protocol.statehash import canonical_bytes
from protocol.values import Caller, DiagramId, Instant, Limits, OperationId, RoleAt, SessionId, UserId
from storage.diagrams import SqlDiagrams
from storage.sessions import SqlSessions
from tests.support.premises import Premises, person, premises
from tests.support.script import add, edit, node
from tests.support.turns import turns, until, until_read
from tests.support.wire import Line

ANA = Caller(person("ana"))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with premises(tmp_path) as house:
        yield house


async def opened(house: Premises, kind: type[Room] = Room, **ports: Any) -> RoomTask:
    """A room that runs beside those of the house."""
    found = await load(house.ports.store, house.diagram)
    assert isinstance(found, Opened)
    room = kind(found.threat_model, found.loaded, await house.sessions.live(house.diagram), RoomSettings())
    task = RoomTask(house.diagram, room, msgspec.structs.replace(house.ports, **ports))
    house.tasks.start("room", task.run())
    return task


async def role(house: Premises) -> RoleAt:
    role = await house.authorizer.role(ANA, house.diagram)
    assert isinstance(role, RoleAt)
    return role


async def submit(house: Premises, task: RoomTask, id: str) -> Accepted | Rejected:
    return await task.submit(ANA, await role(house), an_edit(id))


def an_edit(id: str) -> Edit:
    return edit(id, add(str(uuid4())))


async def present(house: Premises, name: str = "ana") -> Line:
    line = Line(house.endpoint, house.path, {"ticket": await house.ticket(name), "dialect": "codraw.v1"})
    await line.hear("participants")
    return line


async def heads_vector(house: Premises) -> int:
    return (await house.ports.store.heads((house.diagram,)))[house.diagram].vector


# operations of programs -----------------------------------------------------------------------------------------------


async def test_an_operation_of_a_program_gets_its_outcome(house: Premises) -> None:
    task = await opened(house)
    accepted = await submit(house, task, "one")
    assert isinstance(accepted, Accepted) and accepted.vector == 1
    again = await submit(house, task, "two")
    assert isinstance(again, Accepted) and again.vector == 2
    await task.close()


@pytest.mark.parametrize(("cells", "beside"), [(201, True), (200, False)])
async def test_RE14_a_long_list_is_judged_beside_the_event_loop(
    house: Premises, monkeypatch: pytest.MonkeyPatch, cells: int, beside: bool
) -> None:
    threads: list[threading.Thread] = []

    def noting(*args: Any) -> Any:
        threads.append(threading.current_thread())
        return replacement(*args)

    monkeypatch.setattr(writing, "replacement", noting)
    listed = canonical_cells([node(f"n{n}") for n in range(cells)], free_ids=True, limits=Limits())
    intent = Replace(OperationId("all"), listed, tuple(map(canonical_bytes, listed)), b"sha", 0)
    task = await opened(house)
    outcome = await task.submit(ANA, await role(house), intent)
    assert isinstance(outcome, Accepted) and outcome.vector == 1
    assert [thread is not threading.main_thread() for thread in threads] == [beside]
    await task.close()


async def test_I29_a_judgement_that_fails_is_tried_again(
    house: Premises, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = [MemoryError("no room for it")]

    def once(*args: Any) -> Any:
        if failing:
            raise failing.pop()
        return replacement(*args)

    monkeypatch.setattr(writing, "replacement", once)
    listed = canonical_cells([node(f"n{n}") for n in range(201)], free_ids=True, limits=Limits())
    intent = Replace(OperationId("all"), listed, tuple(map(canonical_bytes, listed)), b"sha", 0)
    task = await opened(house)
    submitted = asyncio.create_task(task.submit(ANA, await role(house), intent))
    await until(lambda: bool(house.clock.timers))
    house.clock.advance(1.0)
    outcome = await submitted
    assert isinstance(outcome, Accepted) and outcome.vector == 1
    assert [record.message for record in caplog.records] == [f"JudgeBatch of {house.diagram} failed"]
    await task.close()


async def test_I29_what_was_read_before_the_room_closes_gets_its_outcome(house: Premises) -> None:
    task = await opened(house)
    known = await role(house)
    begun = [asyncio.create_task(task.submit(ANA, known, an_edit(f"op-{n}"))) for n in range(100)]
    await turns(5)
    await task.close()
    outcomes = await asyncio.gather(*begun)
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
    assert accepted, "nothing was judged: the test proves nothing"
    assert await heads_vector(house) == len(accepted)
    assert {outcome.refusal.reason for outcome in refused} <= {Reason.UNAVAILABLE}


async def test_a_closed_room_takes_no_operation(house: Premises) -> None:
    task = await opened(house)
    await task.close()
    with pytest.raises(StoreUnavailable):
        await submit(house, task, "late")


async def test_closing_twice_is_no_harm(house: Premises) -> None:
    task = await opened(house)
    await task.close()
    await task.close()
    assert task.closed


async def test_a_room_that_closes_saves_a_snapshot(house: Premises) -> None:
    task = await opened(house)
    await submit(house, task, "one")
    await task.close()
    await until(lambda: not len(house.tasks))
    assert [kept.vector for kept in await SqlDiagrams(house.database).snapshots(house.diagram)] == [0, 1]


# our own bugs ---------------------------------------------------------------------------------------------------------


class Buggy(Room):
    """Stumbles over the first heartbeat."""

    def handle(self, event: Event, now: Instant, more: bool = False) -> list[Effect]:
        if isinstance(event, Asked) and isinstance(event.intent, Heartbeat):
            raise RuntimeError("planted")
        return super().handle(event, now, more)


class BuggyForPrograms(Room):
    def handle(self, event: Event, now: Instant, more: bool = False) -> list[Effect]:
        if isinstance(event, Submitted):
            raise RuntimeError("planted")
        return super().handle(event, now, more)


async def test_S91_a_room_that_crashes_closes_its_sockets_and_the_next_join_loads_anew(
    house: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open_session()
    with monkeypatch.context() as planted:
        planted.setattr("collab.rooms.Room", Buggy)
        ana, bo = await present(house), await present(house, "bo")
    ana.say({"message_type": "heartbeat"})
    assert [await line.ended() for line in (ana, bo)] == [1012, 1012]
    assert len(house.crashes) == house.tasks.crashes == 1 and "planted" in house.crashes.pop()
    again = await present(house)
    again.say({"message_type": "heartbeat"})
    assert (await again.hear("heartbeat"))["update_vector"] == 0


async def test_I29_nobody_waits_for_a_room_that_crashed(house: Premises) -> None:
    """Not those it has heard, nor those who wait for space in its inbox."""
    task = await opened(house, BuggyForPrograms)
    known = await role(house)
    begun = [asyncio.create_task(task.submit(ANA, known, an_edit(f"op-{n}"))) for n in range(2 * INBOX + 10)]
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*begun, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert "planted" in house.crashes.pop()


class BuggyStore(SqlDiagrams):
    """Its first commit happens, and then it fails in a way that no port allows."""

    failed = False

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        outcome = await super().commit(diagram, commit)
        if not self.failed:
            self.failed = True
            raise RuntimeError("planted")
        return outcome


async def test_I4_a_commit_that_fails_in_a_strange_way_is_repeated_and_counts_once(
    house: Premises, caplog: pytest.LogCaptureFixture
) -> None:
    task = await opened(house, store=BuggyStore(house.database, house.now_ms))
    begun = asyncio.create_task(submit(house, task, "one"))
    await until(lambda: bool(house.clock.timers))
    house.clock.advance(1.0)
    outcome = await begun
    assert isinstance(outcome, Accepted) and outcome.vector == await heads_vector(house) == 1
    assert [record.message for record in caplog.records] == [f"Commit of {house.diagram} failed"]
    await task.close()


class BuggySessions(SqlSessions):
    failed = False

    async def change(self, id: Any, expected: int, to: SessionChange) -> Session | Stale:
        if not self.failed:
            self.failed = True
            raise RuntimeError("planted")
        return await super().change(id, expected, to)


async def test_a_session_change_that_fails_in_a_strange_way_is_tried_again(house: Premises) -> None:
    session = await house.open_session()
    sessions = BuggySessions(house.database, house.now_ms)
    rooms = Rooms(msgspec.structs.replace(house.ports, sessions=sessions), RoomSettings())
    house.endpoint.rooms = rooms
    ana, bo = await present(house), await present(house, "bo")
    ana.leave(code=1000, reason="")
    await ana.ended()
    async with rooms.hold(house.diagram) as task:
        assert task is not None
        await until(lambda: sessions.failed)
        await turns()
        house.clock.advance(1.0)
        assert await bo.ended() == 1000
    after = await house.sessions.read(session.id)
    assert after is not None and after.ended is not None
    await rooms.close()


class Held(SqlSessions):
    """Changes wait until they are let go."""

    def __init__(self, house: Premises) -> None:
        super().__init__(house.database, house.now_ms)
        self.away = False
        self.let_go = asyncio.Event()

    async def change(self, id: Any, expected: int, to: SessionChange) -> Session | Stale:
        await self.let_go.wait()
        if self.away:
            raise StoreUnavailable("planted")
        return await super().change(id, expected, to)


PIECE = WAITING + 8


async def many_requests(house: Premises) -> tuple[Held, Line, RoomTask]:
    """Two pieces of them, of which the second is to wait outside."""
    await house.open_session()
    sessions = Held(house)
    house.endpoint.rooms = house.rooms = Rooms(msgspec.structs.replace(house.ports, sessions=sessions), RoomSettings())
    ana = await present(house)
    room = await only_room(house)
    for piece in range(2):
        for number in range(PIECE):
            user = None if number % 2 else {"provider": "test", "provider_id": "ana"}
            ana.say({"message_type": "presenter", "action": "grant", "user": user, "ref": f"{piece}.{number}"})
        await turns()
    return sessions, ana, room


async def test_WS8_who_asks_to_present_too_fast_is_read_more_slowly_and_nothing_is_lost(house: Premises) -> None:
    sessions, ana, room = await many_requests(house)
    inside = len(room.room._chair._requests)
    sessions.let_go.set()
    assert inside < PIECE, "all of them are in the room: nobody has waited"
    done = [(await ana.hear("done"))["ref"] for _ in range(2 * PIECE)]
    assert done == [f"{piece}.{number}" for piece in range(2) for number in range(PIECE)]
    await house.rooms.close()


async def test_I29_who_asks_too_fast_does_not_wait_for_a_store_that_is_away(house: Premises) -> None:
    sessions, ana, _ = await many_requests(house)
    sessions.away = True
    sessions.let_go.set()
    assert await ana.ended() == 1013
    await house.rooms.close()


async def test_I29_nor_for_a_room_that_has_ended(house: Premises) -> None:
    sessions, ana, room = await many_requests(house)
    closing = asyncio.create_task(room.close())
    await turns()
    sessions.let_go.set()
    await closing
    assert await ana.ended() == 1012


# undo stacks ----------------------------------------------------------------------------------------------------------


async def test_UN11_a_stack_is_what_the_store_says_of_it(house: Premises) -> None:
    first = await opened(house)
    for number in range(4):
        await submit(house, first, f"a{number}")
    receipt = await submit(house, await opened(house), "a4")
    assert isinstance(receipt, Accepted)
    assert receipt.history.undo == 5


# the store away -------------------------------------------------------------------------------------------------------


class Away(SqlDiagrams):
    away = True

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        return Unavailable() if self.away else await super().commit(diagram, commit)


async def test_I29_an_operation_waits_for_a_store_that_is_away(house: Premises) -> None:
    store = Away(house.database, house.now_ms)
    task = await opened(house, store=store)
    begun = asyncio.create_task(submit(house, task, "one"))
    await until(lambda: bool(house.clock.timers))
    assert not begun.done()
    store.away = False
    house.clock.advance(1.0)
    assert isinstance(await begun, Accepted)
    await task.close()


class Moving(SqlDiagrams):
    """Before its first commit somebody else changes the rights."""

    def __init__(self, house: Premises) -> None:
        super().__init__(house.database, house.now_ms)
        self.house = house
        self.seen: list[type[StoreOutcome]] = []

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        if not self.seen:
            model = await self.house.models.read(self.house.threat_model)
            assert model is not None
            await self.house.models.change(msgspec.structs.replace(model, entries=()))
        outcome = await super().commit(diagram, commit)
        self.seen.append(type(outcome))
        return outcome


async def test_AU15_rights_that_moved_are_read_again_before_the_operation_counts(house: Premises) -> None:
    store = Moving(house)
    task = await opened(house, store=store)
    bo = Caller(person("bo"))
    known = await house.authorizer.role(bo, house.diagram)
    assert isinstance(known, RoleAt)
    outcome = await task.submit(bo, known, an_edit("one"))
    assert isinstance(outcome, Rejected) and outcome.refusal.reason is Reason.PERMISSION_DENIED
    assert store.seen[0] is Missed and await heads_vector(house) == 0
    await task.close()


# who is here ----------------------------------------------------------------------------------------------------------


async def only_room(house: Premises) -> RoomTask:
    (room,) = house.rooms.open_rooms()
    return room


async def test_a_room_without_sockets_has_nothing_to_stamp(house: Premises) -> None:
    await house.open_session()
    task = await opened(house)
    assert task.alive() is None
    await task.close()


async def test_SES14_what_is_stamped_is_the_age_of_the_last_message(house: Premises) -> None:
    session = await house.open_session()
    ana = await present(house)
    room = await only_room(house)
    house.clock.advance(7)
    alive = room.alive()
    assert alive is not None and (alive.session, alive.active_ms_ago, alive.host) == (session.id, 7_000, True)
    ana.say({"message_type": "heartbeat"})
    await ana.hear("heartbeat")
    alive = room.alive()
    assert alive is not None and alive.active_ms_ago == 0


async def test_only_the_hosts_own_socket_stamps_the_host(house: Premises) -> None:
    await house.open_session()
    await present(house, "bo")
    alive = (await only_room(house)).alive()
    assert alive is not None and not alive.host


async def test_SES13_the_first_and_the_last_socket_are_stamped_at_once(house: Premises) -> None:
    session = await house.open_session()

    async def stamped() -> bool:
        found = await house.sessions.read(session.id)
        return found is not None and found.seen_at_ms == house.now_ms()

    house.clock.advance(5)
    bo = await present(house, "bo")
    await until_read(stamped)
    house.clock.advance(5)
    bo.leave(code=1006)
    await until_read(stamped)


class Unheard(SqlSessions):
    """Away for what a room says of who came and went."""

    away = True
    missed = 0

    async def unexpect(self, id: SessionId, users: Collection[UserId]) -> None:
        self._stumble()
        await super().unexpect(id, users)

    async def touch(self, alive: Collection[Alive]) -> None:
        self._stumble()
        await super().touch(alive)

    def _stumble(self) -> None:
        if self.away:
            self.missed += 1
            raise StoreUnavailable("planted")


@pytest.mark.parametrize("leaves", [False, True])
async def test_SES13_who_came_or_went_while_the_store_was_away_is_made_up_for(house: Premises, leaves: bool) -> None:
    session = await house.open_session()
    await house.sessions.expect(session.id, person("bo"), "writer")
    sessions = Unheard(house.database, house.now_ms)
    house.endpoint.rooms = house.rooms = Rooms(msgspec.structs.replace(house.ports, sessions=sessions), RoomSettings())
    house.clock.advance(5)
    bo = await present(house, "bo")
    room = await only_room(house)
    await until(lambda: sessions.missed == 1)
    if leaves:
        bo.leave(code=1006)
        await until(lambda: sessions.missed == 2)
    sessions.away = False
    await room.tell_moves()
    found = await house.sessions.read(session.id)
    assert found is not None and found.seen_at_ms == house.now_ms()
    assert list(await house.sessions.waiting(session.id)) == []
    await house.rooms.close()


async def test_SES17_presence_counts_a_users_sockets_once(house: Premises) -> None:
    session = await house.open_session()
    await present(house)
    await present(house)
    members = await house.rooms.members(session)
    assert [(member.user.id, member.sockets, member.role) for member in members] == [(ANA.id, 2, "writer")]


class Counting(SqlDiagrams):
    """Its first commit takes until `go`."""

    def __init__(self, house: Premises) -> None:
        super().__init__(house.database, house.now_ms)
        self.commits: list[int] = []
        self.go = asyncio.Event()

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        self.commits.append(len(commit.operations))
        await self.go.wait()
        return await super().commit(diagram, commit)


async def test_of_operations_that_arrive_together_one_commit_takes_all(house: Premises) -> None:
    store = Counting(house)
    store.go.set()
    task = await opened(house, store=store)
    await asyncio.gather(*(submit(house, task, f"op-{n}") for n in range(50)))
    assert store.commits == [50]
    await task.close()


async def test_what_an_outcome_is_answered_with_at_once_goes_with_the_next_commit(house: Premises) -> None:
    store, known = Counting(house), await role(house)
    task = await opened(house, store=store)

    async def answering() -> None:
        await task.submit(ANA, known, an_edit("one"))
        await task.submit(ANA, known, an_edit("answer"))

    one = asyncio.create_task(answering())
    await until(lambda: bool(store.commits))
    meanwhile = asyncio.create_task(task.submit(ANA, known, an_edit("meanwhile")))
    await turns(3)
    store.go.set()
    await asyncio.gather(one, meanwhile)
    assert store.commits == [1, 2]
    await task.close()
