"""Taking operations back key by key (protocol rules UN2 to UN4, UN10), each on what the later ones have left."""

from __future__ import annotations

from typing import Any

from collab.core.diagram import Diagram
from collab.core.difference import ABSENT, same
from collab.core.draft import Draft
from collab.core.graph import cycle
from collab.core.merge import DEEP, merged
from collab.core.references import ENDS, children, end, parent, references
from protocol.cells import is_edge
from protocol.operations import CellInverse, KeyPath, LoggedOperation, Skipped, Verb, dotted
from protocol.values import Cell, CellId, UserId

CHANGED, GONE, EXISTS, IN_USE = "changed", "gone", "exists", "in_use"


class Reversal:
    """An undo or redo in the making, for `user`; None stands for everybody: then nobody is somebody else."""

    def __init__(self, diagram: Diagram, user: UserId | None) -> None:
        self.draft = Draft(diagram)
        self._user = user
        self._naming: dict[CellId, dict[CellId, None]] = {}
        self._moved: dict[CellId, None] = {}
        self._skipped: dict[tuple[CellId, str], dict[str, None]] = {}

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(Skipped(id, tuple(keys), why) for (id, why), keys in self._skipped.items())

    def take_back(self, operation: LoggedOperation) -> None:
        """What is needed comes back before what needs it, and goes after it. Newest operation first."""
        inverses = operation.inverse.cells
        wrote = {effect.id: effect.data or {} for effect in operation.effect.cells}
        since = operation.vector
        back = [(inverse.id, inverse.cell) for inverse in inverses if inverse.cell is not None]
        nodes = [(id, cell) for id, cell in back if not is_edge(cell)]
        for id, cell in nodes:
            self._bring_back(id, cell)
        for id, _ in nodes:
            self._check_parent(id)
        for inverse in inverses:
            if inverse.verb is Verb.UPDATE:
                self._restore_keys(inverse, wrote.get(inverse.id, {}), since)
        for id, cell in back:
            if is_edge(cell):
                self._bring_back_edge(id, cell)
        added = [inverse.id for inverse in inverses if inverse.verb is Verb.REMOVE]
        for id in sorted(added, key=self.draft.has_node):  # edges first
            self._remove(id, since)

    def finish(self) -> None:
        """After the last operation: what cannot stay as it has become."""
        for id, cell in list(self.draft.cells.items()):
            before = self.draft.before(id)
            if cell is not None and before is not None and is_edge(cell) != is_edge(before):
                self._give_up(id)
        while (closing := cycle(self.draft, self._moved)) is not None:
            del self._moved[closing]
            self._skip(closing, IN_USE, ("parent",))
            former = self._standing(self.draft.base.parent(closing))
            self._put(closing, merged(self.draft.cells[closing] or {}, {"parent": former}))

    def _standing(self, node: CellId | None) -> CellId | None:
        """It, or of its former ancestors the nearest that this inversion leaves (OP5)."""
        while node is not None and not self.draft.has_node(node):
            node = self.draft.base.parent(node)
        return node

    def _give_up(self, id: CellId) -> None:
        """An id that this inversion frees is not free for a cell of the other kind (OP2)."""
        self._skip(id, EXISTS)
        for referrer, cell in self._referrers(id):
            if _hangs_on(cell, id):
                self._skip(referrer, GONE)
                self._put(referrer, self.draft.before(referrer))
        self._let_go(id, 0)

    def former_order(self, operation: LoggedOperation) -> tuple[CellId, ...] | None:
        """The order before the operation, if it gave the cells another (RE14) which still stands, and the cells will
        be those of then."""
        base, former = self.draft.base, operation.inverse.order
        if former is None or base.order() != operation.effect.order or self._reordered(operation.vector):
            return None
        present = set(base.order()) - {id for id, cell in self.draft.cells.items() if cell is None}
        present |= {id for id, cell in self.draft.cells.items() if cell is not None}
        return former if present == set(former) else None

    # whole cells ------------------------------------------------------------------------------------------------------

    def _bring_back(self, id: CellId, cell: Cell) -> bool:
        """UN4. The cell as it was."""
        if self.draft.cell(id) is not None:
            self._skip(id, EXISTS)
            return False
        self._put(id, cell)
        return True

    def _bring_back_edge(self, id: CellId, edge: Cell) -> None:
        if any(not self.draft.has_node(end(edge, key)) for key in ENDS):
            self._skip(id, GONE)
        elif self._bring_back(id, edge):
            self._check_parent(id)

    def _remove(self, id: CellId, since: int) -> None:
        """UN3."""
        if self.draft.cell(id) is None:
            self._skip(id, GONE)
        elif self._changed(id, (), since):
            self._skip(id, CHANGED)
        elif self._in_use(id, since):
            self._skip(id, IN_USE)
        else:
            self._let_go(id, since)

    def _let_go(self, id: CellId, since: int) -> None:
        """OP4, OP5; but a list of children that named the cell before it came goes on naming it (UN5)."""
        heir = parent(self.draft.cell(id) or {})
        self._put(id, None)
        for referrer, cell in self._referrers(id):
            patch: dict[str, Any] = {}
            if _hangs_on(cell, id):
                self._put(referrer, None)
                continue
            if parent(cell) == id:
                patch["parent"] = heir
                self._moved[referrer] = None
            if id in children(cell) and self._changed(referrer, ("children",), since):
                patch["children"] = [child for child in children(cell) if child != id]
            if patch:
                self._put(referrer, merged(cell, patch))

    def _referrers(self, id: CellId) -> list[tuple[CellId, Cell]]:
        """In cell order."""
        base = self.draft.base
        named = base.in_order({*base.referrers(id), *self._naming.get(id, ())})
        return [(referrer, cell) for referrer in named if (cell := self.draft.cell(referrer)) is not None]

    def _in_use(self, id: CellId, since: int) -> bool:
        """Whether an edge that somebody else had a hand in hangs on it, or a child that somebody else put there."""
        for referrer, cell in self._referrers(id):
            if _hangs_on(cell, id) and self._changed(referrer, (), 0):
                return True
            if parent(cell) == id and self._changed(referrer, ("parent",), since):
                return True
        return False

    def _check_parent(self, id: CellId) -> None:
        cell = self.draft.cells.get(id)
        if cell is None or (named := parent(cell)) is None:
            return
        self._moved[id] = None
        if not self.draft.has_node(named):
            self._skip(id, GONE, ("parent",))
            self._put(id, merged(cell, {"parent": None}))

    # keys -------------------------------------------------------------------------------------------------------------

    def _restore_keys(self, inverse: CellInverse, wrote: Cell, since: int) -> None:
        """UN2. `wrote`: the complete values that the operation left at the top-level keys it changed."""
        id, cell = inverse.id, self.draft.cell(inverse.id)
        if cell is None:
            self._skip(id, GONE, *(path for path, _ in inverse.keys))
            return
        patch: dict[str, Any] = {}
        emptied: set[KeyPath] = set()
        for path, former in inverse.keys:
            why = self._obstacle(id, cell, path, former, wrote, since)
            if why is not None:
                self._skip(id, why, path)
                continue
            _plan(patch, path, former)
            if not former:
                emptied.update(path[:length] for length in range(1, len(path)))
        restored = merged(cell, patch)
        made = emptied.intersection(inverse.made)
        if made:
            restored = _without_empty(restored, (), made)
        if is_edge(restored) != is_edge(cell):
            self._skip(id, CHANGED, *(path for path, _ in inverse.keys))
            return
        if parent(restored) != parent(cell):
            self._moved[id] = None
        self._put(id, restored)

    def _obstacle(
        self, id: CellId, cell: Cell, path: KeyPath, former: tuple[Any, ...], wrote: Cell, since: int
    ) -> str | None:
        if not same(_at(cell, path), _at(wrote, path)) or self._changed(id, path, since):
            return CHANGED
        needed: CellId | None = None
        if path == ("parent",) and former:
            needed = former[0]
        elif path[0] in ENDS and former and is_edge(cell):
            needed = former[0]["cell"]
        return GONE if needed is not None and not self.draft.has_node(needed) else None

    # ------------------------------------------------------------------------------------------------------------------

    def _put(self, id: CellId, cell: Cell | None) -> None:
        self.draft.put(id, cell)
        for named in references(cell):
            self._naming.setdefault(named, {})[id] = None

    def _skip(self, id: CellId, why: str, *paths: KeyPath) -> None:
        self._skipped.setdefault((id, why), {}).update(dict.fromkeys(map(dotted, paths)))

    def _changed(self, id: CellId, path: KeyPath, since: int) -> bool:
        return self._user is not None and self.draft.base.changed_by_other(id, path, self._user, since)

    def _reordered(self, since: int) -> bool:
        return self._user is not None and self.draft.base.reordered_by_other(self._user, since)


def _hangs_on(cell: Cell, id: CellId) -> bool:
    return is_edge(cell) and any(end(cell, key) == id for key in ENDS)


def _at(cell: Cell, path: KeyPath) -> Any:
    """What stands at `path`, ABSENT if nothing does; of a key that an effect calls gone, too."""
    found: Any = cell
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
        if found is None:
            return ABSENT
    return found


def _plan(patch: dict[str, Any], path: KeyPath, former: tuple[Any, ...]) -> None:
    """Adds to a patch for `merged` that this path gets its former value, or goes. No path leads through another."""
    for key in path[:-1]:
        patch = patch.setdefault(key, {})
    patch[path[-1]] = former[0] if former else None


def _without_empty(value: Cell, path: KeyPath, made: set[KeyPath]) -> Cell:
    """Without the objects in `attrs` and `data` at the paths `made` that hold nothing any more."""
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        below = (*path, key)
        if isinstance(inner, dict) and below[0] in DEEP:
            left = _without_empty(inner, below, made)
            if left or below not in made:
                kept[key] = left
        else:
            kept[key] = inner
    return kept
