"""A second `apply`, written for clarity from the OP rules of SPEC.md alone: the oracle of the fast engine.

Plain dicts and lists, whole copies, every rule checked over the whole diagram. It shares no code with what it judges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import rfc8785

from protocol.operations import CellChange, CellEffect, Effect, Verb
from protocol.values import CellId, Limits

ACCEPTED = "accepted"
NO_OP = "no_op"

KNOWN = 20_000
_known: dict[str, bytes] = {}

NODE_SHAPES = ("actor", "process", "store", "security-boundary", "text-box")

Cell = dict[str, Any]
Cells = dict[str, Cell]


class Refused(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NaiveDiagram:
    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells: list[Cell] = deepcopy(list(cells))

    def apply(self, changes: Sequence[CellChange], limits: Limits) -> tuple[str, Effect | None]:
        """`("accepted", effect)`, `("no_op", None)`, or the reason of a refusal, which changes nothing, and None."""
        before = {cell["id"]: cell for cell in self.cells}
        try:
            if not changes:
                raise Refused("empty_operation")
            if len(changes) > limits.max_cells_per_operation:
                raise Refused("limit_exceeded")
            after = compose(before, changes)
            remove_dangling_edges(before, after)
            adopt_orphans(before, after)
            check(before, after, limits)
        except Refused as refused:
            return refused.reason, None
        effect = difference(before, after, changes)
        if not effect.cells:
            return NO_OP, None
        self.replay(effect)
        return ACCEPTED, effect

    def replay(self, effect: Effect) -> None:
        """OP13: assign keys, null deletes; a new cell goes to the end."""
        for entry in effect.cells:
            if entry.verb is Verb.ADD:
                self.cells.append(deepcopy(dict(entry.data or {})))
            elif entry.verb is Verb.REMOVE:
                self.cells = [cell for cell in self.cells if cell["id"] != entry.id]
            else:
                (cell,) = [cell for cell in self.cells if cell["id"] == entry.id]
                for key, value in (entry.data or {}).items():
                    if value is None:
                        del cell[key]
                    else:
                        cell[key] = deepcopy(value)
        if effect.order is not None:
            self.cells.sort(key=lambda cell: effect.order.index(cell["id"]))  # type: ignore[union-attr]

    def hash(self) -> int:
        """VEC14: the sum of the cells' hashes modulo 2^128."""
        digests = [hashlib.sha256(canonical(cell)).digest() for cell in self.cells]
        return sum(int.from_bytes(digest[:16], "big") for digest in digests) % 2**128


def compose(before: Cells, changes: Sequence[CellChange]) -> Cells:
    """OP2: the entries one after the other."""
    cells = {id: dict(cell) for id, cell in before.items()}
    for change in changes:
        present = change.id in cells
        if change.verb is Verb.ADD:
            if present and not equal(cells[change.id], change.data):
                raise Refused("conflict_detected")
            cells[change.id] = deepcopy(dict(change.data or {}))
        elif change.verb is Verb.UPDATE:
            if not present:
                raise Refused("conflict_detected")
            cells[change.id] = updated(cells[change.id], dict(change.data or {}))
        else:
            cells.pop(change.id, None)
    return cells


def updated(cell: Cell, data: Cell) -> Cell:
    """The merge rule of `update` (OP12)."""
    result = deepcopy(cell)
    for key, value in data.items():
        if key.startswith(("attrs/", "data/")):
            set_path(result, key.split("/"), value)
        elif value is None:
            result.pop(key, None)
        elif key in ("attrs", "data"):
            result[key] = merged(result.get(key), value)
        else:
            result[key] = deepcopy(value)
    return result


def merged(old: Any, new: Any) -> Any:
    """Objects recurse, arrays and scalars replace, null deletes the inner key."""
    if not isinstance(new, dict):
        return deepcopy(new)
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def set_path(cell: Cell, path: list[str], value: Any) -> None:
    inner = cell
    for segment in path[:-1]:
        if segment not in inner:
            if value is None:
                return
            inner[segment] = {}
        inner = inner[segment]
        if not isinstance(inner, dict):
            raise Refused("validation_failed")
    if value is None:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = deepcopy(value)


def remove_dangling_edges(before: Cells, after: Cells) -> None:
    """OP4: with a node go the edges that stood at it before; one that the batch itself led there does not."""
    removed = removed_nodes(before, after)
    for id, cell in list(after.items()):
        is_still_edge = id in before and is_edge(before[id]) and is_edge(cell)
        for key in ("source", "target"):
            if is_still_edge and end(cell, key) in removed and end(before[id], key) == end(cell, key):
                after.pop(id, None)


def adopt_orphans(before: Cells, after: Cells) -> None:
    """OP5: children go to the removed node's own parent; no list of children names it any more."""
    removed = removed_nodes(before, after)
    for id, cell in after.items():
        parent = cell.get("parent")
        if parent in removed and before.get(id, {}).get("parent") == parent:
            passed = set()
            while parent in removed and parent not in passed:
                passed.add(parent)
                parent = before[parent].get("parent")
            if parent is None or parent in passed:
                del cell["parent"]
            else:
                cell["parent"] = parent
        if "children" in cell:
            cell["children"] = [child for child in cell["children"] if child not in removed]


def check(before: Cells, after: Cells, limits: Limits) -> None:
    for id, cell in after.items():
        old = before.get(id)
        check_keys(cell)
        if old is not None and is_edge(old) != is_edge(cell):
            raise Refused("validation_failed")  # OP8
        if old is None or any(old.get(key) != cell.get(key) for key in ("width", "height")):
            check_size(cell, limits)
        if (old is None or not equal(old, cell)) and len(canonical(cell)) > limits.max_cell_bytes:
            raise Refused("validation_failed")
    for cell in after.values():
        check_ends(cell, after)
        check_parents(cell, after)
    if len(after) > max(limits.max_cells_per_diagram, len(before)):
        raise Refused("limit_exceeded")
    if total_bytes(after) > max(limits.max_diagram_bytes, total_bytes(before)):
        raise Refused("validation_failed")


def check_keys(cell: Cell) -> None:
    required = ("source", "target") if is_edge(cell) else ("x", "y", "width", "height")
    if any(key not in cell for key in required):
        raise Refused("validation_failed")


def check_size(cell: Cell, limits: Limits) -> None:
    if is_edge(cell):
        return
    if cell["shape"] in NODE_SHAPES:
        large_enough = cell["width"] >= limits.min_node_width and cell["height"] >= limits.min_node_height
    else:
        large_enough = cell["width"] > 0 and cell["height"] > 0
    if not large_enough:
        raise Refused("validation_failed")


def check_ends(cell: Cell, cells: Cells) -> None:
    """OP3."""
    for key in ("source", "target"):
        if is_edge(cell) and not is_node(end(cell, key), cells):
            raise Refused("validation_failed")


def check_parents(cell: Cell, cells: Cells) -> None:
    """OP6."""
    passed = {cell["id"]}
    while "parent" in cell:
        parent = cell["parent"]
        if parent in passed or not is_node(parent, cells):
            raise Refused("validation_failed")
        passed.add(parent)
        cell = cells[parent]


def difference(before: Cells, after: Cells, changes: Sequence[CellChange]) -> Effect:
    """The effective form: asked cells in order of first mention, then edges that went, then others, in cell order."""
    asked = list(dict.fromkeys(change.id for change in changes))
    others = sorted((CellId(id) for id in before if id not in asked), key=lambda id: id in after)
    entries = [cell_difference(id, before.get(id), after.get(id), named_keys(id, changes)) for id in asked + others]
    return Effect(tuple(entry for entry in entries if entry is not None))


def cell_difference(id: CellId, old: Cell | None, new: Cell | None, named: list[str]) -> CellEffect | None:
    if old is None and new is None:
        return None
    if new is None:
        return CellEffect(id, Verb.REMOVE)
    if old is None:
        return CellEffect(id, Verb.ADD, new)
    keys = list(dict.fromkeys([*old, *new]))
    changed = {key: new.get(key) for key in keys if key not in old or key not in new or not equal(old[key], new[key])}
    also = tuple(key for key in named if key not in changed)
    return CellEffect(id, Verb.UPDATE, changed, also) if changed else None


def named_keys(id: CellId, changes: Sequence[CellChange]) -> list[str]:
    names = [key for change in changes if change.id == id and change.verb is Verb.UPDATE for key in change.data or {}]
    tops = [name.split("/")[0] if name.startswith(("attrs/", "data/")) else name for name in names]
    return list(dict.fromkeys(tops))


def removed_nodes(before: Cells, after: Cells) -> set[str]:
    return {id for id, cell in before.items() if id not in after and not is_edge(cell)}


def is_edge(cell: Cell) -> bool:
    if cell["shape"] in NODE_SHAPES:
        return False
    return cell["shape"] == "flow" or "source" in cell or "target" in cell


def is_node(id: str | None, cells: Cells) -> bool:
    return id in cells and not is_edge(cells[id])


def end(cell: Cell, key: str) -> str | None:
    id: str | None = cell.get(key, {}).get("cell")
    return id


def total_bytes(cells: Cells) -> int:
    return sum(len(canonical(cell)) for cell in cells.values())


def canonical(value: Any) -> bytes:
    """The same few cells are asked for again and again, and the library takes its time."""
    key = repr(value)
    found = _known.get(key)
    if found is None:
        if len(_known) > KNOWN:
            _known.clear()
        found = _known[key] = rfc8785.dumps(value)
    return found


def equal(one: Any, other: Any) -> bool:
    """OP16: equal canonical bytes."""
    return canonical(one) == canonical(other)
