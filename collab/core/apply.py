"""One operation on a diagram: as asked by a client, as the log tells it, as a whole new list of cells.

However it came, it is reduced to what each cell was and has become; `Diagram.after` takes it from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import assert_never

import msgspec

from collab.core.diagram import NOBODY, Diagram
from collab.core.difference import Difference, difference, same
from collab.core.draft import Draft
from collab.core.graph import settle
from collab.core.merge import merged, top_keys
from collab.core.traces import Traces
from protocol.cells import check_shape, check_size, is_edge
from protocol.operations import CellChange, CellEffect, Effect, Inverse, LoggedOperation, Verb
from protocol.refusals import CellError, Reason, Refusal
from protocol.values import Cell, CellId, DiagramId, Epoch, Limits, UserId


class Applied(msgspec.Struct, frozen=True, gc=False):
    """`settled`: what cells are to each other was looked at, and may have changed more than was asked."""

    diagram: Diagram
    effect: Effect
    inverse: Inverse
    settled: bool = False


class Unchanged(msgspec.Struct, frozen=True):
    """A no-op (OP11)."""


class Refused(msgspec.Struct, frozen=True):
    refusal: Refusal


def apply(
    diagram: Diagram,
    changes: Iterable[CellChange],
    user: UserId,
    limits: Limits,
    order: tuple[CellId, ...] | None = None,
    *,
    restoring: bool = False,
) -> Applied | Unchanged | Refused:
    """Judges canonical changes and carries them out, all or none (OP1). `order` (RE14) names all cells there shall be,
    in their order; what contradicts it is refused. `restoring`: an undo or redo, which says itself what follows from
    its removals, and may give a node a size that it once had."""
    try:
        draft = Draft(diagram)
        named, whole = _compose(draft, changes)
        differences = _differences(draft, named, whole)
        settled = any([found.refers for found in differences])
        if settled:
            settle(draft, exact=restoring or order is not None)
            differences = _differences(draft, {}, whole)
        for found in differences:
            _check_net(found, None if restoring else limits)
        order = _new_order(diagram, differences, order)
        if not differences and order is None:
            return Unchanged()
        after = diagram.after(differences, user, order)
        _check_limits(diagram, after, differences, limits)
    except CellError as error:
        return Refused(error.refusal)
    effects = tuple([found.effect(named.get(found.id, _NOTHING)) for found in differences])
    inverses = tuple([found.inverse() for found in differences])
    former_order = diagram.order() if order is not None else None
    return Applied(after, Effect(effects, order), Inverse(inverses, former_order), settled)


def advance(diagram: Diagram, operation: LoggedOperation) -> Diagram:
    """The diagram after an operation of the log, exactly as `apply` made it (OP13).

    On a diagram that is not what the operation was applied to, the result is another one: its state hash tells.
    """
    if diagram.followed is not None and diagram.followed[0] is operation:
        return diagram.followed[1]
    differences = [
        found
        for effect in operation.effect.cells
        if (found := difference(effect.id, before := diagram.cell(effect.id), _assigned(before, effect), effect.data))
        is not None
    ]
    return diagram.after(differences, operation.user.id, operation.effect.order)


def foresee(diagram: Diagram, operations: Iterable[LoggedOperation]) -> None:
    """What `advance` will be asked for, found before: it is long where many cells change, and may be done beside."""
    for operation in operations:
        if operation.vector == diagram.vector + 1:
            diagram = diagram.follow(operation, advance(diagram, operation))


def founded(id: DiagramId, epoch: Epoch, cells: Iterable[Cell], limits: Limits) -> Diagram | Refused:
    """A new diagram at vector 0 (VEC1), its cells judged as one operation on an empty one."""
    nothing = Diagram(id, epoch)
    match apply(nothing, [CellChange(cell["id"], Verb.ADD, cell) for cell in cells], NOBODY, limits):
        case Applied(diagram=diagram):
            return msgspec.structs.replace(diagram, vector=0, traces=Traces())
        case Unchanged():
            return nothing
        case Refused() as refused:
            return refused


def replacement(
    diagram: Diagram, cells: Sequence[Cell], texts: Sequence[bytes]
) -> tuple[tuple[CellChange, ...], tuple[CellId, ...]]:
    """Changes and order for `apply` that leave just the given cells, as given and as ordered (RE14). `texts`: their
    canonical bytes.

    A cell that becomes another is removed and added: that is an update in place, and not a merge.
    """
    given = {CellId(cell["id"]): (cell, text) for cell, text in zip(cells, texts, strict=True)}
    changes = [CellChange(id, Verb.REMOVE) for id in diagram.order() if id not in given]
    for id, (cell, text) in given.items():
        slot = diagram.slots.get(id)
        if slot is None or slot.text != text:
            changes += _exchanged(id, slot is not None, cell)
    return tuple(changes), tuple(given)


def becoming(id: CellId, before: Cell | None, after: Cell | None) -> list[CellChange]:
    """The changes that make the one cell of the other, whatever it is, without merging (OP2)."""
    if before is not None and after is not None and same(before, after):
        return []
    return _exchanged(id, before is not None, after)


def _exchanged(id: CellId, was_there: bool, after: Cell | None) -> list[CellChange]:
    changes = [CellChange(id, Verb.REMOVE)] if was_there else []
    if after is not None:
        changes.append(CellChange(id, Verb.ADD, after))
    return changes


_OF_KIND = frozenset({"shape", "source", "target"})
"""Keys that can make an edge of a node."""
_OF_SIZE = frozenset({"width", "height"})
_NOTHING: Cell = {}


def _compose(draft: Draft, changes: Iterable[CellChange]) -> tuple[dict[CellId, Cell], set[CellId]]:
    """OP2. Returns all that updates named, per cell, and the cells that were added or removed as a whole."""
    cells = draft.cells
    named: dict[CellId, Cell] = {}
    whole: set[CellId] = set()
    for change in changes:
        id, verb, data = change.id, change.verb, change.data or _NOTHING
        now = cells[id] if id in cells else draft.before(id)
        if verb is Verb.UPDATE:
            if now is None:
                raise CellError(Reason.CONFLICT_DETECTED, "the cell does not exist", id)
            cells[id] = merged(now, data)
            named[id] = {**named[id], **data} if id in named else data
        else:
            cells[id] = _added(id, now, data) if verb is Verb.ADD else None
            whole.add(id)
    return named, whole


def _differences(draft: Draft, named: Mapping[CellId, Cell], whole: Collection[CellId]) -> list[Difference]:
    """Of a cell that was only updated no other keys are compared than the updates named."""
    differences = []
    for id, cell in draft.cells.items():
        patch = None if id in whole else named.get(id)
        found = difference(id, draft.before(id), cell, None if patch is None else top_keys(patch))
        if found is not None:
            differences.append(found)
    return differences


def _added(id: CellId, now: Cell | None, cell: Cell) -> Cell:
    if now is not None and not same(now, cell):
        raise CellError(Reason.CONFLICT_DETECTED, "the cell exists and is another one", id)
    return cell if now is None else now


def _check_net(found: Difference, sizes: Limits | None) -> None:
    """The rules of one cell, which count for the outcome, whatever it was in between (OP2)."""
    before, after = found.before, found.after
    if after is None:
        return
    if before is None or None in found.data.values():
        check_shape(after)
    if before is not None and not _OF_KIND.isdisjoint(found.data) and is_edge(before) != is_edge(after):
        raise CellError(Reason.VALIDATION_FAILED, "a node stays a node, an edge an edge", found.id, "shape")
    if sizes is not None and (before is None or not _OF_SIZE.isdisjoint(found.data)):
        check_size(after, sizes)


def _check_limits(before: Diagram, after: Diagram, differences: Iterable[Difference], limits: Limits) -> None:
    """A diagram that is over a limit, because that was lowered, may still shrink."""
    for found in differences:
        slot = after.slots.get(found.id)
        if slot is not None and slot.size > limits.max_cell_bytes:
            raise CellError(Reason.VALIDATION_FAILED, f"a cell has at most {limits.max_cell_bytes} bytes", found.id)
    if len(after.slots) > limits.max_cells_per_diagram and len(after.slots) > len(before.slots):
        raise CellError(Reason.LIMIT_EXCEEDED, f"a diagram has at most {limits.max_cells_per_diagram} cells")
    if after.size > limits.max_diagram_bytes and after.size > before.size:
        raise CellError(Reason.VALIDATION_FAILED, f"a diagram has at most {limits.max_diagram_bytes} bytes")


def _new_order(
    diagram: Diagram, differences: Sequence[Difference], order: tuple[CellId, ...] | None
) -> tuple[CellId, ...] | None:
    """The order that was asked for, None if the cells will stand so anyway. It must name just the cells there are."""
    if order is None:
        return None
    gone = {found.id for found in differences if found.after is None}
    natural = [id for id in diagram.order() if id not in gone]
    natural += [found.id for found in differences if found.before is None]
    if set(order) != set(natural) or len(order) != len(natural):
        raise CellError(Reason.CONFLICT_DETECTED, "the order does not name just the cells there are")
    return None if order == tuple(natural) else order


def _assigned(before: Cell | None, effect: CellEffect) -> Cell | None:
    """The cell after an effect: "assign keys, null deletes"."""
    data = effect.data or {}
    match effect.verb:
        case Verb.ADD:
            return data
        case Verb.REMOVE:
            return None
        case Verb.UPDATE if before is None:
            return None
        case Verb.UPDATE:
            return {key: value for key, value in {**before, **data}.items() if value is not None}
        case never:
            assert_never(never)
