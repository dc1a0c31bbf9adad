"""The guard of live sockets: expiry, renewal, logout."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest

from collab.access.guard import Guard
from collab.ports import LoginState, StoreUnavailable
from protocol.values import Caller, SocketId, User
from tests.support.clock import START_MS, HandClock
from tests.support.turns import turns

HOUR_MS = 3_600_000
ANA = User("test", "ana", "ana@example.org", "Ana")


class LoginTable:
    """`Logins` of which the test writes the rows."""

    def __init__(self) -> None:
        self.rows: dict[str, LoginState] = {}
        self.away = False
        self.queries: list[set[str]] = []

    async def standing(self, sids: Collection[str]) -> Mapping[str, LoginState]:
        if self.away:
            raise StoreUnavailable
        self.queries.append(set(sids))
        return {sid: self.rows[sid] for sid in sids if sid in self.rows}


class Watched:
    def __init__(self) -> None:
        self.warnings: list[int] = []
        self.barred = 0

    def bar(self) -> None:
        self.barred += 1


class House:
    def __init__(self, lifetime_s: int = 3_600) -> None:
        self.logins = LoginTable()
        self.clock = HandClock()
        self.guard = Guard(self.logins, self.clock, lifetime_s)

    def enter(self, name: str, sid: str, life_ms: int = HOUR_MS) -> Watched:
        watched = Watched()
        caller = Caller(ANA, sid=sid, expires_at_ms=START_MS + life_ms)
        self.guard.watch(SocketId(name), caller, warn=watched.warnings.append, bar=watched.bar)
        return watched

    def login(self, sid: str, until_ms: int, *, ended: bool = False) -> None:
        self.logins.rows[sid] = LoginState(START_MS + until_ms, ended)

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.guard.check()


@pytest.fixture
def house() -> House:
    return House()


async def test_AU11_a_socket_ends_when_the_newest_token_of_its_login_expires(house: House) -> None:
    socket = house.enter("a", "s1")
    house.login("s1", HOUR_MS)
    await house.later(3_599)
    assert socket.barred == 0
    await house.later(1)
    assert socket.barred == 1


async def test_AU11_a_token_refreshed_by_REST_keeps_the_socket(house: House) -> None:
    socket = house.enter("a", "s1")
    house.login("s1", 2 * HOUR_MS)
    await house.later(3_700)
    assert socket.barred == 0
    await house.later(3_500)
    assert socket.barred == 1


async def test_AU12_a_login_that_ended_ends_its_sockets_and_no_others(house: House) -> None:
    ended, other = house.enter("a", "s1"), house.enter("b", "s2")
    house.login("s1", HOUR_MS, ended=True)
    house.login("s2", HOUR_MS)
    await house.later(1)
    assert (ended.barred, other.barred) == (1, 0)


async def test_a_socket_is_barred_once(house: House) -> None:
    socket = house.enter("a", "s1", life_ms=0)
    await house.later(1)
    await house.later(1)
    assert socket.barred == 1


async def test_a_minute_before_the_deadline_it_is_told_once(house: House) -> None:
    socket = house.enter("a", "s1")
    await house.later(3_539)
    assert socket.warnings == []
    await house.later(1)
    await house.later(1)
    assert socket.warnings == [START_MS + HOUR_MS]


async def test_a_later_deadline_is_told_anew(house: House) -> None:
    socket = house.enter("a", "s1")
    await house.later(3_550)
    house.login("s1", 2 * HOUR_MS)
    await house.later(1)
    await house.later(3_600)
    assert socket.warnings == [START_MS + HOUR_MS, START_MS + 2 * HOUR_MS]


async def test_a_token_that_was_renewed_within_its_last_minute_is_not_told_at_once() -> None:
    house = House(lifetime_s=60)
    socket = house.enter("a", "s1", life_ms=60_000)
    await house.later(29)
    assert socket.warnings == []
    await house.later(1)
    house.login("s1", 90_000)
    await house.later(29)
    assert socket.warnings == [START_MS + 60_000]
    await house.later(1)
    assert socket.warnings == [START_MS + 60_000, START_MS + 90_000]


async def test_a_renewal_in_band_counts_at_once(house: House) -> None:
    socket = house.enter("a", "s1")
    house.guard.renew(SocketId("a"), Caller(ANA, sid="s1", expires_at_ms=START_MS + 2 * HOUR_MS))
    await house.later(3_700)
    assert socket.barred == 0


async def test_a_renewal_by_another_login_ties_the_socket_to_that_one(house: House) -> None:
    socket = house.enter("a", "s1")
    house.guard.renew(SocketId("a"), Caller(ANA, sid="s2", expires_at_ms=START_MS + HOUR_MS // 2))
    house.login("s1", HOUR_MS, ended=True)
    await house.later(1)
    assert socket.barred == 0
    await house.later(HOUR_MS // 2_000)
    assert socket.barred == 1


async def test_a_socket_that_left_is_watched_no_more(house: House) -> None:
    socket = house.enter("a", "s1", life_ms=0)
    house.guard.forget(SocketId("a"))
    house.guard.renew(SocketId("a"), Caller(ANA))
    await house.later(1)
    assert socket.barred == 0


async def test_S92_while_the_store_is_away_known_deadlines_hold(house: House) -> None:
    socket = house.enter("a", "s1")
    house.logins.away = True
    await house.later(3_599)
    assert socket.barred == 0
    await house.later(1)
    assert socket.barred == 1


async def test_all_logins_are_read_in_one_query(house: House) -> None:
    for n in range(20):
        house.enter(f"socket{n}", f"s{n % 5}")
    await house.later(1)
    assert house.logins.queries == [{"s0", "s1", "s2", "s3", "s4"}]


async def test_without_sockets_nothing_is_read(house: House) -> None:
    await house.later(1)
    assert house.logins.queries == []


async def test_S36_a_fault_of_ours_does_not_end_the_guard(house: House) -> None:
    socket = house.enter("a", "s1", life_ms=1_500)
    broken, house.logins.rows = house.logins.rows, None  # type: ignore[assignment]
    running = asyncio.create_task(house.guard.run())
    await turns()
    house.clock.advance(1)
    await turns()
    house.logins.rows = broken
    house.clock.advance(1)
    await turns()
    running.cancel()
    assert socket.barred == 1


async def test_S36_the_guard_looks_every_second(house: House) -> None:
    house.enter("a", "s1")
    running = asyncio.create_task(house.guard.run())
    for _ in range(5):
        await turns()
        house.clock.advance(1)
    await turns()
    running.cancel()
    assert len(house.logins.queries) == 5
