"""Bugs in order, retries, undo and redo."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from tests.codraw.conform.planting import mutant


@mutant("VEC2 OP1")
def the_vector_rises_by_two() -> None:
    from collab.core.diagram import Diagram

    before = Diagram.after

    def after(self: Any, *args: Any) -> Any:
        made = before(self, *args)
        return msgspec.structs.replace(made, vector=made.vector + 1)

    Diagram.after = after


@mutant("VEC8")
def a_retry_is_told_again() -> None:
    from collab.core.receipts import Receipts
    from protocol.operations import Verdict

    before = Receipts._repeat

    def repeat(self: Any, verdict: Any) -> None:
        before(self, verdict)
        outcome, replica = verdict.outcome, self._state.replica
        if outcome.verdict is Verdict.ACCEPTED:
            self.tell(replica.missed(replica.diagram.epoch, outcome.vector - 1)[0])

    Receipts._repeat = repeat


@mutant("VEC8")
def a_retry_is_another_operation() -> None:
    from collab.core import writing

    before = writing.Judge._one

    def one(self: Any, waiting: Any) -> Any:
        fresh = msgspec.structs.replace(waiting, operation_id=os.urandom(8).hex())
        return before(self, fresh)

    writing.Judge._one = one


@mutant("VEC9")
def another_payload_under_a_known_id_is_a_retry() -> None:
    from collab.core import writing

    writing.payload_of = lambda _: b"the same" * 4


@mutant("VEC14", "codraw.v1")
def the_state_hash_is_of_unsorted_keys() -> None:
    from protocol import statehash

    statehash.canonical_bytes = statehash._encode_in_order


@mutant("VEC8")
def a_refusal_is_forgotten() -> None:
    from collab.core.replica import Replica
    from protocol.operations import Verdict

    before = Replica.outcome

    def outcome(self: Any, key: Any) -> Any:
        found = before(self, key)
        return None if found is not None and found.verdict is Verdict.REFUSED else found

    Replica.outcome = outcome


@mutant("VEC10 S46")
def an_id_belongs_to_whoever_used_it_first() -> None:
    from collab.core import replica, writing

    before, remember = replica.Replica.outcome, replica.Replica.remember
    first: dict[str, Any] = {}

    def outcome(self: Any, key: Any) -> Any:
        return first.get(key[1]) or before(self, key)

    def remembered(self: Any, found: Any) -> None:
        first.setdefault(found.operation_id, found)
        remember(self, found)

    replica.Replica.outcome, replica.Replica.remember = outcome, remembered
    writing.payload_of = lambda _: b"the same" * 4


@mutant("UN2")
def undo_looks_at_values_only() -> None:
    from collab.core.diagram import Diagram

    Diagram.changed_by_other = lambda *_: False


@mutant("UN2 UN6")
def undo_overwrites_what_others_changed() -> None:
    from collab.core.reversal import Reversal

    Reversal._obstacle = lambda *_: None


@mutant("UN10")
def undo_takes_back_anybody_s_operation() -> None:
    from collab.core.replica import Replica

    Replica.undoer = lambda self, user: None


@mutant("UN7")
def an_edit_leaves_the_redo_stack() -> None:
    from collab.core.history import Stacks

    before = Stacks.edited
    Stacks.edited = lambda self, rows: msgspec.structs.replace(before(self, rows), redo=self.redo)


@mutant("UN3")
def undo_removes_what_others_have_changed() -> None:
    from collab.core.reversal import Reversal

    Reversal._in_use = lambda *_: False
    Reversal._changed = lambda *_: False


@mutant("UN12")
def the_requester_of_an_undo_gets_the_event() -> None:
    from protocol.dialects import tmi

    tmi.is_inversion = lambda _: False


@mutant("UN13", "codraw.v1")
def a_group_is_many_entries() -> None:
    from collab.core import history

    history._goes_on = lambda *_: False
