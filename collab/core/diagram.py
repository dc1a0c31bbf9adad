"""A diagram at one vector, immutable: versions share what did not change, so that a change costs what it touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from collab.core.difference import Difference
from collab.core.maps import Map
from collab.core.references import parent, references
from collab.core.traces import Traces, Write, traced
from protocol.cell_list import CellList, read_cell
from protocol.operations import KeyPath, LoggedOperation
from protocol.statehash import MODULUS, hash_and_text
from protocol.values import Cell, CellId, DiagramId, Epoch, UserId


class Slot(msgspec.Struct, frozen=True, gc=False):
    """A cell in its place, as its canonical bytes: 10 000 cells are nothing that a collector of garbage looks through,
    and take half the memory of their objects. Places rise in the order of the cells and may have holes."""

    text: bytes
    place: int
    hash: int
    parent: CellId | None = None
    """Of the cell, for those who walk up a tree of any depth."""

    @property
    def size(self) -> int:
        return len(self.text)


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
    ordered: tuple[tuple[CellId, ...], CellList] | None = None
    """What `_in_order` found; nobody else reads it."""
    followed: tuple[LoggedOperation, Diagram] | None = None
    """What an operation of the log makes of it, where that was found before it is asked for."""

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
        known: dict[CellId, CellId] = {}
        """Each id once, however often it is named."""
        for place, cell in enumerate(cells):
            own, above = known.setdefault(cell["id"], cell["id"]), parent(cell)
            hash, text = hash_and_text(cell)
            slots[own] = Slot(text, place, hash, above and known.setdefault(above, above))
            for named in references(cell):
                referring.setdefault(known.setdefault(named, named), {})[own] = None
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
        return msgspec.structs.replace(self, traces=self.traces.above(vector), followed=None)

    # reading ----------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.slots)

    def cell(self, id: CellId) -> Cell | None:
        """Made anew each time: whoever looks at one again and again keeps it."""
        slot = self.slots.get(id)
        return None if slot is None else read_cell(slot.text)

    def parent(self, id: CellId) -> CellId | None:
        slot = self.slots.get(id)
        return None if slot is None else slot.parent

    def in_order(self, ids: Iterable[CellId]) -> list[CellId]:
        """In cell order; what is not there comes last."""
        return sorted(ids, key=lambda id: (self.slots[id].place if id in self.slots else self.next_place, id))

    def cells_in_order(self) -> CellList:
        return self._in_order()[1]

    def order(self) -> tuple[CellId, ...]:
        return self._in_order()[0]

    def _in_order(self) -> tuple[tuple[CellId, ...], CellList]:
        if self.ordered is None:
            found = sorted(self.slots.items(), key=_place)
            ordered = tuple([id for id, _ in found]), CellList([slot.text for _, slot in found])
            msgspec.structs.force_setattr(self, "ordered", ordered)
            return ordered
        return self.ordered

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
                hash, text = hash_and_text(after)
                state_hash += hash
                size += len(text)
                slots[id] = Slot(text, next_place if former is None else former.place, hash, parent(after))
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

    def follow(self, operation: LoggedOperation, after: Diagram) -> Diagram:
        """`after`, which this one remembers from now on."""
        msgspec.structs.force_setattr(self, "followed", (operation, after))
        return after


NOBODY = UserId("")
_WHOLE: tuple[KeyPath, ...] = ((),)
_UNNAMED: Map[CellId, None] = Map()


def _place(of: tuple[CellId, Slot]) -> int:
    return of[1].place


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
