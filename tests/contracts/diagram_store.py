"""What every DiagramStore owes, `collab.ports.DiagramStore` sentence by sentence."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from collab.core.effects import Commit
from collab.core.events import CaughtUp, Committed, Gone, Known, Missed
from collab.core.meeting import End, Session, SetPresenter
from collab.ports import NewSession, SnapshotData, StoredDiagram, Watched
from protocol.operations import CellEffect, CellInverse, Effect, Inverse, Kind, Outcome, Skipped, Verb, Verdict
from protocol.refusals import Ending, Reason, Refusal
from protocol.values import CellId, DiagramId, Epoch, Head, OperationId, Role, SessionId, User
from tests.contracts.worlds import (
    ANA,
    BO,
    CELLS,
    EPOCH,
    MODEL,
    D,
    World,
    batch,
    grow,
    head_of,
    operation,
    outcome,
)

DAY_S = 24 * 3_600
OTHER = Epoch("00000000000000bb")


def snapshot(vector: int, **more: Any) -> SnapshotData:
    values: dict[str, Any] = {"epoch": EPOCH, "vector": vector, "cells": CELLS, "touched": None}
    values["state_hash"] = operation(vector).state_hash
    return SnapshotData(**(values | more))


async def loaded(world: World, id: DiagramId = D) -> StoredDiagram:
    found = await world.diagrams.load(id)
    assert isinstance(found, StoredDiagram)
    return found


async def logged(world: World, id: DiagramId = D, epoch: Epoch = EPOCH) -> list[int]:
    return [operation.vector async for operation in world.diagrams.log(id, epoch)]


class DiagramStoreContract:
    """A subclass gives the fixture `world`."""

    # load and older

    async def test_VEC1_a_new_diagram_stands_at_vector_0_with_its_cells(self, world: World) -> None:
        head = await world.add()
        found = await loaded(world)
        assert (found.diagram, found.threat_model_id, found.head, found.tail) == (D, MODEL, head, ())
        assert (head.vector, head.epoch, found.snapshot.vector) == (0, EPOCH, 0)
        assert found.snapshot.cells == CELLS
        assert found.snapshot.state_hash == head.state_hash

    async def test_cells_keep_their_order_and_their_keys_order(self, world: World) -> None:
        await world.add()
        found = await loaded(world)
        assert [list(cell) for cell in found.snapshot.cells] == [list(cell) for cell in CELLS]

    @pytest.mark.parametrize("read", ["load", "older"])
    async def test_an_unknown_or_deleted_diagram_is_gone(self, world: World, read: str) -> None:
        assert await getattr(world.diagrams, read)(D) == Gone()
        await world.add()
        await world.delete()
        assert await getattr(world.diagrams, read)(D) == Gone()

    async def test_load_gives_the_newest_snapshot_and_the_log_after_it(self, world: World) -> None:
        await world.add()
        head = await grow(world, 5)
        await world.diagrams.snapshot(D, snapshot(3, cells=CELLS[:1], touched={"floor": 0, "cells": {"a": [1]}}))
        found = await loaded(world)
        assert found.head == head
        assert found.snapshot == snapshot(3, cells=CELLS[:1], touched={"floor": 0, "cells": {"a": [1]}})
        assert [done.vector for done in found.tail] == [4, 5]

    async def test_older_gives_the_oldest_snapshot_kept_and_the_log_after_it(self, world: World) -> None:
        await world.add()
        await grow(world, 5)
        await world.diagrams.snapshot(D, snapshot(3))
        found = await world.diagrams.older(D)
        assert isinstance(found, StoredDiagram)
        assert (found.snapshot.vector, [done.vector for done in found.tail]) == (0, [1, 2, 3, 4, 5])

    # commit

    async def test_VEC2_n_operations_take_exactly_n_vectors(self, world: World) -> None:
        head = await world.add()
        assert await world.diagrams.commit(D, batch(head, operation(1), operation(2), operation(3))) == Committed()
        after = await head_of(world)
        assert after == Head(EPOCH, 3, operation(3).state_hash, head.acl_version)
        assert await logged(world) == [1, 2, 3]

    async def test_I1_what_was_committed_is_read_back_whole(self, world: World) -> None:
        head = await world.add()
        edge = {"id": "e", "shape": "flow", "source": {"cell": "a"}, "target": {"cell": "b"}, "opacity": 1e-7}
        first = operation(
            1,
            BO,
            kind=Kind.REST,
            group_id="drag-1",
            effect=Effect(
                (
                    CellEffect(CellId("e"), Verb.ADD, edge),
                    CellEffect(CellId("a"), Verb.UPDATE, {"label": None, "x": 9007199254740991}, also=("y",)),
                    CellEffect(CellId("b"), Verb.REMOVE),
                ),
                order=(CellId("e"), CellId("a")),
            ),
            inverse=Inverse(
                (
                    CellInverse(CellId("e"), Verb.REMOVE),
                    CellInverse(CellId("a"), Verb.UPDATE, None, ((("attrs", "body"), ()), (("x",), (1.5,)))),
                    CellInverse(CellId("b"), Verb.ADD, CELLS[1]),
                ),
                order=(CellId("a"), CellId("b")),
            ),
            state_hash=2**128 - 1,
        )
        second = operation(2, kind=Kind.UNDO, undo_of=1, state_hash=0)
        await world.diagrams.commit(D, batch(head, first, second))
        assert (await loaded(world)).tail == (first, second)
        assert (await head_of(world)).state_hash == 0

    async def test_VEC2_of_many_commits_on_one_base_one_wins(self, world: World) -> None:
        head = await world.add()
        commits = [batch(head, operation(1, operation_id=OperationId(f"by-{n}"))) for n in range(20)]
        outcomes = await asyncio.gather(*(world.diagrams.commit(D, commit) for commit in commits))
        assert outcomes.count(Committed()) == 1
        (done,) = (await loaded(world)).tail
        winner = await head_of(world)
        assert all(lost == Missed(winner, (done,)) for lost in outcomes if lost != Committed())

    async def test_I3_writers_who_try_again_leave_a_log_without_gap_or_repeat(self, world: World) -> None:
        await world.add()

        async def write(name: str) -> None:
            for turn in range(5):
                head = await head_of(world)
                while True:
                    mine = operation(head.vector + 1, operation_id=OperationId(f"{name}-{turn}"))
                    match await world.diagrams.commit(D, batch(head, mine)):
                        case Missed(head=newer):
                            head = newer
                        case Committed():
                            break

        await asyncio.gather(*(write(name) for name in "abcdef"))
        assert await logged(world) == list(range(1, 31))
        assert (await head_of(world)).vector == 30

    @pytest.mark.parametrize(
        "moved",
        [{"vector": 1}, {"vector": 3}, {"acl_version": 0}, {"acl_version": 9}, {"epoch": OTHER}, {"state_hash": 9}],
    )
    async def test_I12_a_commit_on_another_base_leaves_no_trace(self, world: World, moved: dict[str, Any]) -> None:
        await world.add()
        head = await grow(world, 2)
        base = msgspec.structs.replace(head, **moved)
        late = batch(base, operation(base.vector + 1, BO))
        missed = await world.diagrams.commit(D, late)
        assert isinstance(missed, Missed)
        assert missed.head == head == await head_of(world)
        assert await logged(world) == [1, 2]
        # nor an outcome: the id is free
        assert await world.diagrams.commit(D, batch(head, operation(3, BO))) == Committed()

    async def test_a_miss_carries_the_operations_after_the_base(self, world: World) -> None:
        base = await world.add()
        head = await grow(world, 3)
        missed = await world.diagrams.commit(D, batch(msgspec.structs.replace(base, vector=1), operation(2, BO)))
        assert missed == Missed(head, (operation(2), operation(3)))

    async def test_a_miss_of_another_epoch_carries_no_operations(self, world: World) -> None:
        await world.add()
        head = await grow(world, 3)
        base = Head(OTHER, 1, 0, head.acl_version)
        assert await world.diagrams.commit(D, batch(base, operation(2, BO))) == Missed(head, ())

    async def test_AU15_a_right_that_changed_makes_the_commit_miss(self, world: World) -> None:
        base = await world.add()
        await world.allow(BO, Role.READER)
        head = await head_of(world)
        assert head.acl_version > base.acl_version
        assert await world.diagrams.commit(D, batch(base, operation(1, BO))) == Missed(head, ())
        assert await logged(world) == []

    async def test_a_commit_to_a_deleted_or_unknown_diagram_is_gone(self, world: World) -> None:
        head = await world.add()
        await world.delete()
        for acl_version in (head.acl_version, head.acl_version + 1):
            base = msgspec.structs.replace(head, acl_version=acl_version)
            assert await world.diagrams.commit(D, batch(base, operation(1))) == Gone()
        assert await world.diagrams.commit(DiagramId("never"), batch(head, operation(1))) == Gone()
        assert await logged(world) == []

    async def test_VEC3_a_batch_without_operations_confirms_the_head(self, world: World) -> None:
        await world.add()
        head = await grow(world, 2)
        assert await world.diagrams.commit(D, Commit(head, (), ())) == Committed()
        noted = outcome(operation(9, BO), verdict=Verdict.NO_OP, vector=2)
        assert await world.diagrams.commit(D, batch(head, also=(noted,))) == Committed()
        assert await head_of(world) == head

    async def test_a_batch_without_operations_misses_a_head_that_moved(self, world: World) -> None:
        base = await world.add()
        head = await grow(world, 1)
        noted = outcome(operation(9, BO), verdict=Verdict.NO_OP, vector=0)
        assert await world.diagrams.commit(D, batch(base, also=(noted,))) == Missed(head, (operation(1),))

    # outcomes

    async def test_VEC8_an_id_gets_its_first_outcome_again(self, world: World) -> None:
        head = await world.add()
        refused = outcome(
            operation(2, BO, kind=Kind.UNDO),
            verdict=Verdict.REFUSED,
            refusal=Refusal(
                Reason.CONFLICT_DETECTED, "moved", (CellId("a"),), retry=True, retry_after_ms=9, details={"n": [1]}
            ),
        )
        no_op = outcome(
            operation(3, BO),
            verdict=Verdict.NO_OP,
            skipped=(Skipped(CellId("a"), ("x", "attrs/body/fill"), "changed"),),
        )
        accepted = outcome(operation(1))
        await world.diagrams.commit(D, batch(head, operation(1), also=(refused, no_op)))
        now = await head_of(world)
        again = Commit(now, (), (accepted, refused, no_op))
        assert await world.diagrams.commit(D, again) == Known({(o.user, o.operation_id): o for o in again.outcomes})

    async def test_I4_a_batch_with_a_known_id_writes_nothing(self, world: World) -> None:
        await world.add()
        head = await grow(world, 1)
        repeated = operation(3, operation_id=OperationId("op-1"))
        known = await world.diagrams.commit(D, batch(head, operation(2, BO), repeated))
        assert known == Known({(ANA.id, OperationId("op-1")): outcome(operation(1))})
        assert await head_of(world) == head
        assert await logged(world) == [1]
        assert await world.diagrams.commit(D, batch(head, operation(2, BO))) == Committed()

    async def test_VEC9_an_id_with_another_payload_meets_the_first_and_changes_nothing(self, world: World) -> None:
        await world.add()
        head = await grow(world, 1)
        other = outcome(operation(2, operation_id=OperationId("op-1")), payload_sha256=b"\x02" * 32)
        known = await world.diagrams.commit(
            D, Commit(head, (operation(2, operation_id=OperationId("op-1")),), (other,))
        )
        assert known == Known({(ANA.id, OperationId("op-1")): outcome(operation(1))})
        assert await logged(world) == [1]

    async def test_VEC10_an_id_of_another_user_or_diagram_is_another_one(self, world: World) -> None:
        await world.add()
        await world.add(DiagramId("d2"))
        head = await grow(world, 1)
        theirs = operation(2, BO, operation_id=OperationId("op-1"))
        assert await world.diagrams.commit(D, batch(head, theirs)) == Committed()
        second = await head_of(world, DiagramId("d2"))
        assert await world.diagrams.commit(DiagramId("d2"), batch(second, operation(1))) == Committed()

    async def test_known_is_said_only_while_the_base_stands(self, world: World) -> None:
        """So whoever hears of an outcome holds the operations up to its vector already."""
        base = await world.add()
        head = await grow(world, 1)
        assert await world.diagrams.commit(D, batch(base, operation(1))) == Missed(head, (operation(1),))

    async def test_ids_that_look_alike_are_not_mixed_up(self, world: World) -> None:
        """Users {ana, bo} and ids {1, 2} span four keys, of which two are known."""
        head = await world.add()
        first = [operation(1, ANA, operation_id=OperationId("1")), operation(2, BO, operation_id=OperationId("2"))]
        await world.diagrams.commit(D, batch(head, *first))
        await world.diagrams.commit(D, batch(await head_of(world), operation(3, ANA, operation_id=OperationId("2"))))
        again = (outcome(first[0]), outcome(first[1]))
        known = await world.diagrams.commit(D, Commit(await head_of(world), (), again))
        assert known == Known({(o.user, o.operation_id): o for o in again})

    # since, history, heads, diagrams, log

    async def test_since_gives_everything_after_in_order(self, world: World) -> None:
        base = await world.add()
        head = await grow(world, 3)
        assert await world.diagrams.since(D, base) == CaughtUp(head, (operation(1), operation(2), operation(3)))
        assert await world.diagrams.since(D, head) == CaughtUp(head, ())

    async def test_since_another_epoch_or_from_above_gives_no_operations(self, world: World) -> None:
        await world.add()
        head = await grow(world, 3)
        assert await world.diagrams.since(D, Head(OTHER, 1, 0, 0)) == CaughtUp(head, ())
        assert await world.diagrams.since(D, msgspec.structs.replace(head, vector=9)) == CaughtUp(head, ())

    async def test_since_sees_what_was_committed_before_the_call(self, world: World) -> None:
        base = await world.add()
        for vector in range(1, 20):
            await grow(world, 1)
            found = await world.diagrams.since(D, base)
            assert isinstance(found, CaughtUp)
            assert (found.head.vector, len(found.operations)) == (vector, vector)

    async def test_since_of_a_deleted_diagram_is_gone(self, world: World) -> None:
        head = await world.add()
        await world.delete()
        assert await world.diagrams.since(D, head) == Gone()

    async def test_history_is_the_users_newest_oldest_first(self, world: World) -> None:
        await world.add()
        await grow(world, 3)
        await grow(world, 2, user=BO)
        await grow(world, 2)
        newest = await world.diagrams.history(D, EPOCH, ANA.id, 3)
        assert [done.vector for done in newest] == [3, 6, 7]
        assert [done.vector for done in await world.diagrams.history(D, EPOCH, BO.id, 99)] == [4, 5]
        assert await world.diagrams.history(D, OTHER, ANA.id, 3) == ()
        assert await world.diagrams.history(D, EPOCH, ANA.id, 0) == ()

    async def test_history_without_a_user_is_everybodys(self, world: World) -> None:
        await world.add()
        await grow(world, 2)
        await grow(world, 2, user=BO)
        everybodys = await world.diagrams.history(D, EPOCH, None, 3)
        assert [(step.vector, step.user) for step in everybodys] == [(2, ANA), (3, BO), (4, BO)]
        assert await world.diagrams.history(D, OTHER, None, 3) == ()

    async def test_UN6_history_holds_what_had_no_effect_behind_the_operation_at_its_vector(self, world: World) -> None:
        def futile(id: str, vector: int, user: User = ANA, **more: Any) -> Outcome:
            values = {"kind": Kind.UNDO, "verdict": Verdict.NO_OP, "operation_id": OperationId(id), **more}
            return outcome(operation(vector, user), **values)

        await world.add()
        left = (Skipped(CellId("a"), ("x",), "changed"),)
        undone, redone = futile("u1", 1, undo_of=1), futile("r2", 2, kind=Kind.REDO, skipped=left, undo_of=2)
        others = (
            futile("b1", 2, BO),
            futile("edit", 2, kind=Kind.EDIT),
            futile("refused", 2, verdict=Verdict.REFUSED),
            futile("former", 2, epoch=OTHER),
        )
        await grow(world, 1)
        await world.diagrams.commit(D, batch(await head_of(world), also=(undone,)))
        await grow(world, 1)
        await world.diagrams.commit(D, batch(await head_of(world), also=(redone, *others)))
        await grow(world, 1)
        steps = (operation(1), undone, operation(2), redone, operation(3))
        assert await world.diagrams.history(D, EPOCH, ANA.id, 9) == steps
        assert await world.diagrams.history(D, EPOCH, ANA.id, 2) == steps[2:]
        assert await world.diagrams.history(D, EPOCH, BO.id, 9) == ()
        assert others[0] in await world.diagrams.history(D, EPOCH, None, 9)
        assert await world.diagrams.history(D, EPOCH, ANA.id, 1, 3) == steps[2:4]
        assert await world.diagrams.history(D, EPOCH, ANA.id, 9, 2) == steps[:2]
        assert await world.diagrams.history(D, EPOCH, ANA.id, 9, 1) == ()
        assert others[0] not in await world.diagrams.history(D, EPOCH, None, 9, 2)

    async def test_diagrams_are_kept_apart(self, world: World) -> None:
        await world.add()
        await world.add(DiagramId("d2"))
        await grow(world, 2)
        assert (await loaded(world, DiagramId("d2"))).tail == ()
        assert await world.diagrams.history(DiagramId("d2"), EPOCH, ANA.id, 9) == ()
        assert await logged(world, DiagramId("d2")) == []

    @pytest.mark.parametrize(
        ("vector", "rows", "found"), [(5, 2, [4, 5]), (4, 2, [3, 4]), (9, 9, [1, 2, 3, 4, 5]), (0, 9, []), (5, 0, [])]
    )
    async def test_WS17_the_newest_operations_at_or_below_a_vector(
        self, world: World, vector: int, rows: int, found: list[int]
    ) -> None:
        await world.add()
        await grow(world, 5)
        newest = await world.diagrams.newest(D, EPOCH, vector, rows)
        assert [done.vector for done in newest] == found
        assert await world.diagrams.newest(D, OTHER, vector, rows) == ()
        assert await world.diagrams.newest(DiagramId("d2"), EPOCH, vector, rows) == ()

    @pytest.mark.parametrize(("vector", "remembers"), [(0, True), (19, True), (20, True), (21, False), (99, False)])
    async def test_WS18_what_was_accepted_lately_is_remembered(
        self, world: World, vector: int, remembers: bool
    ) -> None:
        await self.prunable(world)
        assert await world.diagrams.remembers(D, EPOCH, vector) is remembers
        assert await world.diagrams.remembers(D, OTHER, vector) is False
        assert await world.diagrams.remembers(DiagramId("never"), EPOCH, vector) is False

    async def test_WS18_what_was_accepted_longer_ago_than_ids_live_is_forgotten(self, world: World) -> None:
        await self.prunable(world)
        world.clock.turn(29 * DAY_S - 1)
        assert await world.diagrams.remembers(D, EPOCH, 5)
        world.clock.turn(1)
        assert not await world.diagrams.remembers(D, EPOCH, 5)
        assert await world.diagrams.remembers(D, EPOCH, 20), "nothing was accepted after the head"

    async def test_WS18_what_the_log_does_not_hold_any_more_counts_as_forgotten(self, world: World) -> None:
        await self.prunable(world)
        await world.diagrams.prune(0, DAY_S * 1000)
        assert [await world.diagrams.remembers(D, EPOCH, vector) for vector in (9, 10, 11)] == [False, True, True]

    async def test_what_is_watched_is_a_head_and_its_live_session(self, world: World) -> None:
        head = await world.add()
        other = await world.add(DiagramId("d2"))
        session = await world.sessions.create(NewSession(SessionId("s"), D, ANA))
        assert isinstance(session, Session)
        changed = await world.sessions.change(session.id, session.version, SetPresenter(None))
        assert isinstance(changed, Session)
        watched = {D: Watched(head, SessionId("s"), changed.version), DiagramId("d2"): Watched(other)}
        assert await world.diagrams.watched([D, DiagramId("d2"), DiagramId("none")]) == watched
        await world.sessions.change(session.id, changed.version, End(Ending.HOST_ENDED))
        assert (await world.diagrams.watched([D]))[D].session is None
        await world.delete()
        assert await world.diagrams.watched([D]) == {}

    async def test_heads_are_of_those_that_live(self, world: World) -> None:
        one, two = await world.add(), await world.add(DiagramId("d2"))
        await world.add(DiagramId("d3"))
        await world.delete(DiagramId("d3"))
        ids = [D, DiagramId("d2"), DiagramId("d3"), DiagramId("never")]
        assert await world.diagrams.heads(ids) == {D: one, DiagramId("d2"): two}
        assert await world.diagrams.heads([]) == {}
        assert await world.diagrams.diagrams() == [D, "d2"]

    async def test_the_log_is_whole_and_in_order(self, world: World) -> None:
        await world.add()
        for _ in range(3):
            await grow(world, 700)
        assert await logged(world) == list(range(1, 2_101))
        assert await logged(world, epoch=OTHER) == []
        assert await logged(world, DiagramId("never")) == []

    # snapshots

    async def test_the_two_newest_snapshots_stay(self, world: World) -> None:
        await world.add()
        await grow(world, 9)
        for vector in (3, 6, 9):
            await world.diagrams.snapshot(D, snapshot(vector))
        assert (await loaded(world)).snapshot == snapshot(9)
        older = await world.diagrams.older(D)
        assert isinstance(older, StoredDiagram)
        assert older.snapshot == snapshot(6)

    @pytest.mark.parametrize("bad", [{"vector": 3}, {"vector": 2}, {"vector": 6}, {"vector": 5, "epoch": OTHER}])
    async def test_a_snapshot_that_is_not_newer_or_above_the_head_is_not_kept(
        self, world: World, bad: dict[str, Any]
    ) -> None:
        await world.add()
        await grow(world, 5)
        await world.diagrams.snapshot(D, snapshot(3))
        await world.diagrams.snapshot(D, snapshot(**({"state_hash": 77} | bad)))
        assert (await loaded(world)).snapshot == snapshot(3)
        older = await world.diagrams.older(D)
        assert isinstance(older, StoredDiagram)
        assert older.snapshot.vector == 0

    async def test_I13_a_snapshot_that_is_not_what_the_log_says_is_not_kept(self, world: World) -> None:
        """Of a room whose memory was damaged, or that has not heard yet that the store lost time."""
        await world.add()
        await grow(world, 5)
        await world.diagrams.snapshot(D, snapshot(3, state_hash=77))
        assert (await loaded(world)).snapshot.vector == 0

    async def test_a_snapshot_of_a_deleted_diagram_is_let_go(self, world: World) -> None:
        await world.add()
        await world.delete()
        await world.diagrams.snapshot(D, snapshot(0))
        assert await world.diagrams.load(D) == Gone()

    # pruning

    async def prunable(self, world: World) -> None:
        """20 operations, snapshots at 10 and 15, a day old."""
        await world.add()
        for _ in range(20):
            await grow(world, 1, at_ms=world.clock.ms)
        for vector in (10, 15):
            await world.diagrams.snapshot(D, snapshot(vector))
        world.clock.turn(DAY_S + 1)

    async def test_pruning_ends_at_the_older_snapshot(self, world: World) -> None:
        await self.prunable(world)
        assert await world.diagrams.prune(0, DAY_S * 1000) == 10
        assert await logged(world) == list(range(11, 21))
        older = await world.diagrams.older(D)
        assert isinstance(older, StoredDiagram)
        assert [done.vector for done in older.tail] == list(range(11, 21))

    async def test_pruning_keeps_the_newest_operations(self, world: World) -> None:
        await self.prunable(world)
        assert await world.diagrams.prune(14, DAY_S * 1000) == 6
        assert await logged(world) == list(range(7, 21))

    async def test_pruning_keeps_young_operations(self, world: World) -> None:
        await self.prunable(world)
        assert await world.diagrams.prune(0, (DAY_S + 2) * 1000) == 0
        assert await logged(world) == list(range(1, 21))

    async def test_pruning_leaves_no_hole_where_clocks_differ(self, world: World) -> None:
        """Vector 3 was stamped by a clock that ran ahead: it keeps what follows it."""
        await world.add()
        for vector in range(1, 11):
            ahead = 3_600_000 if vector == 3 else 0
            await grow(world, 1, at_ms=world.clock.ms + ahead)
        for vector in (9, 10):
            await world.diagrams.snapshot(D, snapshot(vector))
        world.clock.turn(DAY_S + 1)
        assert await world.diagrams.prune(0, DAY_S * 1000) == 2
        assert await logged(world) == list(range(3, 11))

    async def test_who_asks_from_below_the_floor_gets_no_part_of_the_way(self, world: World) -> None:
        await self.prunable(world)
        await world.diagrams.prune(0, DAY_S * 1000)
        head = await head_of(world)
        below = msgspec.structs.replace(head, vector=9)
        assert await world.diagrams.since(D, below) == CaughtUp(head, ())
        assert await world.diagrams.commit(D, batch(below, operation(10, BO))) == Missed(head, ())

    async def test_a_deleted_diagram_leaves_nothing_but_its_head(self, world: World) -> None:
        await self.prunable(world)
        await world.delete()
        assert await world.diagrams.prune(0, DAY_S * 1000) == 0
        assert await logged(world) == list(range(1, 21))
        world.clock.turn(DAY_S + 1)
        assert await world.diagrams.prune(0, DAY_S * 1000) == 20 + 20 + 2
        assert await logged(world) == []
        assert await world.diagrams.prune(0, DAY_S * 1000) == 0
        assert await world.diagrams.load(D) == Gone()

    @pytest.mark.parametrize(("verdict", "days"), [(Verdict.ACCEPTED, 30), (Verdict.NO_OP, 1), (Verdict.REFUSED, 1)])
    async def test_VEC8_outcomes_are_remembered_for_30_days_or_24_hours(
        self, world: World, verdict: Verdict, days: int
    ) -> None:
        head = await world.add()
        noted = outcome(operation(9, BO), verdict=verdict, vector=0)
        again = batch(head, also=(noted,))
        assert await world.diagrams.commit(D, again) == Committed()
        world.clock.turn(days * DAY_S)
        assert await world.diagrams.prune(0, 0) == 0
        assert isinstance(await world.diagrams.commit(D, again), Known)
        world.clock.turn(1)
        assert await world.diagrams.prune(0, 0) == 1
        assert await world.diagrams.commit(D, again) == Committed()

    @pytest.mark.parametrize("kind", [Kind.UNDO, Kind.REDO])
    async def test_UN6_that_an_entry_was_used_up_is_remembered_for_30_days(self, world: World, kind: Kind) -> None:
        head = await world.add()
        noted = outcome(operation(9, BO), verdict=Verdict.NO_OP, vector=0, kind=kind)
        assert await world.diagrams.commit(D, batch(head, also=(noted,))) == Committed()
        world.clock.turn(30 * DAY_S)
        assert await world.diagrams.prune(0, 0) == 0
        world.clock.turn(1)
        assert await world.diagrams.prune(0, 0) == 1

    @pytest.mark.parametrize("kind", [Kind.UNDO, Kind.REDO])
    async def test_UN6_UN11_that_an_entry_was_used_up_is_remembered_as_long_as_the_log_below_it(
        self, world: World, kind: Kind
    ) -> None:
        await world.add()
        head = await grow(world, 2, at_ms=world.clock.ms)
        used_up = outcome(operation(9), verdict=Verdict.NO_OP, vector=2, kind=kind)
        former = msgspec.structs.replace(used_up, epoch=OTHER, operation_id=OperationId("former"))
        assert await world.diagrams.commit(D, batch(head, also=(used_up, former))) == Committed()
        await grow(world, 1, at_ms=world.clock.ms)
        world.clock.turn(40 * DAY_S)
        assert await world.diagrams.prune(0, DAY_S * 1000) == 3 + 1, "what was accepted, and the one of a former epoch"
        steps = await world.diagrams.history(D, EPOCH, ANA.id, 9)
        assert [step.vector for step in steps] == [1, 2, 2, 3]
        assert steps[2] == used_up
        for vector in (2, 3):
            await world.diagrams.snapshot(D, snapshot(vector))
        assert await world.diagrams.prune(0, DAY_S * 1000) == 3, "both operations and what was used up of them"
        assert await logged(world) == [3]
