"""The effective form of an operation in its three looks, and when a look gives way to a full state.

E1 to E9, here and beside: the rows of `x-events` in `asyncapi.yml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from protocol.notices import DiagramView
from protocol.operations import CellChange, CellEffect, Effect, Kind, LoggedOperation, Verb
from protocol.values import Cell, CellId, OperationId

RENDERING_BYTES = 1_048_576
"""E7: a longer rendering gives way to a full state."""
SURELY_SMALL = 15
"""So many cells of at most 64 KiB each stay below that without being measured."""


class CellEntry(msgspec.Struct, frozen=True, gc=False):
    id: CellId
    operation: Verb
    data: Cell | msgspec.UnsetType = msgspec.UNSET


class Patch(msgspec.Struct, frozen=True, tag_field="type", tag="patch", gc=False):
    cells: Sequence[CellEntry]


class OrderedPatch(msgspec.Struct, frozen=True, tag_field="type", tag="patch", gc=False):
    cells: Sequence[CellEntry]
    order: Sequence[CellId] | msgspec.UnsetType = msgspec.UNSET


def named(effect: Effect, after: DiagramView) -> Patch:
    """classic: an add without its id, an update with every key its sender named, changed or not."""
    return Patch([_named(entry, after) for entry in effect.cells])


def _named(entry: CellEffect, after: DiagramView) -> CellEntry:
    if entry.data is None:
        return CellEntry(entry.id, entry.verb)
    data = {key: value for key, value in entry.data.items() if key != "id"}
    if entry.also:
        cell = after.cell(entry.id) or {}
        data |= {key: cell.get(key) for key in entry.also}
    return CellEntry(entry.id, entry.verb, data)


def whole(entries: Iterable[CellEffect | CellChange], after: DiagramView) -> Patch:
    """tmi: every cell that is added or updated stands there as a whole; one that is no more is removed."""
    return Patch([_whole(entry.id, entry.verb, after) for entry in entries])


def _whole(id: CellId, verb: Verb, after: DiagramView) -> CellEntry:
    cell = None if verb is Verb.REMOVE else after.cell(id)
    if cell is None:
        return CellEntry(id, Verb.REMOVE)
    # Without `data` that client would copy all keys of a node into it.
    return CellEntry(id, verb, cell if "data" in cell else {**cell, "data": {}})


def corrected(ids: Iterable[CellId], after: DiagramView) -> Patch:
    """E4: the cells as they are, to be put over what the sender believes."""
    return Patch([_whole(id, Verb.UPDATE, after) for id in ids])


def effective(effect: Effect) -> OrderedPatch:
    """codraw.v1: applied by "assign keys, null deletes" it gives the server's cells (OP13)."""
    cells = [CellEntry(e.id, e.verb, msgspec.UNSET if e.data is None else e.data) for e in effect.cells]
    return OrderedPatch(cells, msgspec.UNSET if effect.order is None else effect.order)


def as_asked(asked: Sequence[CellChange], effect: Effect, after: DiagramView) -> bool:
    """Whether assigning what was asked, null deleting, gives the server's cells: then they need not be told."""
    return (
        effect.order is None
        and len(asked) == len(effect.cells)
        and all([_as_asked(*pair, after) for pair in zip(asked, effect.cells, strict=True)])
    )


def _as_asked(change: CellChange, entry: CellEffect, after: DiagramView) -> bool:
    if change.id != entry.id or change.verb is not entry.verb:
        return False
    if change.data == entry.data:
        return True
    if change.data is None or entry.data is None or entry.verb is Verb.ADD:
        return False
    if any([key not in change.data or change.data[key] != value for key, value in entry.data.items()]):
        return False
    cell = after.cell(entry.id) or {}
    return all(cell.get(key) == value for key, value in change.data.items())


def replaces_state(operation: LoggedOperation) -> bool:
    """What TMI's messages cannot say: another order of the cells (RE14), another history (VEC6)."""
    return operation.effect.order is not None or operation.kind is Kind.RESTORE


def oversized(message: msgspec.Struct, cells: int) -> bool:
    """Whether a rendering with so many cells (or ids of an order) is beyond `RENDERING_BYTES`."""
    return cells > SURELY_SMALL and len(msgspec.json.encode(message)) > RENDERING_BYTES


def correction_id(operation_id: OperationId) -> OperationId:
    """E4's own id, always the same for an operation, in the looks of a name-based UUID (RFC 9562, 5.5)."""
    digits = sha256(f"{operation_id}correction".encode()).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    return OperationId(f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}")
