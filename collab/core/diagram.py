"""A diagram at one vector, immutable: versions share what did not change, so that a change costs what it touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from immutables import Map

from collab.core.difference import Difference
from collab.core.references import references
from collab.core.traces import Traces, Write, traced
from protocol.operations import KeyPath
from protocol.statehash import MODULUS, measure
from protocol.values import Cell, CellId, DiagramId, Epoch, UserId


class Slot(msgspec.Struct, frozen=True, gc=False):
    """A cell in its place. Places rise in the order of the cells and may have holes; sizes are canonical bytes."""

    cell: Cell
    place: int
    hash: int
    size: int


References = Map[CellId, Map[CellId, None]]


class Diagram(msgspec.Struct, frozen=True, gc=False):
    id: DiagramId
    epoch: Epoch
    vector: int = 0
    state_hash: int = 0
    size: int = 0
    """Canonical bytes of all cells together."""
    slots: Map[CellId, Slot] = Map()
    next_place: int = 0
    referring: References = Map()
    """Cell id -> ids of the cells that refer to it, whether it exists or not."""
    traces: Traces = Traces()
    ordered: tuple[Cell, ...] | None = None
    """What `cells_in_order` found; nobody else reads it."""

    @staticmethod
    def found(id: DiagramId, epoch: Epoch, cells: Iterable[Cell]) -> Diagram:
        """A new diagram at vector 0 (VEC1). The cells are taken as they are; `apply.founded` judges them."""
        return Diagram._of(id, epoch, 0, cells, Traces())

    @staticmethod
    def restore(id: DiagramId, epoch: Epoch, vector: int, cells: Iterable[Cell], touched: Any) -> Diagram:
        """From a snapshot; `touched` as `touched()` gave it, None if nothing is known of the past."""
        return Diagram._of(id, epoch, vector, cells, Traces(vector) if touched is None else Traces.load(touched))

    @staticmethod
    def _of(id: DiagramId, epoch: Epoch, vector: int, cells: Iterable[Cell], traces: Traces) -> Diagram:
        slots: dict[CellId, Slot] = {}
        referring: dict[CellId, dict[CellId, None]] = {}
        for place, cell in enumerate(cells):
            hash, size = measure(cell)
            slots[cell["id"]] = Slot(cell, place, hash, size)
            for named in references(cell):
                referring.setdefault(named, {})[cell["id"]] = None
        return Diagram(
            id,
            epoch,
            vector,
            state_hash=sum(slot.hash for slot in slots.values()) % MODULUS,
            size=sum(slot.size for slot in slots.values()),
            slots=Map(slots),
            next_place=len(slots),
            referring=Map({named: Map(by) for named, by in referring.items()}),
            traces=traces,
        )

    def touched(self) -> Any:
        """Who last changed what, as a value that msgspec writes as JSON."""
        return self.traces.dump()

    def forget_below(self, vector: int) -> Diagram:
        """The same diagram without the traces of writes at or below `vector`; costs a walk over all traces."""
        return msgspec.structs.replace(self, traces=self.traces.above(vector))

    # reading ----------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.slots)

    def cell(self, id: CellId) -> Cell | None:
        slot = self.slots.get(id)
        return None if slot is None else slot.cell

    def in_order(self, ids: Iterable[CellId]) -> list[CellId]:
        """In cell order; what is not there comes last."""
        return sorted(ids, key=lambda id: (self.slots[id].place if id in self.slots else self.next_place, id))

    def cells_in_order(self) -> Sequence[Cell]:
        if self.ordered is None:
            slots = sorted(self.slots.values(), key=lambda slot: slot.place)
            msgspec.structs.force_setattr(self, "ordered", tuple(slot.cell for slot in slots))
        return self.ordered or ()

    def order(self) -> tuple[CellId, ...]:
        return tuple(cell["id"] for cell in self.cells_in_order())

    def referrers(self, id: CellId) -> Iterator[CellId]:
        """Cells that name `id` as end, parent or child."""
        return iter(self.referring.get(id, ()))

    def is_named(self, id: CellId) -> bool:
        return id in self.referring

    def changed_by_other(self, cell: CellId, path: KeyPath | None, user: UserId, since: int) -> bool:
        """Whether anybody but `user` changed the cell, or what `path` names in it, after vector `since`.

        A change above or below the path counts, and so does a removal or addition of the cell. Exact; where the past
        is no longer known, yes.
        """
        return self.traces.by_other(cell, path or (), user, since)

    def reordered_by_other(self, user: UserId, since: int) -> bool:
        return self.traces.order_by_other(user, since)

    # the next version -------------------------------------------------------------------------------------------------

    def after(
        self, differences: Iterable[Difference], user: UserId, order: tuple[CellId, ...] | None = None
    ) -> Diagram:
        """The diagram one vector on. New cells are appended in the order of the differences, or all cells are put in
        `order`, which then names each of them."""
        vector = self.vector + 1
        write = Write(user, vector)
        state_hash, size, next_place = self.state_hash, self.size, self.next_place
        slots, cell_traces, referring = self.slots.mutate(), self.traces.cells.mutate(), self.referring
        for difference in differences:
            id, after = difference.id, difference.after
            former = slots.get(id)
            if former is not None:
                state_hash -= former.hash
                size -= former.size
            if after is not None:
                hash, bytes = measure(after)
                state_hash += hash
                size += bytes
                slots[id] = Slot(after, next_place if former is None else former.place, hash, bytes)
                next_place += former is None
            elif former is not None:
                del slots[id]
            if difference.refers:
                referring = _rereferred(referring, difference)
            paths = [path for path, _ in difference.keys] or _WHOLE
            cell_traces[id] = traced(cell_traces.get(id), paths, write)
        left, order_trace = slots.finish(), self.traces.order
        if order is not None:
            left, next_place = _placed(left, order), len(left)
            order_trace = traced(order_trace, _WHOLE, write)
        traces = Traces(self.traces.floor, cell_traces.finish(), order_trace)
        return Diagram(self.id, self.epoch, vector, state_hash % MODULUS, size, left, next_place, referring, traces)


NOBODY = UserId("")
_WHOLE: tuple[KeyPath, ...] = ((),)
_UNNAMED: Map[CellId, None] = Map()


def _placed(slots: Map[CellId, Slot], order: tuple[CellId, ...]) -> Map[CellId, Slot]:
    """All cells in this order; what it does not name, as in a diagram that diverged, stands behind."""
    ids = dict.fromkeys(id for id in order if id in slots)
    ids.update(dict.fromkeys(slots))
    return Map({id: msgspec.structs.replace(slots[id], place=place) for place, id in enumerate(ids)})


def _rereferred(referring: References, difference: Difference) -> References:
    was, now = references(difference.before), references(difference.after)
    for id in was - now:
        left = referring[id].delete(difference.id)
        referring = referring.set(id, left) if left else referring.delete(id)
    for id in now - was:
        referring = referring.set(id, referring.get(id, _UNNAMED).set(difference.id, None))
    return referring
