"""Cells, changes and logged operations for tests of the engine, and random ones that run into each other often."""

from __future__ import annotations

from random import Random
from typing import Any

from collab.core.apply import Applied, Refused, Unchanged, apply
from collab.core.diagram import Diagram
from protocol.cells import canonical_changes, is_edge
from protocol.operations import CellChange, Kind, LoggedOperation
from protocol.values import Cell, DiagramId, Epoch, Limits, OperationId, User, UserId

LIMITS = Limits()
ANA, BO = UserId("test:ana"), UserId("test:bo")


def node(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "process", "x": 0, "y": 0, "width": 100, "height": 60, **more}


def flow(id: str, source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "flow", "source": {"cell": source}, "target": {"cell": target}, **more}


def add(cell: Cell) -> dict[str, Any]:
    return {"id": cell["id"], "operation": "add", "data": cell}


def update(id: str, data: Cell | None = None, **more: Any) -> dict[str, Any]:
    return {"id": id, "operation": "update", "data": {**(data or {}), **more}}


def remove(id: str) -> dict[str, Any]:
    return {"id": id, "operation": "remove"}


def changes(*entries: dict[str, Any]) -> tuple[CellChange, ...]:
    """As the edge hands them to the engine."""
    return canonical_changes(list(entries), free_ids=True, limits=LIMITS)


def diagram(*cells: Cell) -> Diagram:
    return Diagram.found(DiagramId("d"), Epoch("e"), cells)


def applied(before: Diagram, *entries: dict[str, Any], user: UserId = ANA, limits: Limits = LIMITS) -> Applied:
    verdict = apply(before, changes(*entries), user, limits)
    assert isinstance(verdict, Applied), verdict
    return verdict


def refused(before: Diagram, *entries: dict[str, Any], limits: Limits = LIMITS) -> tuple[str, tuple[str, ...]]:
    """The reason and the affected cells."""
    verdict = apply(before, changes(*entries), ANA, limits)
    assert isinstance(verdict, Refused), verdict
    return verdict.refusal.reason.value, verdict.refusal.affected


def is_no_op(before: Diagram, *entries: dict[str, Any]) -> bool:
    return isinstance(apply(before, changes(*entries), ANA, LIMITS), Unchanged)


def ids(of: Diagram) -> list[str]:
    return list(of.order())


def logged(
    outcome: Applied,
    user: UserId = ANA,
    kind: Kind = Kind.EDIT,
    *,
    undo_of: int | None = None,
    group_id: str | None = None,
) -> LoggedOperation:
    provider, _, name = user.partition(":")
    return LoggedOperation(
        vector=outcome.diagram.vector,
        operation_id=OperationId(f"{outcome.diagram.vector}"),
        user=User(provider, name, f"{name}@example.com", name),
        kind=kind,
        effect=outcome.effect,
        inverse=outcome.inverse,
        state_hash=outcome.diagram.state_hash,
        at_ms=0,
        group_id=group_id,
        undo_of=undo_of,
    )


def whole(of: Diagram) -> tuple[Any, ...]:
    """Everything a diagram knows, comparable: two that are equal here cannot be told apart by what comes after."""
    return (
        (of.id, of.epoch, of.vector, of.state_hash, of.size),
        list(of.cells_in_order()),
        {id: dict(by) for id, by in of.referring.items()},
        of.traces,
    )


# random operations --------------------------------------------------------------------------------------------------

_NODES = [f"n{number}" for number in range(6)]
_EDGES = [f"e{number}" for number in range(4)]
_KEYS = ("x", "width", "label", "shape", "extra", "zIndex", "parent", "children", "source", "target")
_DEEP_KEYS = ("attrs", "data", "attrs/p", "attrs/p/q", "data/q/p")


class Scribbler:
    """Draws operations on a diagram as it is: mostly sensible ones, on few cells and keys, so that they collide."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)

    def one_of(self, *values: Any) -> Any:
        return self._chance.choice(values)

    def batch(self, on: Diagram) -> list[dict[str, Any]]:
        self._present = list(on.order())
        self._nodes = [id for id in self._present if not is_edge(on.cell(id))]
        return [self._entry() for _ in range(self.one_of(1, 1, 1, 2, 3, 4))]

    def _entry(self) -> dict[str, Any]:
        match self.one_of("add", "add", "update", "update", "update", "remove") if self._present else "add":
            case "add":
                cell = self._node() if len(self._nodes) < 2 or self._rarely(2) else self._edge()
                (self._present if is_edge(cell) else self._nodes).append(cell["id"])
                return add(cell)
            case "update":
                id = self.one_of(*_NODES, *_EDGES) if self._rarely() else self.one_of(*self._present)
                return update(id, {key: self._value(key) for key in self._keys()})
            case _:
                return remove(self.one_of(*_NODES, *_EDGES) if self._rarely() else self.one_of(*self._present))

    def _rarely(self, times: int = 12) -> bool:
        return self._chance.randrange(times) == 0

    def _keys(self) -> list[str]:
        keys = self._chance.sample((*_KEYS[:8], *_DEEP_KEYS), self.one_of(1, 1, 2, 3))
        return [*keys, self.one_of("source", "target")] if self._rarely(4) else keys

    def _value(self, key: str) -> Any:
        if self._rarely(5):
            return None if key != "shape" else "gadget"
        match key:
            case "x" | "zIndex":
                return self.one_of(0, 1, 1.5, 50)
            case "width":
                return self.one_of(50, 60, 60, 60, 10)
            case "label":
                return self.one_of("", "one", "two")
            case "shape":
                return self.one_of("process", "store", "gadget", "gizmo")
            case "parent" | "source" | "target":
                return self._some_node()
            case "children":
                return [self.one_of(*_NODES, *_EDGES) for _ in range(self.one_of(0, 1, 2))]
            case "extra":
                return self._tree(1)
            case "attrs" | "data":
                return {self.one_of("p", "q"): self._tree(2) for _ in range(self.one_of(0, 1, 2))}
            case _:
                return self._tree(1)

    def _tree(self, depth: int) -> Any:
        if depth == 0 or self._rarely(2):
            return self.one_of(0, 1, True, "a", [1], {}, [True], None)
        return {self.one_of("p", "q", "r/s"): self._tree(depth - 1) for _ in range(self.one_of(1, 2))}

    def _some_node(self) -> str:
        return str(self.one_of(*_NODES, "nowhere") if self._rarely() or not self._nodes else self.one_of(*self._nodes))

    def _node(self) -> dict[str, Any]:
        absent = [id for id in _NODES if id not in self._present]
        id = self.one_of(*_NODES) if self._rarely() or not absent else self.one_of(*absent)
        more = {key: self._value(key) for key in self._chance.sample(("parent", "attrs", "children", "label"), 2)}
        return node(id, shape=self.one_of("process", "store", "gadget"), **more)

    def _edge(self) -> dict[str, Any]:
        absent = [id for id in _EDGES if id not in self._present]
        id = self.one_of(*_EDGES, "n0") if self._rarely() or not absent else self.one_of(*absent)
        more = {key: self._value(key) for key in self._chance.sample(("parent", "attrs", "label"), 1)}
        return flow(id, self._some_node(), self._some_node(), shape=self.one_of("flow", "gizmo"), **more)


def history(seed: int, operations: int) -> list[tuple[Diagram, LoggedOperation | None]]:
    """A diagram's states from vector 0 on, each with the operation that led to it; two users take turns."""
    scribbler = Scribbler(seed)
    states: list[tuple[Diagram, LoggedOperation | None]] = [(diagram(node("n0"), node("n1")), None)]
    while len(states) <= operations:
        before, _ = states[-1]
        user = scribbler.one_of(ANA, BO)
        verdict = apply(before, changes(*scribbler.batch(before)), user, LIMITS)
        if isinstance(verdict, Applied):
            states.append((verdict.diagram, logged(verdict, user)))
    return states
