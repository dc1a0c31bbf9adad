"""Of the log as much is read as an undo stack takes, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from collab import history as reading
from collab.core.history import Stacks
from collab.core.kept import Done, Step, step
from collab.history import history
from protocol.operations import CellEffect, CellInverse, Effect, Inverse, Kind, Verb, Verdict
from protocol.values import CellId, Epoch, OperationId, UserId
from storage.diagrams_memory import MemoryDiagrams
from tests.contracts.worlds import ANA, BO, EPOCH, D, MemoryWorld, batch, grow, head_of, operation, outcome

ALL = 1_000


class Pages(MemoryDiagrams):
    """A store that counts the operations read out of it."""

    rows = 0

    async def history(
        self, diagram: str, epoch: Epoch, user: UserId | None, rows: int, below: int | None = None
    ) -> tuple[Done, ...]:
        found = await super().history(D, epoch, user, rows, below)
        self.rows += len(found)
        return found


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> MemoryWorld:
    monkeypatch.setattr(reading, "PAGE", 4)
    world = MemoryWorld()
    await world.add()
    return world


async def read(world: MemoryWorld, depth: int = ALL, user: UserId | None = ANA.id) -> Sequence[Step]:
    return await history(world.diagrams, D, EPOCH, user, depth)


def vectors(steps: Sequence[Step]) -> list[int]:
    return [step.vector for step in steps]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 11])
async def test_UN11_all_there_is_is_read_page_by_page(world: MemoryWorld, count: int) -> None:
    await grow(world, count)
    assert vectors(await read(world)) == list(range(1, count + 1))


async def test_UN11_a_users_pages_hold_nobody_elses_steps(world: MemoryWorld) -> None:
    for _ in range(4):
        await grow(world, 2)
        await grow(world, 3, user=BO)
    assert vectors(await read(world)) == [1, 2, 6, 7, 11, 12, 16, 17]
    assert vectors(await read(world, user=None)) == list(range(1, 21))


async def test_UN6_UN11_no_entry_that_was_used_up_is_lost_or_doubled_between_pages(world: MemoryWorld) -> None:
    for vector in range(1, 11):
        await grow(world, 1)
        futile = outcome(
            operation(vector), kind=Kind.UNDO, verdict=Verdict.NO_OP, operation_id=OperationId(f"undo-{vector}")
        )
        await world.diagrams.commit(D, batch(await head_of(world), also=(futile,)))
    steps = await read(world)
    assert vectors(steps) == [vector for vector in range(1, 11) for _ in range(2)]
    assert Stacks.of(steps).undo == ()


async def test_UN11_no_more_is_read_than_a_full_stack_takes(world: MemoryWorld) -> None:
    await grow(world, 40)
    world.diagrams = pages = Pages(world.store)
    steps = await read(world, depth=6)
    assert vectors(steps) == list(range(33, 41))
    assert pages.rows == 8, "nothing twice"


async def test_UN11_UN13_a_stack_of_groups_is_what_the_whole_log_says(world: MemoryWorld) -> None:
    for group in range(12):
        await grow(world, 5, group_id=f"g{group}")
    steps = await read(world, depth=3)
    assert len(steps) < 60
    assert Stacks.of(steps, 3) == Stacks.of(map(step, await world.diagrams.history(D, EPOCH, ANA.id, ALL)), 3)


async def test_UN11_reading_ends_after_so_many_operations(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS", 8)
    await grow(world, 40)
    assert vectors(await read(world)) == list(range(33, 41))


@pytest.mark.parametrize("field", ["effect", "inverse"])
async def test_UN11_reading_ends_after_so_many_bytes(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setattr(reading, "BYTES", 6_000)
    text = "y" * 1_000
    large: dict[str, Any] = {
        "effect": Effect((CellEffect(CellId("a"), Verb.UPDATE, {"label": text}),)),
        "inverse": Inverse((CellInverse(CellId("a"), Verb.UPDATE, None, ((("label",), (text,)),)),)),
    }
    await grow(world, 40, **{field: large[field]})
    assert vectors(await read(world)) == list(range(33, 41))
