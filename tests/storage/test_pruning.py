"""Pruning in pieces; what goes and what stays is in the suite of DiagramStore."""

from __future__ import annotations

import pytest

from collab.ports import End, NewSession, Session
from protocol.refusals import Ending
from protocol.values import Caller, SessionId
from rest.ports import Refresh
from storage import pruning
from storage.sqlite import SqliteDatabase
from tests.contracts.diagram_store import snapshot
from tests.contracts.worlds import ANA, EPOCH, D, SqlWorld, grow

DAY_S = 24 * 3_600


async def test_much_goes_piece_by_piece(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PIECE", 10)
    world = SqlWorld(database)
    await world.add()
    await grow(world, 64, at_ms=world.clock.ms)
    for vector in (60, 64):
        await world.diagrams.snapshot(D, snapshot(vector))
    world.clock.turn(31 * DAY_S)
    # 60 rows of the log and 64 outcomes; the last piece is not a full one
    assert await world.diagrams.prune(0, DAY_S * 1000) == 124
    assert [operation.vector async for operation in world.diagrams.log(D, EPOCH)] == [61, 62, 63, 64]


async def test_a_former_epoch_goes_when_it_is_old(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    await world.add()
    await grow(world, 5, at_ms=world.clock.ms)
    await database.transaction(lambda tx: tx.execute("UPDATE diagram_op SET epoch = 'former' WHERE vector <= 2"))
    for vector in (4, 5):
        await world.diagrams.snapshot(D, snapshot(vector))
    assert await world.diagrams.prune(0, DAY_S * 1000) == 0
    world.clock.turn(DAY_S + 1)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 4
    left = await database.read(lambda tx: tx.fetch("SELECT epoch, vector FROM diagram_op"))
    assert [tuple(row) for row in left] == [(EPOCH, 5)]


async def test_a_session_goes_a_while_after_its_end_and_its_members_with_it(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    await world.add()
    session = await world.sessions.create(NewSession(SessionId("s"), D, ANA))
    assert isinstance(session, Session)
    await world.sessions.expect(session.id, ANA, "writer")
    world.clock.turn(2 * DAY_S)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 0
    await world.sessions.change(session.id, session.version, End(Ending.HOST_ENDED))
    assert await world.diagrams.prune(0, DAY_S * 1000) == 0
    world.clock.turn(DAY_S + 1)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 2
    assert await world.sessions.read(session.id) is None


async def test_a_login_goes_a_while_after_its_last_token(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    for sid in ("begun", "short", "long"):
        await world.accounts.start_login(sid, Caller(ANA, sid=sid))
    for sid in ("short", "long"):
        await world.accounts.raise_expiry(sid, world.clock.ms + 1)
    await world.accounts.issue_refresh("token", Refresh(Caller(ANA, sid="long"), "openid"), 7 * DAY_S * 1000)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 0
    world.clock.turn(DAY_S + 1)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 1
    assert (await world.accounts.standing(("begun", "short", "long"))).keys() == {"begun", "long"}


async def test_AU8_an_ended_login_stays_as_long_as_a_refresh_token_of_it(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    await world.accounts.start_login("s", Caller(ANA, sid="s"))
    await world.accounts.issue_refresh("token", Refresh(Caller(ANA, sid="s"), "openid"), 7 * DAY_S * 1000)
    await world.accounts.end_login("s")
    world.clock.turn(2 * DAY_S)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 0
    assert await world.accounts.rotate_refresh("token", "next", DAY_S * 1000, 0) is None
