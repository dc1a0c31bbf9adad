"""What a change is: as it was asked, as it took effect, as the log keeps it, and as its author is answered.

`gc=False`, here and on all that an operation makes on its way: values are in no cycles, and the collector that looked
through them took a fifth of what the room's part of an operation cost.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from protocol.refusals import Refusal
from protocol.values import Cell, CellId, Epoch, OperationId, User, UserId


class Verb(StrEnum):
    ADD = "add"
    UPDATE = "update"
    REMOVE = "remove"


class Kind(StrEnum):
    EDIT = "edit"
    UNDO = "undo"
    REDO = "redo"
    REST = "rest"
    RESTORE = "restore"


class CellChange(msgspec.Struct, frozen=True, gc=False):
    """One entry of an operation as asked, in canonical form (`protocol.cells.canonical_changes`).

    `add`: `data` is the whole cell with `id`. `update`: `data` holds the named keys, with null and path keys, without
    `id`. `remove`: `data` is None.
    """

    id: CellId
    verb: Verb
    data: Cell | None = None


class CellEffect(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One entry of the effective form: what a change came to.

    `add`: the whole canonical cell. `update`: each changed top-level key with its complete resulting value, None where
    the key is gone (OP13). `remove`: None. `also` lists keys that an update named without changing them.
    """

    id: CellId
    verb: Verb
    data: Cell | None = None
    also: tuple[str, ...] = ()


class Effect(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The effective form of an operation: the asked cells in order of first mention, then what the server added.

    `order` lists all ids where the operation gave the cells a new order (RE14), else None.
    """

    cells: tuple[CellEffect, ...] = ()
    order: tuple[CellId, ...] | None = None


KeyPath = tuple[str, ...]
"""A key as undo and corrections see it (OP20): `("x",)`, or a leaf such as `("attrs", "body", "fill")`."""


class CellInverse(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How to take one cell's change back.

    Of an `add`: `verb` remove. Of a `remove`: `verb` add and the whole former cell. Of an `update`: `verb` update and
    `keys`, each path with `[former value]`, or `[]` where it did not exist; and `made`, the paths of the objects that
    came to be inside or as `attrs` and `data`, inner ones first.
    """

    id: CellId
    verb: Verb
    cell: Cell | None = None
    keys: tuple[tuple[KeyPath, tuple[Any, ...]], ...] = ()
    made: tuple[KeyPath, ...] = ()


class Inverse(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    cells: tuple[CellInverse, ...] = ()
    order: tuple[CellId, ...] | None = None


class LoggedOperation(msgspec.Struct, frozen=True, gc=False):
    """One row of the log: an accepted operation with its vector."""

    vector: int
    operation_id: OperationId
    user: User
    kind: Kind
    effect: Effect
    inverse: Inverse
    state_hash: int
    at_ms: int
    """Unix milliseconds, stamped by the room that accepted it."""
    group_id: str | None = None
    undo_of: int | None = None
    """The vector that an undo took back, or that a redo brought back; of a group its newest (UN13)."""


class Verdict(StrEnum):
    """What an operation id came to; the word that the outcome row keeps (VEC8)."""

    ACCEPTED = "accepted"
    NO_OP = "no_op"
    REFUSED = "refused"


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """What an undo or redo left alone (UN2). `why`: changed, gone, exists, in_use."""

    id: CellId
    keys: tuple[str, ...]
    why: str


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The one answer of an operation id, kept per (diagram, user, operation id) and given again to every retry."""

    user: UserId
    operation_id: OperationId
    payload_sha256: bytes
    verdict: Verdict
    epoch: Epoch
    vector: int
    """Accepted: the operation's own vector. Else: the vector at which it was judged."""
    kind: Kind = Kind.EDIT
    refusal: Refusal | None = None
    skipped: tuple[Skipped, ...] = ()
    undo_of: int | None = None
    """Of an undo or redo without effect: the entry that it used up (UN6), by its vector."""


def dotted(path: KeyPath) -> str:
    """The wire spelling of a key path: `attrs/body/fill`."""
    return "/".join(path)
