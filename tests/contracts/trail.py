"""What a Trail owes, `rest.ports.Trail` sentence by sentence, and what each change of the store adds to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from collab.core.meeting import Deny, End, HostBack, HostGone, Leave, Session, SessionChange, SetHost, SetPresenter
from collab.ports import Exists, NewSession
from protocol.operations import CellEffect, Effect, Kind, Verb
from protocol.refusals import Ending
from protocol.values import CellId, DiagramId, Role, SessionId, ThreatModelId, User
from rest.ports import Action, Cause, Change, Changed, ChangesWanted, Door, Entry, Page, ThreatModel
from tests.contracts.worlds import ANA, BO, CELLS, MODEL, D, SqlWorld, caller, grow, new_diagram

ALL = ChangesWanted()
FIRST = Page(limit=1_000)
BY_BO = Cause(BO, Door.REST)
S = SessionId("s")


def model(id: str = "m", *entries: Entry) -> ThreatModel:
    return ThreatModel(ThreatModelId(id), ANA, ANA, 0, 0, {"name": id}, entries, {})


def told(changes: Sequence[Change]) -> list[tuple[str, str, str]]:
    return [(change.action.value, change.object_type, change.object_id) for change in changes]


async def of_model(world: SqlWorld, wanted: ChangesWanted = ALL, page: Page = FIRST) -> list[Change]:
    """Oldest first."""
    found, total = await world.trail.of_threat_model(MODEL, wanted, page)
    assert page != FIRST or total == len(found)
    return list(reversed(found))


async def of_diagram(world: SqlWorld, wanted: ChangesWanted = ALL) -> list[Change]:
    """Newest first."""
    found, total = await world.trail.of_diagram(D, wanted, FIRST)
    assert total == len(found)
    return list(found)


async def last(world: SqlWorld) -> Change:
    (found,) = await world.trail.since(await world.trail.newest() - 1, 10)
    return found


async def started(world: SqlWorld) -> Session:
    session = await world.sessions.create(NewSession(S, D, ANA))
    assert isinstance(session, Session)
    return session


async def drawn(world: SqlWorld) -> None:
    """Two operations, the start of a session, three operations of BO, its end."""
    await world.add()
    await grow(world, 2)
    session = await started(world)
    await grow(world, 3, user=BO)
    await world.sessions.change(S, session.version, End(Ending.HOST_LEFT))


class TrailContract:
    """A subclass gives the fixture `world`."""

    async def test_RE40_a_change_says_who_when_what_and_by_which_door(self, world: SqlWorld) -> None:
        await world.models.create(model(), msgspec.structs.replace(BY_BO, detail={"why": "é"}))
        found = await last(world)
        assert found == Change(
            serial=found.serial,
            at_ms=world.clock.ms,
            by=BO,
            action=Action.CREATED,
            object_type="threat_model",
            object_id=MODEL,
            threat_model_id=MODEL,
            diagram_id=None,
            door=Door.REST,
            update_vector=None,
            detail={"why": "é"},
            id=str(found.serial),
        )

    async def test_RE40_each_change_of_a_model_and_its_diagrams_is_one_line(self, world: SqlWorld) -> None:
        created = await world.models.create(model())
        await world.models.change(created)
        await world.models.create_diagram(new_diagram(D, CELLS))
        await world.models.delete_diagram(D)
        assert told(await of_model(world)) == [
            ("created", "threat_model", "m"),
            ("updated", "threat_model", "m"),
            ("created", "diagram", "d"),
            ("deleted", "diagram", "d"),
        ]

    async def test_RE40_a_cause_says_what_the_method_does_not_tell(self, world: SqlWorld) -> None:
        created = await world.models.create(model())
        await world.models.change(created, Cause(BO, Door.REST, Action.DELETED, "metadata"))
        assert told([await last(world)]) == [("deleted", "metadata", "m")]

    async def test_RE40_what_nobody_asked_for_is_the_systems(self, world: SqlWorld) -> None:
        await world.models.create(model())
        found = await last(world)
        assert (found.by, found.door) == (None, Door.SYSTEM)

    async def test_RE41_what_did_not_happen_is_not_told(self, world: SqlWorld) -> None:
        created = await world.models.create(model())
        await world.models.change(created)
        before = await world.trail.newest()
        assert await world.models.change(created) is Changed.STALE
        assert await world.models.change(model("never")) is Changed.GONE
        assert await world.models.delete(ThreatModelId("never")) == []
        assert await world.models.delete_diagram(DiagramId("never")) is Changed.GONE
        strange = msgspec.structs.replace(new_diagram(D, CELLS), threat_model_id=ThreatModelId("never"))
        assert await world.models.create_diagram(strange) is None
        assert await world.trail.newest() == before

    async def test_RE41_the_trail_outlives_what_it_speaks_of(self, world: SqlWorld) -> None:
        await world.add()
        await started(world)
        await world.models.delete(MODEL, BY_BO)
        *_, ended, deleted = await of_model(world)
        assert told([ended, deleted]) == [("ended", "session", "s"), ("deleted", "threat_model", "m")]
        assert (ended.by, ended.door, ended.detail) == (BO, Door.REST, {"reason": "threat_model_deleted"})

    async def test_RE41_since_goes_on_where_the_last_one_ended(self, world: SqlWorld) -> None:
        before = await world.trail.newest()
        for n in range(5):
            await world.models.create(model(f"m{n}"))
        first = await world.trail.since(before, 3)
        rest = await world.trail.since(first[-1].serial, 3)
        assert [change.object_id for change in (*first, *rest)] == ["m0", "m1", "m2", "m3", "m4"]
        assert [change.serial for change in (*first, *rest)] == list(range(before + 1, before + 6))
        assert await world.trail.since(rest[-1].serial, 3) == []

    async def test_RE41_of_many_at_once_each_has_a_serial_of_its_own(self, world: SqlWorld) -> None:
        before = await world.trail.newest()
        await asyncio.gather(*(world.models.create(model(f"m{n}")) for n in range(20)))
        assert [change.serial for change in await world.trail.since(before, 100)] == list(
            range(before + 1, before + 21)
        )

    # sessions

    async def test_RE40_a_session_starts_by_its_host(self, world: SqlWorld) -> None:
        await world.add()
        await grow(world, 2)
        await started(world)
        found = await last(world)
        assert told([found]) == [("started", "session", "s")]
        assert (found.by, found.door, found.diagram_id, found.update_vector) == (ANA, Door.REST, D, 2)
        assert isinstance(await world.sessions.create(NewSession(SessionId("s2"), D, BO)), Exists)
        assert await last(world) == found

    @pytest.mark.parametrize(
        ("end", "by", "door"),
        [
            (End(Ending.HOST_LEFT), ANA, Door.SOCKET),
            (End(Ending.HOST_ENDED, ANA), ANA, Door.REST),
            (End(Ending.OWNER_ENDED, BO), BO, Door.REST),
            (End(Ending.HOST_LOST), None, Door.SYSTEM),
        ],
        ids=lambda value: value.ending.value if isinstance(value, End) else "",
    )
    async def test_RE40_a_session_ends_by_somebody_or_by_itself(
        self, world: SqlWorld, end: End, by: User | None, door: Door
    ) -> None:
        await world.add()
        session = await started(world)
        world.clock.turn(1_000)  # long enough to end by age, too
        await world.sessions.change(S, session.version, end)
        found = await last(world)
        assert told([found]) == [("ended", "session", "s")]
        assert (found.by, found.door, found.detail) == (by, door, {"reason": end.ending.value})

    @pytest.mark.parametrize(
        ("to", "by", "door", "whom"),
        [
            (SetPresenter(BO, ANA), ANA, Door.SOCKET, {"presenter": BO.id}),
            (SetPresenter(None, BO), BO, Door.SOCKET, {"presenter": None}),
            (SetPresenter(None), None, Door.SYSTEM, {"presenter": None}),
            (Deny(BO, ANA), ANA, Door.SOCKET, {"ejected": BO.id}),
            (Deny(BO, None), ANA, Door.SOCKET, {"ejected": BO.id, "presenter": None}),
            (SetHost(BO), None, Door.SYSTEM, {"host": BO.id, "presenter": BO.id}),
        ],
    )
    async def test_RE40_who_presents_hosts_or_is_ejected_is_told(
        self, world: SqlWorld, to: SessionChange, by: User | None, door: Door, whom: dict[str, str | None]
    ) -> None:
        await world.add()
        session = await started(world)
        await world.sessions.change(S, session.version, to)
        found = await last(world)
        assert told([found]) == [("updated", "session", "s")]
        assert (found.by, found.door, found.diagram_id) == (by, door, D)
        assert found.detail == {"changed": [*whom], **whom}

    @pytest.mark.parametrize("to", [HostGone(1), HostBack(), Leave(BO)], ids=lambda to: type(to).__name__)
    async def test_RE40_who_comes_and_goes_is_not_told(self, world: SqlWorld, to: SessionChange) -> None:
        await world.add()
        session = await started(world)
        before = await world.trail.newest()
        await world.sessions.change(S, session.version, to)
        assert await world.trail.newest() == before

    async def test_RE40_that_an_entry_has_found_its_person_is_told(self, world: SqlWorld) -> None:
        await world.models.create(model("m", Entry("user", Role.READER, email=BO.email)))
        await world.accounts.remember(caller(BO, email_verified=True))
        found = await last(world)
        assert told([found]) == [("updated", "authorization", "m")]
        assert (found.by, found.door, found.detail) == (None, Door.SYSTEM, {"reason": "signed_in", "subject": BO.id})
        await world.accounts.remember(caller(BO, email_verified=True))
        assert await last(world) == found

    # one diagram

    async def test_RE42_operations_stand_among_the_changes_by_their_vector(self, world: SqlWorld) -> None:
        await drawn(world)
        found = await of_diagram(world)
        assert [(change.update_vector, change.action.value) for change in found] == [
            (5, "ended"),
            (5, "updated"),
            (4, "updated"),
            (3, "updated"),
            (2, "started"),
            (2, "updated"),
            (1, "updated"),
            (0, "created"),
        ]
        assert len({change.id for change in found}) == len(found)

    async def test_RE42_an_operation_says_who_what_and_by_which_door(self, world: SqlWorld) -> None:
        await world.add()
        cells = tuple(CellEffect(CellId(id), Verb.REMOVE) for id in "ab")
        await grow(world, 1, effect=Effect(cells), group_id="g", operation_id="op")
        found, _ = await of_diagram(world)
        assert (found.serial, found.by, found.door, found.at_ms) == (0, ANA, Door.SOCKET, 1_800_000_000_001)
        assert told([found]) == [("updated", "diagram", "d")]
        assert (found.threat_model_id, found.diagram_id) == (MODEL, D)
        assert found.detail == {"kind": "edit", "operation_id": "op", "group_id": "g", "cells": 2}

    @pytest.mark.parametrize(
        ("kind", "door"), [(Kind.UNDO, Door.SOCKET), (Kind.REDO, Door.SOCKET), (Kind.REST, Door.REST)]
    )
    async def test_RE42_the_kind_tells_the_door(self, world: SqlWorld, kind: Kind, door: Door) -> None:
        await world.add()
        await grow(world, 1, kind=kind)
        found, _ = await of_diagram(world)
        assert (found.detail["kind"], found.door) == (kind, door)

    async def test_RE42_a_very_large_operation_is_told_without_a_count(self, world: SqlWorld) -> None:
        await world.add()
        await grow(world, 1, effect=Effect((CellEffect(CellId("a"), Verb.UPDATE, {"label": "x" * 40_000}),)))
        found, _ = await of_diagram(world)
        assert "cells" not in found.detail

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
    async def test_RE42_pages_make_the_whole(self, world: SqlWorld, limit: int) -> None:
        await drawn(world)
        whole = await of_diagram(world)
        pages: list[Change] = []
        for offset in range(0, 10, limit):
            found, total = await world.trail.of_diagram(D, ALL, Page(limit, offset))
            assert total == 8
            pages += found
        assert pages == whole

    async def test_RE42_beyond_the_last_page_there_is_nothing(self, world: SqlWorld) -> None:
        await drawn(world)
        for offset in (8, 999_999_999_999_999):
            assert await world.trail.of_diagram(D, ALL, Page(20, offset)) == ([], 8)
            assert await world.trail.of_threat_model(MODEL, ALL, Page(20, offset)) == ([], 4)

    async def test_RE42_the_trail_goes_through_all_epochs(self, world: SqlWorld) -> None:
        await world.add()
        await grow(world, 2)
        await world.database.transaction(lambda tx: tx.execute("UPDATE diagram_op SET epoch = 'a' WHERE vector = 1"))
        await world.database.transaction(lambda tx: tx.execute("UPDATE diagram_head SET epoch = 'f'"))
        await grow(world, 2)
        assert [change.update_vector for change in await of_diagram(world)] == [4, 3, 2, 1, 0]

    async def test_RE42_a_diagrams_trail_is_no_other_diagrams(self, world: SqlWorld) -> None:
        await drawn(world)
        await world.add(DiagramId("d2"))
        found, total = await world.trail.of_diagram(DiagramId("d2"), ALL, FIRST)
        assert (told(found), total) == ([("created", "diagram", "d2")], 1)
        assert await world.trail.of_diagram(DiagramId("never"), ALL, FIRST) == ([], 0)

    async def test_RE42_a_threat_models_trail_leaves_the_operations_out(self, world: SqlWorld) -> None:
        await drawn(world)
        assert told(await of_model(world)) == [
            ("created", "threat_model", "m"),
            ("created", "diagram", "d"),
            ("started", "session", "s"),
            ("ended", "session", "s"),
        ]

    # filters

    @pytest.mark.parametrize(
        ("wanted", "vectors"),
        [
            ({"by": BO.id}, [5, 4, 3]),
            ({"by": ANA.id}, [5, 2, 2, 1]),
            ({"actions": ("updated",)}, [5, 4, 3, 2, 1]),
            ({"actions": ("started", "ended")}, [5, 2]),
            ({"object_types": ("diagram",)}, [5, 4, 3, 2, 1, 0]),
            ({"object_types": ("session", "threat")}, [5, 2]),
            ({"object_types": ("diagram",), "since_ms": 1_800_000_000_002}, [5, 4, 3, 2]),
            ({"actions": ("updated",), "until_ms": 1_800_000_000_004}, [3, 2, 1]),
            ({"actions": ("updated",), "since_ms": 1_800_000_000_002, "until_ms": 1_800_000_000_004}, [3, 2]),
            ({"actions": ("updated",), "by": BO.id, "since_ms": 1_800_000_000_004}, [5, 4]),
            ({"since_ms": 1_900_000_000_000}, []),
            ({"until_ms": 1}, []),
        ],
    )
    async def test_RE42_a_diagrams_trail_is_filtered(
        self, world: SqlWorld, wanted: dict[str, Any], vectors: list[int]
    ) -> None:
        await drawn(world)
        assert [change.update_vector for change in await of_diagram(world, ChangesWanted(**wanted))] == vectors

    async def test_RE42_a_threat_models_trail_is_filtered_and_paged(self, world: SqlWorld) -> None:
        await world.models.create(model(), Cause(ANA, Door.REST))
        for n in range(4):
            world.clock.turn(1)
            await world.models.create_diagram(new_diagram(DiagramId(f"d{n}"), CELLS), BY_BO)
        by_bo = ChangesWanted(by=BO.id)
        found, total = await world.trail.of_threat_model(MODEL, by_bo, Page(2, 1))
        assert (told(found), total) == ([("created", "diagram", "d2"), ("created", "diagram", "d1")], 4)
        late = ChangesWanted(since_ms=world.clock.ms - 1_000, until_ms=world.clock.ms)
        assert told(await of_model(world, late)) == [("created", "diagram", "d2")]

    async def test_hostile_words_find_nothing(self, world: SqlWorld) -> None:
        await drawn(world)
        hostile = "' OR 1=1 --"
        for wanted in (
            ChangesWanted((hostile,)),
            ChangesWanted((), (hostile,)),
            ChangesWanted((), (), User("", hostile, "", "").id),
        ):
            assert await of_diagram(world, wanted) == []
            assert await of_model(world, wanted) == []
