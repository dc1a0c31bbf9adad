"""What the log says, replayed by the naive engine as it grows: the judge of all that rooms and clients show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from protocol.operations import CellChange, Effect, Kind, LoggedOperation, Verb
from protocol.values import Limits
from tests.naive import NaiveDiagram, canonical
from tests.simulator.ledger import Ledger

Cell = dict[str, Any]
PLAIN = ("x", "y", "label")
"""Keys whose values an undo must bring back as they were."""


@lru_cache(maxsize=200_000)
def _hash(encoded: bytes) -> int:
    return int.from_bytes(hashlib.sha256(canonical(msgspec.json.decode(encoded))).digest()[:16], "big")


class Copy(NaiveDiagram):
    """A naive diagram that is quick to copy: its list and its cells are replaced, never changed."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = list(cells)

    def replay(self, effect: Effect) -> None:
        for entry in effect.cells:
            self.put(entry.verb, entry.id, entry.data)
        if effect.order is not None:
            order = effect.order
            self.cells = sorted(self.cells, key=lambda cell: order.index(cell["id"]))

    def put(self, verb: str, id: str, data: Any) -> None:
        """OP13: assign keys, null deletes; a new cell goes to the end."""
        if verb == Verb.ADD:
            self.cells = [*self.cells, {"id": id, **data}]
        elif verb == Verb.REMOVE:
            self.cells = [cell for cell in self.cells if cell["id"] != id]
        else:
            self.cells = [assigned(cell, data) if cell["id"] == id else cell for cell in self.cells]

    def hash(self) -> int:
        return sum(_hash(msgspec.json.encode(cell)) for cell in self.cells) % 2**128


def assigned(cell: Cell, data: Cell) -> Cell:
    return {key: value for key, value in {**cell, **data}.items() if value is not None}


class Truth:
    """One epoch. `states[v - base]` are the cells at vector v."""

    def __init__(self, epoch: str, base: int, cells: Sequence[Cell], ledger: Ledger) -> None:
        self.epoch, self.base, self.ledger = epoch, base, ledger
        self.log: list[LoggedOperation] = []
        self.diagram = Copy(cells)
        self.states = [self.diagram.cells]
        self.hashes = [self.diagram.hash()]

    @property
    def vector(self) -> int:
        return self.base + len(self.log)

    def cells(self, vector: int) -> list[Cell]:
        return self.states[vector - self.base]

    def hash(self, vector: int) -> int:
        return self.hashes[vector - self.base]

    def row(self, vector: int) -> LoggedOperation:
        return self.log[vector - self.base - 1]

    def knows(self, vector: int) -> bool:
        return self.base <= vector <= self.vector

    def grow(self, log: Sequence[LoggedOperation]) -> None:
        hold = self.ledger.hold
        for operation in log[len(self.log) :]:
            hold(operation.vector == self.vector + 1, "I3", self.vector, operation.vector)
            self.diagram.replay(operation.effect)
            self.log.append(operation)
            self.states.append(self.diagram.cells)
            self.hashes.append(self.diagram.hash())
            hold(self.hashes[-1] == operation.state_hash, "I13", operation.vector, operation.kind)

    def apply(self, vector: int, changes: Sequence[CellChange], limits: Limits) -> tuple[str, int]:
        """What the naive engine makes of changes at that vector, and the hash after them."""
        copy = NaiveDiagram(self.cells(vector))
        outcome, _ = copy.apply(changes, limits)
        return outcome, sum(_hash(msgspec.json.encode(cell)) for cell in copy.cells) % 2**128

    def check_inversions(self, same: Callable[[LoggedOperation, LoggedOperation], bool]) -> None:
        """I14. `same`: whether two operations are of one undo stack."""
        for operation in self.log:
            if operation.undo_of is not None and operation.undo_of > self.base:
                self._check_inversion(operation, self.row(operation.undo_of), same)

    def _check_inversion(
        self,
        inversion: LoggedOperation,
        done: LoggedOperation,
        same: Callable[[LoggedOperation, LoggedOperation], bool],
    ) -> None:
        hold, at = self.ledger.hold, (inversion.vector, done.vector)
        hold(same(inversion, done) and done.kind not in (Kind.UNDO, Kind.REDO), "I14", "another's", at)
        foreign: set[tuple[str, str]] = set()
        moved: set[str] = set()
        for between in self.log[done.vector - self.base : inversion.vector - self.base - 1]:
            for cell in between.effect.cells:
                if cell.verb is not Verb.UPDATE:
                    moved.add(cell.id)
                elif not same(between, inversion):
                    foreign.update((cell.id, key) for key in cell.data or {})
        if inversion.kind is Kind.UNDO:
            self._check_removals(inversion, done, {id for id, _ in foreign} - moved)
        if all(cell.verb is Verb.UPDATE for cell in done.effect.cells):
            self._check_keys(inversion, done, foreign, moved)

    def _check_removals(self, undo: LoggedOperation, done: LoggedOperation, foreign: set[str]) -> None:
        """A cell that somebody else has changed since it was added, once, stays."""
        added = {cell.id for cell in done.effect.cells if cell.verb is Verb.ADD}
        gone = {cell.id for cell in undo.effect.cells if cell.verb is Verb.REMOVE}
        self.ledger.hold(not added & gone & foreign, "I14", "another's cell is gone", undo.vector, done.vector)

    def _check_keys(
        self, inversion: LoggedOperation, done: LoggedOperation, foreign: set[tuple[str, str]], moved: set[str]
    ) -> None:
        hold, at = self.ledger.hold, (inversion.vector, done.vector)
        keys = {cell.id: set(cell.data or {}) for cell in done.effect.cells}
        former = done.vector - 1 if inversion.kind is Kind.UNDO else done.vector
        before = {cell["id"]: cell for cell in self.cells(former)}
        after = {cell["id"]: cell for cell in self.cells(inversion.vector)}
        for cell in inversion.effect.cells:
            touched = set(cell.data or {}) <= keys.get(cell.id, set())
            hold(cell.verb is Verb.UPDATE and touched, "I14", "more than was done", at, cell)
            for key in set(cell.data or {}) & set(PLAIN):
                hold(cell.id in moved or (cell.id, key) not in foreign, "I14", "another's is wiped", at, cell)
        for id, named in keys.items():
            for key in named & set(PLAIN):
                if id not in moved and (id, key) not in foreign:
                    now, then = after.get(id, {}).get(key), before.get(id, {}).get(key)
                    hold(now == then, "I14", "another value", at, id, key, now, then)
