"""One room per diagram, opened once, kept while held; and the door for programs, which never shows the past."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from collab.core.events import Gone
from collab.core.meeting import End, Leave
from collab.core.state import RoomSettings
from collab.ports import Member, Session, StoredDiagram, StoreUnavailable
from collab.rooms import LINGER_S, Rooms, union
from protocol.notices import Accepted, Connection, Participant, Rejected
from protocol.refusals import CellError, Ending, Reason
from protocol.statehash import cell_hash, combine
from protocol.values import Caller, DiagramId, Epoch, Role, RoleAt, SocketId
from rest.ports import NewDiagram
from storage.diagrams import SqlDiagrams
from tests.support.premises import Premises, person, premises
from tests.support.script import add, edit
from tests.support.turns import turns, until
from tests.support.wire import Line

ANA = Caller(person("ana"))
NOWHERE = DiagramId("00000000-0000-4000-8000-000000000000")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with premises(tmp_path) as house:
        yield house


class Watched(SqlDiagrams):
    """Counts what is loaded; can be away; waits for `gate`."""

    def __init__(self, house: Premises) -> None:
        super().__init__(house.database, house.now_ms)
        self.loads = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, diagram: DiagramId) -> StoredDiagram | Gone:
        self.loads += 1
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("away")
        return await super().load(diagram)


def rooms_on(house: Premises, store: SqlDiagrams, **settings: Any) -> Rooms:
    return Rooms(msgspec.structs.replace(house.ports, store=store), RoomSettings(**settings))


async def submit(house: Premises, rooms: Rooms, id: str | None = None) -> Accepted | Rejected:
    found = await house.authorizer.role(ANA, house.diagram)
    role = found if isinstance(found, RoleAt) else RoleAt(Role.OWNER, 1)
    return await rooms.submit(house.diagram, ANA, role, edit(id or str(uuid4()), add(str(uuid4()))))


async def accepted(house: Premises, rooms: Rooms, id: str | None = None) -> int:
    outcome = await submit(house, rooms, id)
    assert isinstance(outcome, Accepted), outcome
    return outcome.vector


async def present(house: Premises, name: str = "ana") -> Line:
    line = Line(house.endpoint, house.path, {"ticket": await house.ticket(name), "dialect": "codraw.v1"})
    await line.hear("participants")
    return line


# opening and keeping --------------------------------------------------------------------------------------------------


async def test_a_room_is_opened_once_however_many_ask(house: Premises) -> None:
    store = Watched(house)
    rooms = rooms_on(house, store)

    async def ask() -> object:
        async with rooms.hold(house.diagram) as room:
            return room

    found = await asyncio.gather(*(ask() for _ in range(20)))
    assert store.loads == 1 and len({id(room) for room in found}) == 1 and found[0] is not None
    await rooms.close()


async def test_who_goes_away_takes_the_room_from_nobody(house: Premises) -> None:
    store = Watched(house)
    store.gate.clear()
    rooms = rooms_on(house, store)
    impatient, patient = (asyncio.create_task(accepted(house, rooms)) for _ in range(2))
    await until(lambda: store.loads == 1)
    impatient.cancel()
    await asyncio.wait((impatient,))
    store.gate.set()
    assert await patient == 1 and impatient.cancelled() and store.loads == 1
    await rooms.close()


async def test_an_unknown_diagram_has_no_room_until_it_is_there(house: Premises) -> None:
    async with house.rooms.hold(NOWHERE) as room:
        assert room is None
    other = DiagramId(str(uuid4()))
    async with house.rooms.hold(other) as room:
        assert room is None
    house.diagram = other
    await house.models.create_diagram(await a_diagram(house, other))
    async with house.rooms.hold(other) as room:
        assert room is not None


async def a_diagram(house: Premises, id: DiagramId) -> NewDiagram:
    canonical, state_hash = await house.rooms.found((), free_ids=False)
    return NewDiagram(id, house.threat_model, Epoch("e2"), {"name": "other"}, canonical, state_hash)


async def test_S91_a_store_that_is_away_is_told_to_all_who_wait_and_is_no_crash(house: Premises) -> None:
    store = Watched(house)
    store.away = True
    rooms = rooms_on(house, store)
    outcomes = await asyncio.gather(*(submit(house, rooms) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    assert house.tasks.crashes == 0
    store.away = False
    assert await accepted(house, rooms) == 1
    await rooms.close()


async def test_a_held_room_stays_and_one_that_nobody_holds_goes_after_a_while(house: Premises) -> None:
    rooms = house.rooms
    async with rooms.hold(house.diagram) as room:
        assert room is not None
        house.clock.advance(LINGER_S * 10)
        await rooms.sweep()
        assert rooms.open_rooms() == [room]
    house.clock.advance(LINGER_S - 1)
    await rooms.sweep()
    assert rooms.open_rooms() == [room]
    house.clock.advance(1)
    await rooms.sweep()
    assert rooms.open_rooms() == []
    assert room.closed


async def test_a_visit_starts_the_while_anew(house: Premises) -> None:
    await accepted(house, house.rooms)
    (room,) = house.rooms.open_rooms()
    house.clock.advance(LINGER_S - 1)
    await accepted(house, house.rooms)
    house.clock.advance(LINGER_S - 1)
    await house.rooms.sweep()
    assert house.rooms.open_rooms() == [room]


async def test_the_collector_passes_over_what_was_loaded_until_a_room_is_closed(house: Premises) -> None:
    gc.unfreeze()
    await accepted(house, house.rooms)
    assert gc.get_freeze_count() > 0
    house.clock.advance(LINGER_S)
    await house.rooms.sweep()
    assert gc.get_freeze_count() == 0


async def test_a_room_with_sockets_stays(house: Premises) -> None:
    await house.open_session()
    await present(house)
    house.clock.advance(LINGER_S * 10)
    await house.rooms.sweep()
    assert len(house.rooms.open_rooms()) == 1


async def test_a_sweep_leaves_alone_what_was_closed_while_it_waited(house: Premises) -> None:
    other = DiagramId(str(uuid4()))
    await house.models.create_diagram(await a_diagram(house, other))
    for diagram in (house.diagram, other):
        async with house.rooms.hold(diagram):
            pass
    house.clock.advance(LINGER_S)
    await asyncio.gather(house.rooms.sweep(), house.rooms.close())
    assert house.rooms.open_rooms() == []


async def test_an_opening_that_failed_is_swept_too(house: Premises) -> None:
    async with house.rooms.hold(NOWHERE):
        pass
    house.clock.advance(LINGER_S)
    await house.rooms.sweep()
    assert house.rooms._open == {}


async def test_I29_close_answers_what_was_read_in_every_room(house: Premises) -> None:
    rooms = house.rooms
    begun = [asyncio.create_task(submit(house, rooms)) for _ in range(20)]
    await until(lambda: len(rooms.open_rooms()) == 1)
    await rooms.close()
    outcomes = await asyncio.gather(*begun, return_exceptions=True)
    head = (await house.ports.store.heads((house.diagram,)))[house.diagram]
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == head.vector
    assert {type(outcome) for outcome in outcomes} <= {Accepted, Rejected, StoreUnavailable}


async def test_close_waits_for_a_room_that_is_being_opened(house: Premises) -> None:
    store = Watched(house)
    store.gate.clear()
    rooms = rooms_on(house, store)

    async def stay() -> bool:
        async with rooms.hold(house.diagram) as room:
            assert room is not None
            await room.close()
            return room.closed

    staying = asyncio.create_task(stay())
    await until(lambda: store.loads == 1)
    closing = asyncio.create_task(rooms.close())
    await turns()
    assert not closing.done()
    store.gate.set()
    await closing
    assert await staying


# the door for programs ------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(house: Premises) -> Rooms:
    """Another worker's rooms on the same store; nobody tells the one what the other does."""
    return Rooms(house.ports, RoomSettings())


async def test_VEC7_a_view_is_never_older_than_a_receipt(house: Premises, elsewhere: Rooms) -> None:
    for _ in range(3):
        for door in (house.rooms, elsewhere):
            vector = await accepted(house, door)
            for other in (house.rooms, elsewhere):
                viewed = await other.view(house.diagram)
                assert viewed is not None and viewed.vector >= vector
    await elsewhere.close()


async def test_RE16_a_view_shows_what_was_acknowledged_before_whether_the_room_is_open_or_not(house: Premises) -> None:
    vector = await accepted(house, house.rooms)
    live = await house.rooms.view(house.diagram)
    await house.rooms.close()
    stored = await house.rooms.view(house.diagram)
    assert live is not None and stored is not None
    assert live.vector == stored.vector == vector == len(live.cells)
    assert list(live.cells) == list(stored.cells) and live.state_hash == stored.state_hash
    assert live.state_hash == combine(map(cell_hash, live.cells))
    assert house.rooms.open_rooms() == []


async def test_nobody_sees_an_unknown_or_a_deleted_diagram(house: Premises) -> None:
    assert await house.rooms.view(NOWHERE) is None
    await accepted(house, house.rooms)
    await house.models.delete_diagram(house.diagram)
    assert await house.rooms.view(house.diagram) is None


@pytest.mark.parametrize("opened_before", [True, False])
async def test_an_operation_on_a_deleted_diagram_is_refused(house: Premises, opened_before: bool) -> None:
    if opened_before:
        await accepted(house, house.rooms)
    await house.models.delete_diagram(house.diagram)
    outcome = await submit(house, house.rooms)
    assert isinstance(outcome, Rejected) and outcome.refusal.reason is Reason.DIAGRAM_NOT_FOUND


async def test_VEC8_a_retry_through_another_worker_gets_the_first_outcome(house: Premises, elsewhere: Rooms) -> None:
    role = await house.authorizer.role(ANA, house.diagram)
    assert isinstance(role, RoleAt)
    same = edit("one", add(str(uuid4())))
    outcomes = [await door.submit(house.diagram, ANA, role, same) for door in (house.rooms, elsewhere, house.rooms)]
    assert [outcome.vector for outcome in outcomes if isinstance(outcome, Accepted)] == [1, 1, 1]
    assert (await house.ports.store.heads((house.diagram,)))[house.diagram].vector == 1
    await elsewhere.close()


async def test_founding_cells_are_canonical_and_hashed(house: Premises) -> None:
    id = str(uuid4())
    nested = {"id": id.upper(), "shape": "process", "position": {"x": 1.0, "y": 2}, "size": {"width": 90, "height": 60}}
    cells, state_hash = await house.rooms.found([nested], free_ids=False)
    assert cells == ({"id": id, "shape": "process", "x": 1, "y": 2, "width": 90, "height": 60},)
    assert state_hash == combine(map(cell_hash, cells))


async def test_founding_cells_that_do_not_fit_together_are_refused(house: Premises) -> None:
    one = str(uuid4())
    dangling = {"id": one, "shape": "flow", "source": {"cell": str(uuid4())}, "target": {"cell": str(uuid4())}}
    with pytest.raises(CellError) as refused:
        await house.rooms.found([dangling], free_ids=False)
    assert refused.value.reason is Reason.VALIDATION_FAILED


async def test_a_session_that_ended_elsewhere_ends_for_those_who_are_here(house: Premises) -> None:
    session = await house.open_session()
    ana = await present(house)
    assert isinstance(await house.sessions.change(session.id, session.version, End(Ending.OWNER_ENDED)), Session)
    await house.rooms.session_changed(house.diagram)
    assert (await ana.hear("goodbye"))["reason"] == "owner_ended"
    assert await ana.ended() == 1000


async def test_who_leaves_by_REST_loses_his_sockets_and_nobody_else(house: Premises) -> None:
    session = await house.open_session()
    ana, bo, second = await present(house), await present(house, "bo"), await present(house, "bo")
    left = await house.sessions.change(session.id, session.version, Leave(person("bo")))
    assert isinstance(left, Session)
    await house.rooms.session_moved(left)
    assert [await line.ended() for line in (bo, second)] == [1000, 1000]
    ana.say({"message_type": "heartbeat"})
    assert await ana.hear("heartbeat")


async def test_news_of_a_diagram_without_a_room_opens_none(house: Premises) -> None:
    await house.rooms.session_changed(house.diagram)
    await house.rooms.session_moved(await house.open_session())
    assert house.rooms.open_rooms() == []


async def test_members_of_a_session_that_nobody_knows_of_are_none(house: Premises) -> None:
    assert await house.rooms.members(await house.open_session()) == ()


async def test_SES9_a_successor_is_named_only_where_a_lost_host_ends_nothing(house: Premises) -> None:
    session = await house.open_session()
    await present(house, "cy")
    await present(house, "bo")
    assert await house.rooms.successor(session) is None
    lasting = rooms_on(house, SqlDiagrams(house.database, house.now_ms), host_leave_ends=False)
    elsewhere = await lasting.successor(session)
    assert elsewhere is not None and elsewhere.id == person("bo").id, "as presence says: nobody has come this way"
    house.endpoint.rooms = lasting
    await present(house, "cy")
    await present(house, "bo")
    successor = await lasting.successor(session)
    assert successor is not None and successor.id == person("bo").id
    await lasting.close()


def test_SES17_a_user_on_several_workers_is_one() -> None:
    def at(name: str, role: Role, joined_ms: int, active_ms: int, *sockets: str) -> Participant:
        connections = tuple(Connection(SocketId(socket), "codraw.v1", joined_ms) for socket in sockets)
        return Participant(person(name), role, connections, active_ms)

    here = at("ana", Role.READER, 50, 60, "a1")
    assert union([here, at("bo", Role.WRITER, 10, 90, "b1"), at("ana", Role.WRITER, 70, 80, "a2", "a3")]) == (
        Member(person("bo"), "writer", 10, 90, 1),
        Member(person("ana"), "writer", 50, 80, 3),
    )
