"""What happens although nobody asks: stamps, ends by age, rooms swept, rows pruned; by the clock that was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from collab.core.meeting import SetPresenter
from collab.core.state import RoomSettings
from collab.keeper import Intervals, Keeper
from collab.ports import Alive, Session, StoreUnavailable
from collab.rooms import LINGER_S, Rooms
from protocol.refusals import Ending
from protocol.values import Caller, DiagramId, Epoch, RoleAt
from rest.ports import NewDiagram
from storage.presence_memory import LIFE_MS
from storage.sessions import SqlSessions
from tests.support.premises import Premises, person, premises
from tests.support.script import add, edit
from tests.support.turns import PATIENCE_S, turns, until, until_read
from tests.support.wire import Line, word

ALWAYS = Intervals(quiet_s=0, pause_s=float("inf"))
"""Never quiet: the clock may be turned in great steps."""
STEP_S = 4.0
DIALECTS = ("classic", "tmi", "codraw.v1")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with premises(tmp_path) as house:
        yield house


@pytest.fixture
def keeper(house: Premises) -> Keeper:
    return Keeper(house.rooms, house.ports, ALWAYS)


async def live(house: Premises) -> Session | None:
    return await house.sessions.live(house.diagram)


async def ending(house: Premises, session: Session) -> Ending | None:
    found = await house.sessions.read(session.id)
    assert found is not None
    return found.ended


async def present(house: Premises, name: str = "ana", dialect: str = "codraw.v1") -> Line:
    line = Line(house.endpoint, house.path, {"ticket": await house.ticket(name), "dialect": dialect})
    await line.hear("participants", "participants_update", "current_presenter")
    return line


async def last_frames(*lines: Line) -> list[tuple[int | None, list[Any]]]:
    """Close code, and the frames since the last one heard but for heartbeats."""
    ended = []
    for line in lines:
        code = await line.ended()
        frames = [line.frames.get_nowait() for _ in range(line.frames.qsize())]
        ended.append((code, [frame for frame in frames if word(frame) not in PASSING]))
    return ended


PASSING = ("heartbeat", "participants", "participants_update", "join")


def over(reason: str, message: str, at: str) -> list[tuple[int, list[Any]]]:
    """What classic, tmi and codraw.v1 are told at the end."""
    classic = {"event": "session_ended", "user_id": person("ana").email, "message": message, "timestamp": at}
    tmi = {"message_type": "error", "error": "session_terminated", "message": message, "timestamp": at}
    v1 = {"message_type": "goodbye", "code": 1000, "reason": reason, "message": message, "return": "no"}
    return [(1000, [classic]), (1000, [tmi]), (1000, [v1])]


async def announced(house: Premises) -> None:
    """What the rooms have begun is done."""
    begun = ("presence", "moves", "Change")
    await until(lambda: not any(name.startswith(begun) for name in running(house)))


def running(house: Premises) -> list[str]:
    return [task.get_name() for task in house.tasks._running]


async def look(house: Premises, keeper: Keeper, after_s: float = 0.0) -> None:
    house.clock.advance(after_s)
    await keeper.look()
    await announced(house)


async def pass_time(house: Premises, keeper: Keeper, seconds: float) -> None:
    """As the running keeper sees it go by: in small steps."""
    while seconds > 0:
        await look(house, keeper, min(seconds, STEP_S))
        seconds -= STEP_S


# ends by age ----------------------------------------------------------------------------------------------------------


async def test_SES13_a_new_session_ends_without_a_first_socket(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    await look(house, keeper, 59.9)
    assert await ending(house, session) is None
    await look(house, keeper, 0.1)
    assert await ending(house, session) is Ending.EMPTY


async def test_SES13_a_first_socket_in_the_last_second_keeps_the_session(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    await look(house, keeper, 58)
    await present(house)
    await announced(house)
    await look(house, keeper, 3)
    assert await ending(house, session) is None


async def test_SES13_a_session_ends_after_its_last_socket(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    bo = await present(house, "bo")
    await look(house, keeper, 25)
    bo.leave(code=1006)
    await bo.ended()
    await announced(house)
    await look(house, keeper, 29.9)
    assert await ending(house, session) is None
    await look(house, keeper, 0.1)
    assert await ending(house, session) is Ending.EMPTY


async def test_SES13_sockets_keep_a_session_however_long(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    await present(house)
    for _ in range(20):
        await look(house, keeper, 20)
    assert await ending(house, session) is None


async def test_SES14_a_session_without_messages_ends_and_everybody_is_told(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    lines = [await present(house, "bo", dialect) for dialect in DIALECTS]
    for _ in range(44):
        await look(house, keeper, 20)
    await look(house, keeper, 19)
    assert await ending(house, session) is None
    await look(house, keeper, 1)
    assert await ending(house, session) is Ending.IDLE
    assert await last_frames(*lines) == over("idle", "Session ended: nobody was active", "2027-01-15T08:15:00Z")


async def test_SES14_a_message_starts_the_idle_time_anew(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    ana = await present(house)
    for n in range(60):
        await look(house, keeper, 20)
        if n == 40:
            ana.say({"message_type": "heartbeat"})
            await ana.hear("heartbeat")
            while not ana.frames.empty():
                ana.frames.get_nowait()
    assert await ending(house, session) is None


async def lose(house: Premises, line: Line) -> None:
    line.leave(code=1006)
    await line.ended()

    async def away() -> bool:
        found = await live(house)
        return found is not None and found.host_grace_until_ms is not None

    await until_read(away)


async def test_SES10_a_lost_host_who_does_not_return_ends_the_session(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    ana, lines = await present(house), [await present(house, "bo", dialect) for dialect in DIALECTS]
    await lose(house, ana)
    await look(house, keeper, 14.9)
    assert await ending(house, session) is None
    await look(house, keeper, 0.1)
    assert await ending(house, session) is Ending.HOST_LOST
    assert await last_frames(*lines) == over("host_lost", "Session ended: host did not return", "2027-01-15T08:00:15Z")


async def test_SES11_a_host_who_never_connected_is_not_lost(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    bo = await present(house, "bo")
    for _ in range(40):
        await look(house, keeper, 20)
    assert await ending(house, session) is None
    assert bo.task.done() is False


async def test_SES14_a_message_counts_before_it_is_stamped(house: Premises, keeper: Keeper) -> None:
    """In the last seconds, and after the keeper's last round of stamps."""
    session = await house.open_session()
    ana = await present(house)
    for _ in range(44):
        await look(house, keeper, 20)
    await look(house, keeper, 13)
    house.clock.advance(2)
    ana.say({"message_type": "heartbeat", "ref": "last"})
    while (await ana.hear("heartbeat")).get("ref") != "last":
        pass
    await look(house, keeper, 5)
    assert await ending(house, session) is None


async def test_SES14_the_last_word_of_somebody_who_left_counts(house: Premises, keeper: Keeper) -> None:
    """Said after the keeper's last round, and its socket gone before the next."""
    session = await house.open_session()
    _, bo = await present(house), await present(house, "bo")
    for _ in range(44):
        await look(house, keeper, 20)
    house.clock.advance(5)
    bo.say({"message_type": "heartbeat", "ref": "last"})
    while (await bo.hear("heartbeat")).get("ref") != "last":
        pass
    bo.leave(code=1000, reason="")
    await bo.ended()
    await announced(house)
    await look(house, keeper, 15)
    assert await ending(house, session) is None


async def test_SES10_a_host_who_returns_within_the_grace_is_host_as_before(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    ana, _ = await present(house), await present(house, "bo")
    await lose(house, ana)
    house.clock.advance(14)
    await present(house)
    await announced(house)
    await look(house, keeper, 10)
    found = await live(house)
    assert found is not None and (found.id, found.host.id) == (session.id, person("ana").id)
    assert found.host_grace_until_ms is None


async def test_SES9_where_a_host_may_leave_the_next_writer_is_host_when_the_grace_is_over(house: Premises) -> None:
    session = await house.open_session()
    house.endpoint.rooms = house.rooms = Rooms(house.ports, RoomSettings(host_leave_ends=False))
    keeper = Keeper(house.rooms, house.ports, ALWAYS)
    ana, bo = await present(house), await present(house, "bo")
    await lose(house, ana)
    await look(house, keeper, 15)
    found = await live(house)
    assert found is not None and (found.id, found.host, found.presenter) == (session.id, person("bo"), person("bo"))
    while (roster := await bo.hear("participants"))["host"]["provider_id"] != "bo":
        pass
    assert [user["user"]["provider_id"] for user in roster["participants"]] == ["bo"]


async def test_SES9_where_nobody_can_be_host_the_session_ends_after_the_grace(house: Premises) -> None:
    session = await house.open_session()
    house.endpoint.rooms = house.rooms = Rooms(house.ports, RoomSettings(host_leave_ends=False))
    keeper = Keeper(house.rooms, house.ports, ALWAYS)
    ana, _ = await present(house), await present(house, "cy")
    await lose(house, ana)
    await look(house, keeper, 15)
    assert await ending(house, session) is Ending.HOST_LOST


async def test_PR5_a_presenter_who_does_not_return_after_a_restart_makes_room(house: Premises) -> None:
    """A process that died has told nobody of those who were connected to it."""
    session = await house.open_session()
    await house.sessions.change(session.id, session.version, SetPresenter(person("bo")))
    keeper = Keeper(house.rooms, house.ports, Intervals())
    ana = await present(house)
    await pass_time(house, keeper, 56)
    found = await live(house)
    assert found is not None and found.presenter == person("bo"), "may still return"
    await pass_time(house, keeper, 20)
    while (changed := await ana.hear("presenter"))["presenter"] != in_full("ana"):
        pass
    assert (changed["action"], changed["by"], changed["term"]) == ("changed", "system", 3)


async def test_PR5_a_presenter_who_is_here_stays_however_long(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    await house.sessions.change(session.id, session.version, SetPresenter(person("bo")))
    await present(house), await present(house, "bo")
    await pass_time(house, keeper, 60)
    found = await live(house)
    assert found is not None and found.presenter == person("bo")


def in_full(name: str) -> dict[str, str]:
    return {"principal_type": "user", **msgspec.structs.asdict(person(name))}


# quiet ----------------------------------------------------------------------------------------------------------------


async def test_SES12_after_a_start_nothing_ends_by_age_for_a_minute(house: Premises) -> None:
    session = await house.open_session()
    house.clock.advance(300)
    keeper = Keeper(house.rooms, house.ports, Intervals())
    await pass_time(house, keeper, 59)
    assert await ending(house, session) is None
    await look(house, keeper, 1)
    assert await ending(house, session) is Ending.EMPTY


async def test_SES12_after_a_pause_nothing_ends_by_age_for_a_minute(house: Premises) -> None:
    """A process that stood still has not seen who came meanwhile."""
    keeper = Keeper(house.rooms, house.ports, Intervals())
    await pass_time(house, keeper, 60)
    session = await house.open_session()
    await look(house, keeper, 300)
    await pass_time(house, keeper, 59)
    assert await ending(house, session) is None
    await look(house, keeper, 1)
    assert await ending(house, session) is Ending.EMPTY


async def test_SES12_a_clock_that_was_set_ends_no_session_of_another_worker(house: Premises) -> None:
    """It has stamped by the former time, and goes by the new one up to half a minute later."""
    session = await house.open_session()
    await present(house)
    here = Keeper(house.rooms, house.ports, Intervals())
    there = Keeper(Rooms(house.ports, RoomSettings()), house.ports, Intervals())
    for _ in range(20):
        await look(house, here, STEP_S)
        await look(house, there)
    house.clock.set(60)
    await pass_time(house, there, 24)
    await look(house, here)
    await pass_time(house, there, 28)
    assert await ending(house, session) is None


async def test_SES12_a_clock_that_was_set_ends_nobodys_session(house: Premises) -> None:
    session, keeper = await house.open_session(), Keeper(house.rooms, house.ports, Intervals())
    ana = await present(house)
    await pass_time(house, keeper, 80)
    house.clock.set(3_600)
    await pass_time(house, keeper, 40)
    assert await ending(house, session) is None
    ana.say({"message_type": "heartbeat", "ref": "still here"})
    while (await ana.hear("heartbeat")).get("ref") != "still here":
        pass
    await pass_time(house, keeper, 80)
    assert await ending(house, session) is None


class Away(SqlSessions):
    away = False

    async def touch(self, alive: Collection[Alive]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await super().touch(alive)

    async def overdue(self) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return await super().overdue()


async def test_SES12_after_a_failed_store_call_nothing_ends_by_age_for_a_minute(house: Premises) -> None:
    sessions = Away(house.database, house.now_ms)
    keeper = Keeper(house.rooms, msgspec.structs.replace(house.ports, sessions=sessions), Intervals())
    await pass_time(house, keeper, 60)
    session = await house.open_session()
    sessions.away = True
    await pass_time(house, keeper, 120)
    sessions.away = False
    await pass_time(house, keeper, 59)
    assert await ending(house, session) is None
    await look(house, keeper, 1)
    assert await ending(house, session) is Ending.EMPTY


# stamps, sweeping, pruning --------------------------------------------------------------------------------------------


async def test_every_ten_seconds_the_sessions_with_sockets_are_stamped(house: Premises, keeper: Keeper) -> None:
    await house.open_session()
    await present(house)
    await announced(house)
    seen = []
    for _ in range(21):
        await look(house, keeper)
        found = await live(house)
        assert found is not None and found.seen_at_ms is not None
        seen.append((found.seen_at_ms - found.created_at_ms) // 1000)
        house.clock.advance(1)
    assert seen == [0] * 10 + [10] * 10 + [20]


async def test_SES20_presence_outlives_its_short_life_while_somebody_is_here(house: Premises, keeper: Keeper) -> None:
    session = await house.open_session()
    await present(house)
    for _ in range(8):
        await look(house, keeper, LIFE_MS / 3_000)
    assert [*(await house.ports.presence.read(session.id) or {})] == ["w1"]


async def test_I22_presence_outlives_a_store_that_is_away(house: Premises) -> None:
    session = await house.open_session()
    await present(house)
    sessions = Away(house.database, house.now_ms)
    sessions.away = True
    keeper = Keeper(house.rooms, msgspec.structs.replace(house.ports, sessions=sessions), ALWAYS)
    for _ in range(8):
        await look(house, keeper, LIFE_MS / 3_000)
    assert [*(await house.ports.presence.read(session.id) or {})] == ["w1"]


async def test_a_room_whose_closing_takes_long_holds_up_no_other(house: Premises, keeper: Keeper) -> None:
    """The keeper has stamps to set meanwhile."""
    other = DiagramId(str(uuid4()))
    canonical, state_hash = await house.rooms.found((), free_ids=False)
    await house.models.create_diagram(NewDiagram(other, house.threat_model, Epoch("e2"), {}, canonical, state_hash))
    async with house.rooms.hold(house.diagram) as one, house.rooms.hold(other) as two:
        assert one is not None and two is not None
    asked = []

    async def closing(name: str) -> None:
        asked.append(name)
        await until(lambda: len(asked) == 2)

    one.close, two.close = (lambda: closing("one")), (lambda: closing("two"))  # type: ignore[method-assign]
    await look(house, keeper, LINGER_S)
    assert sorted(asked) == ["one", "two"]


async def test_rooms_that_nobody_needs_are_closed(house: Premises, keeper: Keeper) -> None:
    async with house.rooms.hold(house.diagram):
        await look(house, keeper, LINGER_S)
        assert len(house.rooms.open_rooms()) == 1
    await look(house, keeper, LINGER_S)
    assert house.rooms.open_rooms() == []


async def test_old_rows_are_pruned_now_and_then(house: Premises) -> None:
    intervals = Intervals(quiet_s=0, pause_s=float("inf"), keep_s=1, keep_operations=0)
    keeper = Keeper(house.rooms, house.ports, intervals)
    ana = Caller(person("ana"))
    role = await house.authorizer.role(ana, house.diagram)
    assert isinstance(role, RoleAt)
    for n in range(3):
        await house.rooms.submit(house.diagram, ana, role, edit(f"op-{n}", add(str(uuid4()))))
        await house.rooms.close()
        await until(lambda: not len(house.tasks))
    epoch = (await house.ports.store.heads((house.diagram,)))[house.diagram].epoch

    async def kept() -> list[int]:
        return [operation.vector async for operation in house.ports.store.log(house.diagram, epoch)]

    await look(house, keeper, intervals.prune_s - 1)
    assert await kept() == [1, 2, 3]
    await look(house, keeper, 1)
    await until(lambda: not len(house.tasks))
    assert await kept() == [3]


async def test_SES13_a_session_is_kept_alive_while_much_is_pruned(
    house: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def prune(*_: int) -> int:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(house.ports.store, "prune", prune)
    session = await house.open_session()
    await present(house)
    intervals = Intervals(quiet_s=0, pause_s=float("inf"), prune_s=0)
    keeper = Keeper(house.rooms, house.ports, intervals)
    for _ in range(12):
        async with asyncio.timeout(PATIENCE_S):
            await look(house, keeper, STEP_S)
    assert (asked, await ending(house, session)) == (1, None)


async def test_I29_a_failed_round_does_not_end_the_keeper(house: Premises, caplog: pytest.LogCaptureFixture) -> None:
    rounds = 0

    class Stumbling(Rooms):
        async def sweep(self) -> None:
            nonlocal rounds
            rounds += 1
            if rounds == 1:
                raise RuntimeError("planted")

    keeper = Keeper(Stumbling(house.ports, RoomSettings()), house.ports, Intervals(look_s=0.0))
    task = house.tasks.start("keeper", keeper.run())
    await until(lambda: rounds > 2)
    assert not task.done()
    assert [record.message for record in caplog.records] == ["the keeper failed"]
    task.cancel()
    await turns()
