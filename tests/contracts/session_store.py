"""What every SessionStore owes, `collab.ports.SessionStore` sentence by sentence, and the Authorizer's deny list."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from collab.core.events import Committed, Gone, Missed
from collab.core.meeting import Deny, End, HostBack, HostGone, Leave, Session, SessionChange, SetHost, SetPresenter
from collab.ports import Alive, Exists, Grant, NewSession, Stale
from protocol.refusals import Ending
from protocol.values import DiagramId, Role, RoleAt, SessionId, ThreatModelId
from tests.contracts.worlds import ANA, BO, CY, MODEL, D, World, batch, caller, grow, head_of, operation

S = SessionId("s")
D2 = DiagramId("d2")


async def started(world: World, id: SessionId = S, diagram: DiagramId = D) -> Session:
    """ANA's session of a new diagram, or a further one of a diagram that is there."""
    if not await world.diagrams.heads([diagram]):
        await world.add(diagram)
    session = await world.sessions.create(NewSession(id, diagram, ANA))
    assert isinstance(session, Session)
    return session


async def change(world: World, session: Session, *changes: SessionChange) -> Session:
    for to in changes:
        after = await world.sessions.change(session.id, session.version, to)
        assert isinstance(after, Session)
        session = after
    return session


async def overdue(world: World) -> list[tuple[SessionId, Ending]]:
    found = []
    for session, to in await world.sessions.overdue():
        assert isinstance(to, End)
        found.append((session.id, to.ending))
    return found


class SessionStoreContract:
    """A subclass gives the fixture `world`."""

    # create, live, read

    async def test_PR1_a_new_sessions_presenter_is_its_host(self, world: World) -> None:
        await world.add()
        await grow(world, 3)
        session = await world.sessions.create(NewSession(S, D, ANA))
        now_ms = world.clock.ms
        assert session == Session(S, D, MODEL, ANA, ANA, 1, 1, 3, now_ms, active_at_ms=now_ms)
        assert session == await world.sessions.live(D) == await world.sessions.read(S)

    async def test_SES1_I19_of_many_sessions_at_once_exactly_one_lives(self, world: World) -> None:
        await world.add()
        news = [NewSession(SessionId(f"s{n}"), D, ANA if n % 2 else BO) for n in range(50)]
        made = await asyncio.gather(*(world.sessions.create(new) for new in news))
        winners = [session for session in made if isinstance(session, Session)]
        assert len(winners) == 1
        assert all(lost == Exists(winners[0]) for lost in made if lost not in winners)

    async def test_a_session_of_an_unknown_or_deleted_diagram_is_gone(self, world: World) -> None:
        assert await world.sessions.create(NewSession(S, D, ANA)) == Gone()
        await world.add()
        await world.delete()
        assert await world.sessions.create(NewSession(S, D, ANA)) == Gone()

    async def test_SES16_after_the_end_another_session_may_begin(self, world: World) -> None:
        session = await started(world)
        ended = await change(world, session, End(Ending.HOST_ENDED))
        assert await world.sessions.live(D) is None
        second = await started(world, SessionId("s2"))
        assert await world.sessions.live(D) == second
        assert await world.sessions.read(S) == ended
        assert ended.ended is Ending.HOST_ENDED

    async def test_an_unknown_session_is_none(self, world: World) -> None:
        assert await world.sessions.read(S) is None
        assert await world.sessions.live(D) is None

    # change

    async def test_PR4_a_new_presenter_raises_the_term(self, world: World) -> None:
        session = await started(world)
        given = await change(world, session, SetPresenter(BO))
        assert given == msgspec.structs.replace(session, presenter=BO, presenter_term=2, version=2)
        nobody = await change(world, given, SetPresenter(None))
        assert (nobody.presenter, nobody.presenter_term) == (None, 3)
        assert await world.sessions.read(S) == nobody

    async def test_SES10_the_grace_runs_by_the_stores_clock(self, world: World) -> None:
        session = await started(world)
        world.clock.turn(5)
        away = await change(world, session, HostGone(15_000))
        grace_ms = world.clock.ms + 15_000
        assert away == msgspec.structs.replace(session, host_grace_until_ms=grace_ms, version=2)
        assert away == await world.sessions.read(S)
        back = await change(world, away, HostBack())
        assert back == msgspec.structs.replace(session, version=3) == await world.sessions.read(S)

    async def test_SES9_another_host_takes_over_without_grace(self, world: World) -> None:
        session = await started(world)
        after = await change(world, session, SetPresenter(CY), HostGone(15_000), SetHost(BO))
        expected = msgspec.structs.replace(session, host=BO, presenter=CY, presenter_term=2, version=4)
        assert after == expected == await world.sessions.read(S)

    async def test_PR5_a_host_who_took_over_presents_if_the_lost_one_did(self, world: World) -> None:
        session = await started(world)
        after = await change(world, session, HostGone(15_000), SetHost(BO))
        expected = msgspec.structs.replace(session, host=BO, presenter=BO, presenter_term=2, version=3)
        assert after == expected == await world.sessions.read(S)

    async def test_a_denied_presenter_falls_to_the_given_one_with_a_new_term(self, world: World) -> None:
        session = await change(world, await started(world), SetPresenter(BO))
        after = await change(world, session, Deny(BO, ANA))
        assert (after.presenter, after.presenter_term, after.version) == (ANA, session.presenter_term + 1, 3)
        assert after.denied == {BO.id}
        assert await world.sessions.read(S) == after == await world.sessions.live(D)

    async def test_denying_somebody_else_leaves_presenter_and_term(self, world: World) -> None:
        session = await started(world)
        after = await change(world, session, Deny(BO, ANA))
        assert after == msgspec.structs.replace(session, denied=frozenset({BO.id}), version=2)

    async def test_SES6_who_left_is_known_with_the_version_that_came_of_it(self, world: World) -> None:
        session = await started(world)
        after = await change(world, session, Leave(BO), Leave(CY), Leave(BO))
        assert after == msgspec.structs.replace(session, left={BO.id: 4, CY.id: 3}, version=4)
        assert await world.sessions.read(S) == after == await world.sessions.live(D)

    async def test_SES6_SES17_who_left_may_come_again_and_is_known_to_have_left(self, world: World) -> None:
        session = await started(world)
        await world.sessions.expect(S, BO, "writer")
        await change(world, session, Leave(BO))
        await world.sessions.unexpect(S, [BO.id])
        assert list(await world.sessions.waiting(S)) == []
        await world.sessions.expect(S, BO, "writer")
        assert [one.user for one in await world.sessions.waiting(S)] == [BO]
        await world.sessions.unexpect(S, [BO.id])
        found = await world.sessions.read(S)
        assert found is not None and (dict(found.left), found.denied) == ({BO.id: 2}, frozenset())
        assert list(await world.sessions.waiting(S)) == []

    async def test_SES6_SES18_who_left_before_or_after_is_denied_all_the_same(self, world: World) -> None:
        after = await change(world, await started(world), Leave(BO), Deny(BO, ANA), Deny(CY, ANA), Leave(CY))
        assert (after.denied, after.left) == ({BO.id, CY.id}, {BO.id: 2, CY.id: 5})
        assert await world.sessions.read(S) == after

    @pytest.mark.parametrize(
        "to", [SetPresenter(BO), HostGone(1), HostBack(), SetHost(BO), Deny(BO, ANA), Leave(BO), End(Ending.HOST_ENDED)]
    )
    async def test_a_change_of_a_session_that_moved_on_is_stale(self, world: World, to: SessionChange) -> None:
        session = await started(world)
        moved = await change(world, session, SetPresenter(None))
        head = await head_of(world)
        assert await world.sessions.change(S, session.version, to) == Stale(moved)
        assert await world.sessions.read(S) == moved
        assert await head_of(world) == head

    async def test_a_session_that_ended_changes_no_more(self, world: World) -> None:
        ended = await change(world, await started(world), End(Ending.HOST_LEFT))
        assert await world.sessions.change(S, ended.version, SetPresenter(None)) == Stale(ended)
        assert await world.sessions.change(SessionId("never"), 1, End(Ending.HOST_ENDED)) == Stale(None)

    async def test_I20_of_many_changes_of_one_version_one_wins(self, world: World) -> None:
        await started(world)
        made = await asyncio.gather(*(world.sessions.change(S, 1, SetPresenter(user)) for user in (ANA, BO, CY) * 7))
        (winner,) = [after for after in made if isinstance(after, Session)]
        assert all(lost == Stale(winner) for lost in made if lost != winner)
        assert winner.presenter_term == 2

    @pytest.mark.parametrize(
        ("to", "raised"),
        [
            (SetPresenter(BO), 0),
            (HostGone(1), 0),
            (HostBack(), 0),
            (SetHost(BO), 0),
            (Deny(BO, ANA), 1),
            (Leave(BO), 0),
            (End(Ending.HOST_ENDED), 1),
        ],
    )
    async def test_I21_I24_ending_and_ejecting_raise_the_permission_clock(
        self, world: World, to: SessionChange, raised: int
    ) -> None:
        session = await started(world)
        base = await head_of(world)
        await change(world, session, to)
        assert (await head_of(world)).acl_version == base.acl_version + raised
        expected: Any = Missed(await head_of(world)) if raised else Committed()
        assert await world.diagrams.commit(D, batch(base, operation(1, BO))) == expected

    # the deny list, as rights see it

    async def test_SES18_the_deny_list_counts_until_the_session_ends(self, world: World) -> None:
        session = await started(world)
        await world.allow(BO, Role.WRITER)
        before = await head_of(world)
        assert await world.authorizer.role(caller(BO), D) == RoleAt(Role.WRITER, before.acl_version)
        denied = await change(world, session, Deny(BO, ANA))
        assert await world.authorizer.role(caller(BO), D) == RoleAt(Role.WRITER, before.acl_version + 1, denied=True)
        assert await world.authorizer.role(caller(ANA), D) == RoleAt(Role.OWNER, before.acl_version + 1)
        ended = await change(world, denied, End(Ending.HOST_ENDED))
        assert ended.denied == {BO.id}
        assert await world.authorizer.role(caller(BO), D) == RoleAt(Role.WRITER, before.acl_version + 2)
        await started(world, SessionId("s2"))
        assert await world.authorizer.role(caller(BO), D) == RoleAt(Role.WRITER, before.acl_version + 2)

    async def test_the_role_of_a_stranger_is_none_and_of_an_unknown_diagram_gone(self, world: World) -> None:
        head = await world.add()
        assert await world.authorizer.role(caller(CY), D) == RoleAt(Role.NONE, head.acl_version)
        await world.delete()
        assert await world.authorizer.role(caller(ANA), D) == Gone()

    async def test_RE18_of_another_threat_model_a_diagram_is_gone(self, world: World) -> None:
        head = await world.add()
        assert await world.authorizer.role(caller(ANA), D, MODEL) == RoleAt(Role.OWNER, head.acl_version)
        assert await world.authorizer.role(caller(ANA), D, ThreatModelId("another")) == Gone()

    async def test_SES21_a_deleted_diagram_ends_its_session(self, world: World) -> None:
        session = await started(world)
        await started(world, SessionId("s2"), D2)
        await world.delete()
        assert await world.sessions.live(D) is None
        ended = await world.sessions.read(S)
        assert ended == msgspec.structs.replace(session, version=2, ended=Ending.DIAGRAM_DELETED)
        assert await world.sessions.live(D2) is not None

    # expected callers

    async def test_SES17_callers_are_listed_for_60_seconds(self, world: World) -> None:
        await started(world)
        await world.sessions.expect(S, BO, "writer")
        world.clock.turn(30)
        await world.sessions.expect(S, ANA, "writer")
        world.clock.turn(29.999)
        assert [(w.user, w.role) for w in await world.sessions.waiting(S)] == [(BO, "writer"), (ANA, "writer")]
        world.clock.turn(0.001)
        assert [w.user for w in await world.sessions.waiting(S)] == [ANA]

    async def test_SES17_the_newest_call_of_a_user_counts(self, world: World) -> None:
        await started(world)
        await world.sessions.expect(S, BO, "reader")
        world.clock.turn(1)
        await world.sessions.expect(S, ANA, "writer")
        world.clock.turn(1)
        await world.sessions.expect(S, BO, "writer")
        found = await world.sessions.waiting(S)
        assert [(w.user, w.role, w.at_ms) for w in found] == [
            (ANA, "writer", world.clock.ms - 1000),
            (BO, "writer", world.clock.ms),
        ]
        assert await world.sessions.waiting(SessionId("never")) == []

    async def test_SES17_whoever_has_connected_or_left_is_not_expected_any_more(self, world: World) -> None:
        session = await started(world)
        for somebody in (ANA, BO, CY):
            await world.sessions.expect(S, somebody, "writer")
        denied = await change(world, session, Deny(CY, ANA))
        await world.sessions.unexpect(S, (BO.id, CY.id))
        await world.sessions.unexpect(SessionId("never"), (ANA.id,))
        assert [w.user for w in await world.sessions.waiting(S)] == [ANA]
        assert await world.sessions.read(S) == denied
        await world.sessions.expect(S, BO, "writer")
        assert {w.user for w in await world.sessions.waiting(S)} == {ANA, BO}

    async def test_an_ejected_user_is_not_expected_and_stays_ejected(self, world: World) -> None:
        session = await started(world)
        await world.sessions.expect(S, BO, "writer")
        denied = await change(world, session, Deny(BO, ANA))
        assert await world.sessions.waiting(S) == []
        await world.sessions.expect(S, BO, "writer")
        assert await world.sessions.waiting(S) == []
        assert await world.sessions.read(S) == denied

    # keep-alive and age

    async def test_touch_stamps_and_changes_nothing_else(self, world: World) -> None:
        session = await started(world)
        other = await started(world, SessionId("s2"), D2)
        world.clock.turn(20)
        await world.sessions.touch([Alive(S, 4_000, True), Alive(SessionId("never"), 0, True)])
        now_ms = world.clock.ms
        stamped = msgspec.structs.replace(session, seen_at_ms=now_ms, active_at_ms=now_ms - 4_000)
        assert await world.sessions.read(S) == stamped
        assert await world.sessions.read(SessionId("s2")) == other
        await world.sessions.touch([])

    async def test_touch_by_an_idle_worker_does_not_take_activity_back(self, world: World) -> None:
        session = await started(world)
        await world.sessions.touch([Alive(S, 999_999, False)])
        touched = await world.sessions.read(S)
        assert touched is not None
        assert touched.active_at_ms == session.active_at_ms

    async def test_touch_leaves_an_ended_session_alone(self, world: World) -> None:
        ended = await change(world, await started(world), End(Ending.HOST_ENDED))
        await world.sessions.touch([Alive(S, 0, True)])
        assert await world.sessions.read(S) == ended

    async def test_SES13_without_a_first_socket_it_ends_after_60_seconds(self, world: World) -> None:
        session = await started(world)
        world.clock.turn(59.999)
        assert await overdue(world) == []
        world.clock.turn(0.001)
        assert await world.sessions.overdue() == [(session, End(Ending.EMPTY))]

    async def test_SES13_it_ends_30_seconds_after_it_was_last_seen(self, world: World) -> None:
        await started(world)
        await world.sessions.touch([Alive(S, 0, False)])
        world.clock.turn(29.999)
        assert await overdue(world) == []
        world.clock.turn(0.001)
        assert await overdue(world) == [(S, Ending.EMPTY)]

    async def test_SES14_it_ends_900_seconds_after_the_last_message(self, world: World) -> None:
        await started(world)
        for _ in range(89):
            world.clock.turn(10)
            await world.sessions.touch([Alive(S, 999_999, True)])
        world.clock.turn(9.999)
        assert await overdue(world) == []
        world.clock.turn(0.001)
        assert await overdue(world) == [(S, Ending.IDLE)]
        await world.sessions.touch([Alive(S, 0, True)])
        assert await overdue(world) == []

    async def test_SES10_it_ends_when_the_grace_is_over(self, world: World) -> None:
        session = await started(world)
        await world.sessions.touch([Alive(S, 0, True)])
        await change(world, session, HostGone(15_000))
        world.clock.turn(14.999)
        assert await overdue(world) == []
        world.clock.turn(0.001)
        assert await overdue(world) == [(S, Ending.HOST_LOST)]

    async def test_SES12_a_loss_nobody_saw_ends_it_after_70_seconds(self, world: World) -> None:
        """The worker of the host died; others keep the session alive."""
        await started(world)
        await world.sessions.touch([Alive(S, 0, True)])
        for _ in range(6):
            world.clock.turn(10)
            await world.sessions.touch([Alive(S, 0, False)])
        world.clock.turn(9.999)
        assert await overdue(world) == []
        world.clock.turn(0.001)
        assert await overdue(world) == [(S, Ending.HOST_LOST)]

    async def test_SES11_a_host_who_never_connected_is_not_lost(self, world: World) -> None:
        await started(world)
        for _ in range(20):
            world.clock.turn(10)
            await world.sessions.touch([Alive(S, 0, False)])
        assert await overdue(world) == []

    @pytest.mark.parametrize("to", [HostBack(), SetHost(BO)])
    async def test_a_host_who_is_back_or_new_is_not_lost(self, world: World, to: SessionChange) -> None:
        session = await started(world)
        await world.sessions.touch([Alive(S, 0, True)])
        for _ in range(2):
            for _ in range(6):
                world.clock.turn(10)
                await world.sessions.touch([Alive(S, 0, False)])
            assert await overdue(world) == []
            session = await change(world, session, to)

    @pytest.mark.parametrize("ending", [Ending.EMPTY, Ending.IDLE, Ending.HOST_LOST])
    async def test_SES13_an_end_by_age_is_judged_anew_when_it_comes(self, world: World, ending: Ending) -> None:
        """Another worker has seen somebody since the session was found overdue."""
        session = await started(world)
        world.clock.turn(900)
        await world.sessions.touch([Alive(S, 0, host=True)])
        touched = await world.sessions.read(S)
        assert await world.sessions.change(S, session.version, End(ending)) == Stale(touched)
        world.clock.turn(900)
        assert isinstance(await world.sessions.change(S, session.version, End(ending)), Session)

    async def test_an_ended_session_is_never_overdue(self, world: World) -> None:
        await change(world, await started(world), End(Ending.HOST_ENDED))
        world.clock.turn(10_000)
        assert await overdue(world) == []

    async def test_overdue_sessions_come_whole(self, world: World) -> None:
        denied = await change(world, await started(world), Deny(BO, ANA))
        world.clock.turn(60)
        assert await world.sessions.overdue() == [(denied, End(Ending.EMPTY))]

    async def test_sessions_of_are_the_live_ones(self, world: World) -> None:
        first = await started(world)
        world.clock.turn(1)
        second = await started(world, SessionId("s2"), D2)
        await change(world, await started(world, SessionId("s3"), DiagramId("d3")), End(Ending.HOST_ENDED))
        await started(world, SessionId("s4"), DiagramId("d4"))
        ids = [D2, D, DiagramId("d3"), DiagramId("never")]
        assert await world.sessions.sessions_of(ids) == [first, second]
        assert await world.sessions.sessions_of([]) == []

    # tickets

    async def test_AU9_a_ticket_says_once_who_may_come_where(self, world: World) -> None:
        grant = Grant(caller(BO, "staff", sid="login-1", expires_at_ms=77, email_verified=False), S, D, by_cookie=True)
        await world.sessions.issue_ticket("secret", grant, 30_000)
        assert await world.sessions.redeem("secret") == grant
        assert await world.sessions.redeem("secret") is None
        assert await world.sessions.redeem("guess") is None

    async def test_AU9_S11_of_100_redemptions_at_once_one_succeeds(self, world: World) -> None:
        grant = Grant(caller(BO), S, D)
        await world.sessions.issue_ticket("secret", grant, 30_000)
        found = await asyncio.gather(*(world.sessions.redeem("secret") for _ in range(100)))
        assert sorted(found, key=repr) == sorted([grant, *[None] * 99], key=repr)

    async def test_AU9_a_ticket_lives_as_long_as_it_was_given(self, world: World) -> None:
        for ticket, seconds in (("young", 29.999), ("old", 30)):
            await world.sessions.issue_ticket(ticket, Grant(caller(BO), S, D), 30_000)
            world.clock.turn(seconds)
            assert (await world.sessions.redeem(ticket) is not None) == (ticket == "young")

    async def test_a_ticket_outlives_the_next_one(self, world: World) -> None:
        await world.sessions.issue_ticket("first", Grant(caller(BO), S, D), 30_000)
        world.clock.turn(10)
        await world.sessions.issue_ticket("second", Grant(caller(ANA), S, D), 30_000)
        assert await world.sessions.redeem("first") is not None
