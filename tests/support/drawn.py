"""Diagrams with a true history in a SQL store: the same strokes for the same seed."""

from __future__ import annotations

from itertools import pairwise

from collab.core.diagram import Diagram
from collab.core.effects import Commit
from collab.core.events import Committed
from protocol.values import DiagramId, Head
from rest.ports import ThreatModel
from tests.contracts.worlds import ANA, MODEL, SqlWorld
from tests.support.drawing import history
from tests.support.stored import founding


async def draw(world: SqlWorld, *ids: DiagramId, operations: int = 3) -> Diagram:
    """What each of them is now."""
    states = history(seed=5, operations=operations)
    if await world.models.read(MODEL) is None:
        await world.models.create(ThreatModel(MODEL, ANA, ANA, 0, 0, {"name": "model"}, (), {}))
    for id in ids:
        await world.models.create_diagram(founding(states[0][0], id, MODEL))
        for (before, _), (_, operation) in pairwise(states):
            assert operation is not None
            commit = Commit(Head(before.epoch, before.vector, before.state_hash, 1), (operation,), ())
            assert await world.diagrams.commit(id, commit) == Committed()
    return states[-1][0]
