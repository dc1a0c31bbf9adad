"""A diagram is opened from its newest sound snapshot, and not at all where none leads to the head."""

from __future__ import annotations

import logging

import msgspec
import pytest

from collab import loading
from collab.core.events import Gone
from collab.core.replica import Replica
from collab.loading import Opened, load
from collab.ports import StoreUnavailable
from protocol.values import DiagramId, Epoch, Limits
from storage.diagrams_memory import MemoryDiagrams
from tests.contracts.worlds import MODEL, D, MemoryWorld
from tests.support.drawing import ANA, add, applied, diagram, logged, node
from tests.support.stored import founding, snapshot_of

THERE = diagram(node("a"))
FIRST = applied(THERE, add(node("b")))
SECOND = applied(FIRST.diagram, add(node("c")), user=ANA)


@pytest.fixture
async def world() -> MemoryWorld:
    """Two operations on one node; snapshots at 0 and 1."""
    world = MemoryWorld()
    world.store.create_diagram(founding(THERE, D, MODEL))
    for outcome in (FIRST, SECOND):
        record = world.store.diagrams[D]
        operation = logged(outcome)
        record.log[record.head.epoch].append(operation)
        record.head = msgspec.structs.replace(record.head, vector=operation.vector, state_hash=operation.state_hash)
    await world.diagrams.snapshot(D, snapshot_of(FIRST.diagram))
    return world


def spoil(world: MemoryWorld, which: int) -> None:
    snapshots = world.store.diagrams[D].snapshots
    snapshots[which] = msgspec.structs.replace(snapshots[which], cells=(node("other"),))


async def opened(diagrams: MemoryDiagrams) -> Opened:
    found = await load(diagrams, D)
    assert isinstance(found, Opened)
    return found


async def test_a_diagram_is_opened_at_its_head(world: MemoryWorld) -> None:
    found = await opened(world.diagrams)
    assert found.threat_model == MODEL
    assert (found.loaded.diagram.vector, found.loaded.diagram.state_hash) == (2, SECOND.diagram.state_hash)
    assert list(found.loaded.diagram.order()) == ["a", "b", "c"]


async def test_it_brings_what_it_replayed_and_the_permission_clock(world: MemoryWorld) -> None:
    world.store.diagrams[D].raise_acl()
    loaded = (await opened(world.diagrams)).loaded
    assert [operation.vector for operation in loaded.recent] == [2]
    assert loaded.acl_version == world.store.diagrams[D].head.acl_version == 2


@pytest.mark.parametrize("resumable", [1, 2, 9])
async def test_WS17_a_fresh_snapshot_does_not_shorten_what_one_may_resume_from(
    world: MemoryWorld, resumable: int
) -> None:
    await world.diagrams.snapshot(D, snapshot_of(SECOND.diagram))
    found = await load(world.diagrams, D, resumable)
    assert isinstance(found, Opened)
    assert [operation.vector for operation in found.loaded.recent] == [1, 2]
    assert Replica(found.loaded, Limits(resume_operations=1)).hash_at(1) == FIRST.diagram.state_hash


async def test_WS17_the_log_is_read_page_by_page_and_only_as_far_as_a_mebibyte(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PAGE", 1)
    await world.diagrams.snapshot(D, snapshot_of(SECOND.diagram))
    for reached, size in (([1, 2], 10_000), ([2], 10)):
        monkeypatch.setattr(loading, "RESUME_BYTES", size)
        found = await load(world.diagrams, D, 9)
        assert isinstance(found, Opened)
        assert [operation.vector for operation in found.loaded.recent] == reached


async def test_the_hash_before_what_was_replayed_is_the_snapshot_s(world: MemoryWorld) -> None:
    assert (await opened(world.diagrams)).loaded.before == (1, FIRST.diagram.state_hash)


async def test_an_unknown_and_a_deleted_diagram_are_gone(world: MemoryWorld) -> None:
    assert await load(world.diagrams, DiagramId("never")) == Gone()
    world.store.delete_diagram(D)
    assert await load(world.diagrams, D) == Gone()


async def test_a_damaged_newest_snapshot_gives_way_to_the_older(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(world, -1)
    assert (await opened(world.diagrams)).loaded.diagram.state_hash == SECOND.diagram.state_hash
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_I30_a_damaged_diagram_is_away_and_only_it(world: MemoryWorld) -> None:
    spoil(world, 0)
    spoil(world, -1)
    other = DiagramId("other")
    world.store.create_diagram(founding(diagram(node("a")), other, MODEL))
    with pytest.raises(StoreUnavailable, match="damaged"):
        await load(world.diagrams, D)
    assert isinstance(await load(world.diagrams, other), Opened)


async def test_a_snapshot_of_another_epoch_is_not_believed(world: MemoryWorld) -> None:
    record = world.store.diagrams[D]
    record.head = msgspec.structs.replace(record.head, epoch=Epoch("later"))
    record.log[Epoch("later")] = []
    with pytest.raises(StoreUnavailable):
        await load(world.diagrams, D)
