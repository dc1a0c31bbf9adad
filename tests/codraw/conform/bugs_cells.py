"""Bugs in the rules of cells, and in what is refused of hostile input."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.codraw.conform.planting import mutant


@mutant("OP12")
def an_update_replaces_the_cell() -> None:
    from collab.core import apply

    before = apply.merged
    apply.merged = lambda cell, patch: before({key: cell[key] for key in ("id", "shape")} | _box(cell), patch)


def _box(cell: Any) -> Any:
    kept = ("x", "y", "width", "height", "source", "target")
    return {key: cell[key] for key in kept if key in cell}


@mutant("OP12")
def null_deletes_nothing() -> None:
    from collab.core import apply

    before = apply.merged
    apply.merged = lambda cell, patch: before(cell, {key: v for key, v in patch.items() if v is not None})


@mutant("OP4")
def edges_are_left_dangling() -> None:
    from collab.core import graph

    graph._follow = lambda draft, gone: None


@mutant("OP3")
def edges_may_lead_to_nowhere() -> None:
    from collab.core import graph

    graph._check_ends = lambda *_: None


@mutant("OP6")
def parents_may_form_a_cycle() -> None:
    from collab.core import graph

    graph.cycle = lambda *_: None


@mutant("OP7")
def an_updated_cell_moves_to_the_end() -> None:
    from collab.core.diagram import Diagram

    before = Diagram.after

    def after(self: Any, differences: Any, *args: Any) -> Any:
        differences = list(differences)
        made = before(self, differences, *args)
        slots = made.slots
        for n, one in enumerate(differences):
            if one.after is not None:
                slots = slots.set(one.id, msgspec.structs.replace(slots[one.id], place=made.next_place + n))
        return msgspec.structs.replace(made, slots=slots, next_place=made.next_place + len(differences))

    Diagram.after = after


@mutant("OP1 WS21")
def an_update_of_a_missing_cell_is_passed_over() -> None:
    from collab.core import apply

    before = apply._compose

    def compose(draft: Any, changes: Any) -> Any:
        there = [c for c in changes if c.verb.value != "update" or draft.cell(c.id) is not None]
        return before(draft, there)

    apply._compose = compose


@mutant("OP11")
def a_no_op_is_an_operation() -> None:
    from collab.core import writing
    from collab.core.apply import Applied, Unchanged, apply
    from protocol.operations import Effect, Inverse

    def applied(diagram: Any, changes: Any, user: Any, *args: Any, **more: Any) -> Any:
        found = apply(diagram, changes, user, *args, **more)
        if isinstance(found, Unchanged):
            return Applied(diagram.after([], user), Effect((), None), Inverse((), None))
        return found

    writing.apply = applied


@mutant("OP20")
def nobody_is_corrected() -> None:
    from collab.core.receipts import Receipts

    Receipts._correct = lambda *_: None


@mutant("OP21")
def an_old_base_vector_is_rejected() -> None:
    from collab.core.writing import Judge
    from protocol.refusals import Reason, Refusal

    def strictness(self: Any, user: Any, edit: Any) -> Any:
        if edit.base_vector is not None and edit.base_vector < self._diagram.vector:
            return Refusal(Reason.CONFLICT_DETECTED, "old")
        return None

    Judge._strictness = strictness


@mutant("OP22", "codraw.v1")
def strict_is_overlooked() -> None:
    from collab.core.writing import Judge

    Judge._strictness = lambda *_: None


@mutant("OP5")
def children_of_a_removed_node_have_no_parent() -> None:
    from collab.core import graph

    graph._heir = lambda *_: None


@mutant("OP15 S56")
def upper_case_ids_stay_as_they_are() -> None:
    from protocol import cell_keys

    # A UUID that is taken for a free id keeps its letters.
    cell_keys.is_uuid = lambda _: None


@mutant("S51")
def duplicate_keys_are_accepted() -> None:
    from protocol import codec

    codec._unique = dict


@mutant("S54")
def a_prototype_may_be_named() -> None:
    from protocol import cell_keys, cells, codec

    codec.FORBIDDEN_KEYS = cells.FORBIDDEN_KEYS = cell_keys.FORBIDDEN_KEYS = frozenset()


@mutant("S50")
def numbers_have_no_bound() -> None:
    from protocol import codec

    codec.MAX_NUMBER, codec._LOWEST = float("inf"), float("-inf")


@mutant("S53")
def messages_may_be_deep() -> None:
    from protocol import cells, codec

    codec.MAX_LEVELS = cells.MAX_CELL_LEVELS = 60
