"""Canonical form of a whole cell and of a change to one: geometry, required keys, paths, sizes (OP15 to OP17).

1. What is canonical here stays as it is when it comes in again.
2. Nothing here knows the diagram: what cells mean to each other is judged by the engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from protocol.cell_keys import EDGE_SHAPES, KEY_RULES, NODE_SHAPES, canonical_id, is_uuid
from protocol.codec import FORBIDDEN_KEYS, MAX_LEVELS
from protocol.operations import CellChange, Kind, Verb
from protocol.refusals import CellError, Reason
from protocol.statehash import canonical_bytes
from protocol.values import Cell, CellId, Limits

MAX_CELL_LEVELS = MAX_LEVELS - 4
"""A cell stands in `data` of an entry of `cells` of an operation of a message; by every door it may be no deeper."""

_GEOMETRY = (("x", "position"), ("y", "position"), ("width", "size"), ("height", "size"))
_NODE_KEYS = ("x", "y", "width", "height")
_EDGE_KEYS = ("source", "target")
_ADD, _UPDATE, _REMOVE = Verb.ADD, Verb.UPDATE, Verb.REMOVE
_REST, _EDIT = Kind.REST, Kind.EDIT
"""To look a member of an enumeration up takes 0.1 µs."""


def is_edge(cell: Cell) -> bool:
    """Whether a canonical cell is an edge; everything else is a node."""
    shape = cell["shape"]
    if shape in NODE_SHAPES:
        return False
    return shape in EDGE_SHAPES or "source" in cell or "target" in cell


def canonical_cell(raw: Any, *, free_ids: bool, limits: Limits) -> Cell:
    """A whole cell that names itself by its `id`. Raises CellError."""
    cell = _whole_cell(raw, _own_id(raw, free_ids), limits)
    check_bytes(cell, limits)
    return cell


def canonical_cells(raw_cells: Any, *, free_ids: bool, limits: Limits) -> tuple[Cell, ...]:
    """All cells of a diagram, each id once. Raises CellError, with LIMIT_EXCEEDED where there are too many."""
    cells: dict[CellId, Cell] = {}
    size = 0
    for raw in _list(raw_cells, limits.max_cells_per_diagram):
        id = _own_id(raw, free_ids)
        if id in cells:
            raise _broken("the id stands twice", id, "id")
        cells[id] = cell = _whole_cell(raw, id, limits)
        size += check_bytes(cell, limits)
    if size > limits.max_diagram_bytes:
        raise _broken(f"the diagram is larger than {limits.max_diagram_bytes} bytes")
    return tuple(cells.values())


def canonical_changes(raw_cells: Any, *, free_ids: bool, limits: Limits) -> tuple[CellChange, ...]:
    """The `cells` of an operation in canonical form, not yet judged against a diagram.

    In the `data` of an update paths (`attrs/..`, `data/..`) stand last, each after the paths it continues, so that
    the order in which a client wrote its keys does not matter. Raises CellError.
    """
    entries = _list(raw_cells, limits.max_cells_per_operation)
    if not entries:
        raise CellError(Reason.EMPTY_OPERATION, "an operation names at least one cell")
    return tuple([_change(entry, free_ids, limits) for entry in entries])


def respelled(raw_cells: Sequence[Any], changes: Sequence[CellChange]) -> bool:
    """Whether a copy to which `raw_cells` was applied as it came differs from one to which `changes` was."""
    return any([_is_respelled(raw, change) for raw, change in zip(raw_cells, changes, strict=True)])


def _is_respelled(raw: dict[str, Any], change: CellChange) -> bool:
    if raw["id"] != change.id:
        return True
    if change.data is None:
        return False
    data: dict[str, Any] = raw["data"]
    if data == change.data:
        return False
    if "id" in data or "id" in change.data:
        return {**data, "id": None} != {**change.data, "id": None}
    return data != change.data


def check_cell(cell: Cell, limits: Limits) -> None:
    """All rules of one whole canonical cell. Raises CellError."""
    check_shape(cell)
    check_size(cell, limits)
    check_bytes(cell, limits)


def check_shape(cell: Cell) -> None:
    """The keys that the shape requires are there, as after an update with null they may not be. Raises CellError."""
    for key in _EDGE_KEYS if is_edge(cell) else _NODE_KEYS:
        if key not in cell:
            raise _broken(f"{key} is required", cell["id"], key)


def check_size(cell: Cell, limits: Limits) -> None:
    """A node is large enough; called on add and on change of `width` or `height`. Raises CellError."""
    if is_edge(cell):
        return
    if cell["shape"] not in NODE_SHAPES:
        for key in ("width", "height"):
            if cell[key] <= 0:
                raise _broken(f"{key} must be above 0", cell["id"], key)
    elif cell["width"] < limits.min_node_width or cell["height"] < limits.min_node_height:
        smallest = f"{limits.min_node_width} x {limits.min_node_height}"
        key = "width" if cell["width"] < limits.min_node_width else "height"
        raise _broken(f"a node is at least {smallest}", cell["id"], key)


def check_bytes(cell: Cell, limits: Limits) -> int:
    """The length of the canonical bytes. Raises CellError beyond `max_cell_bytes`."""
    size = len(canonical_bytes(cell))
    if size > limits.max_cell_bytes:
        raise _broken(f"a cell has at most {limits.max_cell_bytes} bytes", cell["id"])
    return size


def payload_sha256(kind: Kind, changes: Sequence[CellChange], order: Sequence[CellId] | None = None) -> bytes:
    """What two sendings of one operation have in common (VEC11), whatever their door, dialect and spelling."""
    word = _EDIT if kind is _REST else kind
    payload = [word, [[change.id, change.verb, change.data] for change in changes], order]
    return hashlib.sha256(canonical_bytes(payload)).digest()


def _change(entry: Any, free_ids: bool, limits: Limits) -> CellChange:
    if not isinstance(entry, dict):
        raise _broken("an entry of cells is not an object")
    match entry.get("operation"):
        case "add":
            id = _id(entry.get("id"), free_ids)
            cell = _whole_cell(_data(entry, id), id, limits)
            check_bytes(cell, limits)
            return CellChange(id, _ADD, cell)
        case "update":
            id = _id(entry.get("id"))
            return CellChange(id, _UPDATE, _patch(_data(entry, id), id))
        case "remove":
            return CellChange(_id(entry.get("id")), _REMOVE)
    raise CellError(Reason.INVALID_OPERATION_TYPE, "operation is none of add, update, remove", _readable_id(entry))


def _data(entry: dict[str, Any], id: CellId) -> dict[str, Any]:
    """The `data` of an entry, which may name its cell again, but no other one."""
    data = entry.get("data")
    if not isinstance(data, dict):
        raise _broken("data must be an object", id, "data")
    if data.get("id") is not None and _readable_id(data) != id:
        raise _broken("data names another id", id, "id")
    return data


def _whole_cell(raw: dict[str, Any], id: CellId, limits: Limits) -> Cell:
    _check_levels(raw, MAX_CELL_LEVELS, id)
    flat = _flat({key: value for key, value in raw.items() if value is not None}, id)
    cell: dict[str, Any] = {"id": id, "shape": _ruled("shape", flat.pop("shape", flat.get("type")), id)}
    paths = []
    for key, value in flat.items():
        if key in ("attrs", "data"):
            cell[key] = _without_nulls(_ruled(key, value, id))
        elif is_path(key):
            paths.append(key)
        elif key != "id" and value is not None:
            cell[key] = _ruled(key, value, id)
    for key in sorted(paths):
        _assign(cell, _path(key, flat[key], id), _without_nulls(flat[key]))
    check_shape(cell)
    check_size(cell, limits)
    return cell


def _patch(raw: dict[str, Any], id: CellId) -> Cell:
    patch: dict[str, Any] = {}
    paths = []
    for key, value in _flat(raw, id).items():
        if "/" in key and is_path(key):
            _path(key, value, id)
            paths.append(key)
        elif value is not None:
            patch[key] = _ruled(key, value, id)
        elif key in ("id", "shape"):
            raise _broken(f"{key} is required", id, key)
        else:
            patch[key] = None
    patch.pop("id", None)
    for key in sorted(paths):
        patch[key] = _without_nulls(raw[key])
    return patch


def _flat(raw: dict[str, Any], id: CellId) -> dict[str, Any]:
    """`raw` or a copy with flat geometry: for each number the flat key wins over `position` and `size`; these go."""
    if "position" not in raw and "size" not in raw:
        return raw
    flat = dict(raw)
    position, size = flat.pop("position", None), flat.pop("size", None)
    for key, outer in _GEOMETRY:
        nested = position if outer == "position" else size
        if nested is None:
            continue
        if not isinstance(nested, dict):
            raise _broken(f"{outer} must be an object", id, outer)
        if key in nested and key not in flat:
            flat[key] = nested[key]
    return flat


def is_path(key: str) -> bool:
    """Whether a key of a change names a place inside `attrs` or `data` (OP12)."""
    return key.startswith(("attrs/", "data/"))


def _path(key: str, value: Any, id: CellId) -> list[str]:
    """The segments of a path key, which may name no forbidden key and reach no deeper than a cell may."""
    path = key.split("/")
    if not FORBIDDEN_KEYS.isdisjoint(path):
        raise _broken("a path names a key that is not allowed", id)
    if len(path) > MAX_CELL_LEVELS:
        raise _broken("a path is too deep", id)
    _check_levels(value, MAX_CELL_LEVELS - len(path), id)
    return path


def _assign(cell: dict[str, Any], path: list[str], value: Any) -> None:
    inner = cell
    for segment in path[:-1]:
        inner = inner.setdefault(segment, {})
        if not isinstance(inner, dict):
            raise _broken("a path leads through a value that is no object", cell["id"], "/".join(path))
    inner[path[-1]] = value


def _without_nulls(value: Any) -> Any:
    """A copy without the null keys, as merging it into nothing would leave it; what arrays hold stays whole."""
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}


def _check_levels(value: Any, allowed: int, id: CellId) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return
    if allowed == 0:
        raise _broken(f"a cell has at most {MAX_CELL_LEVELS} levels", id)
    for item in inner:
        if type(item) is dict or type(item) is list:
            _check_levels(item, allowed - 1, id)


def _ruled(key: str, value: Any, id: CellId) -> Any:
    """The canonical value of a key that is not null; one without a rule is kept as it is."""
    rule = KEY_RULES.get(key)
    if rule is None:
        return value
    try:
        return rule(value)
    except ValueError as error:
        raise _broken(f"{key} must be {error}", id, key) from None


def _list(raw_cells: Any, most: int) -> Sequence[Any]:
    if not isinstance(raw_cells, list | tuple):
        raise _broken("cells must be an array")
    if len(raw_cells) > most:
        raise CellError(Reason.LIMIT_EXCEEDED, f"at most {most} cells are allowed here")
    return raw_cells


def _own_id(raw: Any, free_ids: bool) -> CellId:
    if not isinstance(raw, dict):
        raise _broken("a cell is not an object")
    return _id(raw.get("id"), free_ids)


def _id(value: Any, free_ids: bool = True) -> CellId:
    try:
        id = canonical_id(value)
    except ValueError as error:
        raise _broken(f"id must be {error}", field="id") from None
    if not free_ids and not is_uuid(id):
        raise _broken("the id of a new cell must be a UUID", id, "id")
    return id


def _readable_id(entry: dict[str, Any]) -> CellId | None:
    try:
        return canonical_id(entry.get("id"))
    except ValueError:
        return None


def _broken(message: str, cell: CellId | None = None, field: str | None = None) -> CellError:
    return CellError(Reason.VALIDATION_FAILED, message, cell, field)
