"""What a returning client is shown: exactly what it missed, a repair of its copy, or the whole diagram (WS17)."""

from __future__ import annotations

from collections.abc import Iterable

from collab.core.diagram import Diagram
from collab.core.replica import Replica
from protocol.intents import Resume
from protocol.notices import Happened, Notice, Repaired, Resumed, StateReason, StateShown
from protocol.operations import LoggedOperation
from protocol.statehash import hex32
from protocol.values import CellId

HASH_DIGITS = 16


def look_back(replica: Replica, resume: Resume, start_vector: int) -> tuple[Notice, ...]:
    """A `Resumed` with the missed operations behind it, or else one notice.

    A hash says nothing of the order: of a copy that is at the head and shows its order, that is looked at, too.
    A repair does not say that outcomes are forgotten (WS18): where they are, the whole diagram does.
    """
    diagram = replica.diagram
    missed = _missed(replica, resume)
    if missed == () and _shows_another(diagram, resume):
        missed = StateReason.HASH_MISMATCH
    if isinstance(missed, StateReason):
        repaired = None if resume.forgotten else _repaired(diagram, resume)
        return (repaired or StateShown(diagram, missed, not resume.forgotten, ref=resume.ref),)
    resumed = Resumed(diagram.epoch, resume.vector, diagram.vector, diagram.state_hash, resume.ref)
    return (resumed, *(Happened(operation, diagram, start_vector) for operation in missed))


def _missed(replica: Replica, resume: Resume) -> tuple[LoggedOperation, ...] | StateReason:
    missed = replica.missed(resume.epoch, resume.vector)
    if missed is None:
        return StateReason.RESUME_IMPOSSIBLE
    known = replica.hash_at(resume.vector)
    if resume.state_hash is None or known is None:
        # right before the oldest row of the log: the client compares what comes of it with the hash of `resumed`
        return missed
    return missed if resume.state_hash == hex32(known) else StateReason.HASH_MISMATCH


def _shows_another(diagram: Diagram, resume: Resume) -> bool:
    """Whether the cells that the client says it has are not these, or stand in another order."""
    if resume.cell_hashes is None:
        return False
    return list(dict(resume.cell_hashes).items()) != [(id, _digits(diagram, id)) for id in diagram.order()]


def _repaired(diagram: Diagram, resume: Resume) -> Repaired | None:
    """None where the client says nothing of its cells, or where the whole diagram is no more to send."""
    if resume.cell_hashes is None:
        return None
    theirs = {CellId(id): digits for id, digits in resume.cell_hashes}
    order = diagram.order()
    cells = tuple(id for id in order if theirs.get(id) != _digits(diagram, id))
    removed = tuple(id for id in theirs if id not in diagram.slots)
    # a client keeps the place of what it has, and appends what it lacks
    theirs_then = (*(id for id in theirs if id in diagram.slots), *(id for id in cells if id not in theirs))
    reordered = None if theirs_then == order else order
    size = sum(diagram.slots[id].size for id in cells) + _listed(removed) + _listed(reordered or ())
    return Repaired(diagram, cells, removed, reordered, resume.ref) if size < diagram.size else None


def _digits(diagram: Diagram, id: CellId) -> str:
    return hex32(diagram.slots[id].hash)[:HASH_DIGITS]


def _listed(ids: Iterable[CellId]) -> int:
    """Bytes of a list of ids."""
    return sum(len(id) + 3 for id in ids)
