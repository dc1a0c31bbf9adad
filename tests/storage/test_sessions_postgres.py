"""The SessionStore on PostgreSQL, and what two workers may do to it at once."""

from __future__ import annotations

import asyncio

from collab.core.events import Gone
from collab.core.meeting import Deny, End, Session, SetPresenter
from collab.ports import Alive, Exists, Grant, NewSession, Stale
from protocol.refusals import Ending
from protocol.values import DiagramId, SessionId
from tests.contracts.session_store import S, SessionStoreContract, started
from tests.contracts.worlds import ANA, BO, CY, D, SqlWorld, caller, head_of


class TestPostgresSessions(SessionStoreContract): ...


async def test_SES1_I19_of_creates_on_two_workers_one_wins(world: SqlWorld, other: SqlWorld) -> None:
    for turn in range(5):
        diagram = DiagramId(f"d{turn}")
        await world.add(diagram)
        made = await asyncio.gather(
            *(
                (world, other)[n % 2].sessions.create(NewSession(SessionId(f"s{turn}-{n}"), diagram, ANA))
                for n in range(10)
            )
        )
        (winner,) = [session for session in made if isinstance(session, Session)]
        assert all(lost == Exists(winner) for lost in made if lost != winner)


async def test_I20_of_changes_on_two_workers_one_wins(world: SqlWorld, other: SqlWorld) -> None:
    await started(world)
    made = await asyncio.gather(
        *((world, other)[n % 2].sessions.change(S, 1, SetPresenter((ANA, BO, CY)[n % 3])) for n in range(20))
    )
    (winner,) = [after for after in made if isinstance(after, Session)]
    assert all(lost == Stale(winner) for lost in made if lost != winner)


async def test_I24_every_ejection_raises_the_permission_clock_beside_commits_and_keep_alives(
    world: SqlWorld, other: SqlWorld
) -> None:
    session: Session | Stale = await started(world)
    for turn, user in enumerate((BO, CY, BO, CY)):
        assert isinstance(session, Session)
        base = await head_of(world)
        session, *_ = await asyncio.gather(
            other.sessions.change(S, session.version, Deny(user, ANA)),
            *(world.sessions.touch([Alive(S, 0, True)]) for _ in range(3)),
            *(world.sessions.expect(S, user, "writer") for _ in range(2)),
        )
        assert isinstance(session, Session), turn
        assert (await head_of(world)).acl_version == base.acl_version + 1
    assert session == await world.sessions.read(S)


async def test_SES21_a_diagram_that_goes_takes_the_session_that_is_just_made_with_it(
    world: SqlWorld, other: SqlWorld
) -> None:
    for turn in range(12):
        diagram = DiagramId(f"d{turn}")
        await world.add(diagram)
        made, _ = await asyncio.gather(
            other.sessions.create(NewSession(SessionId(f"s{turn}"), diagram, ANA)), world.delete(diagram)
        )
        assert isinstance(made, Session | Gone)
        assert await world.sessions.live(diagram) is None


async def test_ends_and_deletions_at_once_leave_one_end(world: SqlWorld, other: SqlWorld) -> None:
    for turn in range(8):
        diagram, id = DiagramId(f"d{turn}"), SessionId(f"s{turn}")
        session = await started(world, id, diagram)
        ended, _ = await asyncio.gather(
            other.sessions.change(id, session.version, End(Ending.HOST_ENDED)), world.delete(diagram)
        )
        kept = await world.sessions.read(id)
        assert kept is not None and kept.version == 2
        assert kept.ended is (Ending.HOST_ENDED if isinstance(ended, Session) else Ending.DIAGRAM_DELETED)


async def test_keep_alives_of_two_workers_for_the_same_sessions_do_not_meet_crosswise(
    world: SqlWorld, other: SqlWorld
) -> None:
    ids = [SessionId(f"s{n}") for n in range(20)]
    for n, id in enumerate(ids):
        await started(world, id, DiagramId(f"d{n}"))
    await asyncio.gather(
        *(world.sessions.touch([Alive(id, 0, True) for id in ids]) for _ in range(10)),
        *(other.sessions.touch([Alive(id, 0, True) for id in reversed(ids)]) for _ in range(10)),
    )
    assert all(session.seen_at_ms is not None for session in await world.sessions.sessions_of(["d0", "d19"]))


async def test_S11_a_ticket_shown_100_times_at_once_on_two_workers_is_redeemed_once(
    world: SqlWorld, other: SqlWorld
) -> None:
    await started(world)
    grant = Grant(caller(ANA), S, D)
    await world.sessions.issue_ticket("ticket", grant, 30_000)
    redeemed = await asyncio.gather(*((world, other)[n % 2].sessions.redeem("ticket") for n in range(100)))
    assert [found for found in redeemed if found is not None] == [grant]


async def test_tickets_issued_at_once_clear_away_old_ones_and_stand(world: SqlWorld, other: SqlWorld) -> None:
    await started(world)
    grant = Grant(caller(ANA), S, D)
    for n in range(20):
        await world.sessions.issue_ticket(f"old-{n}", grant, 1)
    for each in (world, other):
        each.clock.turn(60)
    await asyncio.gather(*((world, other)[n % 2].sessions.issue_ticket(f"new-{n}", grant, 30_000) for n in range(50)))
    assert list(await world.database.fetch("SELECT count(*) FROM ticket")) == [(50,)]
