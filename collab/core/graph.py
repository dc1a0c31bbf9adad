"""The rules between cells (protocol rules OP3 to OP6): dangling edges, unknown ends, orphans, cycles of parents.

Costs what the operation touches and what refers to the nodes it removes; no walk up the parents is taken twice.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from collab.core.draft import Draft
from collab.core.merge import merged
from collab.core.references import ENDS, children, end, parent
from protocol.cells import is_edge
from protocol.refusals import CellError, Reason
from protocol.values import Cell, CellId


def settle(draft: Draft, *, exact: bool = False) -> None:
    """Adds to the draft what follows from the whole batch, and checks the outcome: edges that would dangle go, orphans
    take their parent's parent, removed nodes leave the lists of children.

    What is added stands after the asked cells: edges first, then the others, both in cell order. With `exact` nothing
    is added: the caller has said what all cells are to be, and what does not fit is refused. Raises CellError.
    """
    gone = draft.removed_nodes()
    if gone and exact:
        _check_left_behind(draft, gone)
    elif gone:
        _follow(draft, gone)
    moved = []
    for id, cell in draft.cells.items():
        if cell is None:
            continue
        before = draft.before(id)
        if is_edge(cell):
            _check_ends(draft, id, before, cell)
        if (above := parent(cell)) != (None if before is None else parent(before)):
            if above is not None and not draft.has_node(above):
                raise CellError(Reason.VALIDATION_FAILED, "parent is not a node of the diagram", id, "parent")
            moved.append(id)
    if moved and (closing := cycle(draft, moved)) is not None:
        raise CellError(Reason.VALIDATION_FAILED, "parents form a cycle", closing, "parent")


def _check_ends(draft: Draft, id: CellId, before: Cell | None, edge: Cell) -> None:
    """OP3. An end that stays what it was needs no look: had its node gone, the edge had gone with it."""
    for key in ENDS:
        if not _stays(before, edge, key) and not draft.has_node(end(edge, key)):
            raise CellError(Reason.VALIDATION_FAILED, f"{key} is not a node of the diagram", id, key)


def _stays(before: Cell | None, edge: Cell, key: str) -> bool:
    return before is not None and is_edge(before) and end(before, key) == end(edge, key)


def _check_left_behind(draft: Draft, gone: frozenset[CellId]) -> None:
    for id in draft.base.in_order(_touched(draft, gone)):
        cell = draft.cell(id)
        if cell is None:
            continue
        if parent(cell) in gone or (is_edge(cell) and any(end(cell, key) in gone for key in ENDS)):
            raise CellError(Reason.VALIDATION_FAILED, "it names a node that is not there any more", id)


def _touched(draft: Draft, gone: frozenset[CellId]) -> set[CellId]:
    """All cells that may name a removed node."""
    return {id for node in gone for id in draft.base.referrers(node)} | draft.cells.keys()


def _follow(draft: Draft, gone: frozenset[CellId]) -> None:
    """OP4, OP5. What the batch itself led to a removed node does not follow it: that is refused by the checks."""
    base = draft.base
    heirs: dict[CellId, CellId | None] = {}
    others: dict[CellId, Cell] = {}
    for id in base.in_order(_touched(draft, gone)):
        before, cell = draft.before(id), draft.cell(id)
        if cell is None:
            continue
        if is_edge(cell) and any(end(cell, key) in gone and _stays(before, cell, key) for key in ENDS):
            draft.put(id, None)
            continue
        patch: dict[str, Any] = {}
        if before is not None and (above := parent(cell)) in gone and above == parent(before):
            patch["parent"] = _heir(draft, above, gone, heirs)
        if not gone.isdisjoint(listed := children(cell)):
            patch["children"] = [child for child in listed if child not in gone]
        if patch:
            others[id] = merged(cell, patch)
    draft.cells.update(others)


def _heir(draft: Draft, node: CellId, gone: frozenset[CellId], heirs: dict[CellId, CellId | None]) -> CellId | None:
    """The nearest parent above a removed node that stays; `heirs` keeps what was found for all passed on the way."""
    passed: list[CellId] = []
    heir: CellId | None = node
    while heir in gone:
        if heir in heirs:
            heir = heirs[heir]
            break
        passed.append(heir)
        heir = draft.base.parent(heir)
    if heir is not None and not draft.has_node(heir):
        heir = None
    heirs.update(dict.fromkeys(passed, heir))
    return heir


def cycle(draft: Draft, moved: Collection[CellId]) -> CellId | None:
    """One of the cells that got another parent and now stand in a cycle of parents; before, there was none."""
    above = {draft.parent(id) for id in moved}
    safe: set[CellId] = set()
    for id in moved:
        if id not in above and not draft.base.is_named(id):
            continue  # nothing below it: no cycle, and no walk up a tree of any depth
        trail: dict[CellId, None] = {}
        at: CellId | None = id
        while at is not None and at not in safe:
            if at in trail:
                passed = list(trail)
                return next(closing for closing in passed[passed.index(at) :] if closing in moved)
            trail[at] = None
            at = draft.parent(at)
        safe |= trail.keys()
    return None
