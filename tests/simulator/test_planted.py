"""The simulator is tested: each rule of the writing lane is broken on purpose, and a pinned seed must notice.

The bugs are planted in the rooms that a test builds; the product knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from collab.core.events import Joined
from collab.core.effects import Commit
from collab.core.replica import Replica
from collab.core.room import Room
from collab.core.writer import Writer
from collab.core.writing import Committing, Idle, Judge, Judged
from protocol.operations import Verdict
from tests.simulator.histories import History


class HoldsNothingBack(Writer):
    """Applies news while a commit is in flight."""

    @property
    def in_flight(self) -> bool:
        return False


class AdmitsAtOnce(Writer):
    """Lets a newcomer in without a read that began after its arrival."""

    def join(self, event: Joined) -> None:
        super().join(event)
        self._joins.remove(event)
        if self._state.replica.stacks(event.caller.id) is None:
            self._state.replica.set_history(event.caller.id, ())
        self.ready_joins.append(event)


class RecordsAcceptedOnly(Writer):
    """Refusals are not written down."""

    def _commit(self, writing: Committing) -> Commit:
        commit = super()._commit(writing)
        return msgspec.structs.replace(
            commit, outcomes=tuple(o for o in commit.outcomes if o.verdict is Verdict.ACCEPTED)
        )


class ConfirmsNothing(Writer):
    """A batch that accepts nothing is answered without a commit."""

    def _begin_batch(self) -> bool:
        more = super()._begin_batch()
        if isinstance(self._writing, Committing) and not self._writing.judged.operations:
            self._state.effects = [effect for effect in self._state.effects if not isinstance(effect, Commit)]
            self.committed()
            return True
        return more


class AnswersBeforeTheCommit(Writer):
    """Tells what it has judged while the store has not said anything."""

    def _begin_batch(self) -> bool:
        more = super()._begin_batch()
        if isinstance(self._writing, Committing):
            judged = self._writing.judged
            for verdict in judged.verdicts:
                self._receipts.release(verdict)
            nothing_left = Judged((), (), judged.outcomes)
            self._writing = msgspec.structs.replace(self._writing, judged=nothing_left)
        return more


class ForgetsIds(Writer):
    """No outcome is kept, here or in the store."""

    def _commit(self, writing: Committing) -> Commit:
        return msgspec.structs.replace(super()._commit(writing), outcomes=())

    def committed(self) -> None:
        super().committed()
        self._state.replica._outcomes.clear()


class TrustsALookup(Writer):
    """After an unknown outcome it takes the batch for lost."""

    def unresolved(self) -> None:
        assert isinstance(self._writing, Committing)
        batch, self._writing = self._writing.batch, Idle()
        for waiting in batch:
            self._state.roster.get(waiting.source) and self._receipts.refuse(waiting, _LOST)  # type: ignore[arg-type]


class TakesNewsAsItComes(Writer):
    """No reorder buffer: whatever comes next is applied."""

    def _follow(self) -> None:
        if not self.in_flight and self._held._by_vector:
            first = min(self._held._by_vector)
            operation = self._held._by_vector.pop(first)
            self._take_foreign(operation)
        super()._follow()


class NeverReadsRightsAgain(Writer):
    """Believes the role that a socket joined with, and commits with whatever permission clock the store has."""

    def stale_rights(self) -> None:
        for user, (caller, role) in self._rights.items():
            self._rights[user] = (caller, role)


from protocol.refusals import Reason, Refusal  # noqa: E402

_LOST = Refusal(Reason.CONFLICT_DETECTED, "lost")


def planted(bug: type[Writer]) -> Callable[..., Room]:
    def build(*args: object) -> Room:
        room = Room(*args)  # type: ignore[arg-type]
        room._writer.__class__ = bug
        return room

    return build


PINNED: dict[type[Writer], int] = {}
