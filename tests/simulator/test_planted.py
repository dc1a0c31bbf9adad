"""The simulator is tested: each rule of the writing lane is broken on purpose, and a pinned seed must notice.

The bugs are planted in the rooms that a test builds; the product knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from collab.core.effects import Commit
from collab.core.events import Joined
from collab.core.room import Room
from collab.core.roster import Shown
from collab.core.writer import Writer
from collab.core.writing import Committing, Idle, Judged, Operational, Source
from protocol.operations import Verdict
from protocol.refusals import Reason, Refusal
from protocol.values import Caller, RoleAt
from tests.simulator.histories import History
from tests.simulator.world import Faults

LOST = Refusal(Reason.CONFLICT_DETECTED, "lost")


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
        self._ready_joins.append(event)


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
            self._receipts.refuse(waiting, LOST)


class TakesNewsAsItComes(Writer):
    """No reorder buffer: whatever comes next is applied."""

    def _follow(self) -> None:
        if not self.in_flight and self._held._by_vector:
            first = min(self._held._by_vector)
            operation = self._held._by_vector.pop(first)
            self._take_foreign(operation)
        super()._follow()


class CorrectsByKeyOnly(Writer):
    """Takes a client that is shown whole cells for one that is shown changed keys."""

    def queue(self, source: Source, caller: Caller, role: RoleAt, intent: Operational) -> None:
        super().queue(source, caller, role, intent)
        self._queue[-1] = msgspec.structs.replace(self._queue[-1], grain=None)


class ForgetsWhatItShowed(Writer):
    """Corrects nothing that a full state or an earlier correction has wiped off the sender's screen."""

    def committed(self) -> None:
        for present in self._state.roster:
            present.show(Shown(0, 0))
        super().committed()


class NeverReadsRightsAgain(Writer):
    """Believes the role that a socket joined with, and commits with whatever permission clock the store has."""

    def stale_rights(self) -> None:
        for user, (caller, role) in self._rights.items():
            self._rights[user] = (caller, role)


def planted(bug: type[Writer]) -> Callable[..., Room]:
    def build(*args: object) -> Room:
        room = Room(*args)  # type: ignore[arg-type]
        room._writer.__class__ = bug
        return room

    return build


CALM, STORMY = False, True

PINNED: dict[type[Writer], tuple[int, bool, str]] = {
    AdmitsAtOnce: (7, STORMY, "VEC5"),
    AnswersBeforeTheCommit: (0, STORMY, "I29"),
    ConfirmsNothing: (3, STORMY, "I6: a false no-op"),
    CorrectsByKeyOnly: (183, CALM, "I2"),
    ForgetsIds: (3, STORMY, "I4"),
    ForgetsWhatItShowed: (129, CALM, "I2"),
    HoldsNothingBack: (67, STORMY, "state_correction"),
    NeverReadsRightsAgain: (1, STORMY, "I25"),
    RecordsAcceptedOnly: (0, STORMY, "I6: a false no"),
    TakesNewsAsItComes: (21, STORMY, "update_vector"),
    TrustsALookup: (8, STORMY, "I6: a false no"),
}
"""The seed that notices, with or without faults, and what it says."""


@pytest.mark.parametrize("bug", PINNED)
def test_I1_I2_I4_I6_I25_VEC5_a_pinned_seed_notices_the_bug(bug: type[Writer]) -> None:
    seed, faults, complaint = PINNED[bug]
    with pytest.raises(AssertionError, match=complaint):
        History(seed, Faults(on=faults), planted(bug)).play()


@pytest.mark.parametrize("bug", PINNED)
def test_the_pinned_seed_holds_without_the_bug(bug: type[Writer]) -> None:
    seed, faults, _ = PINNED[bug]
    History(seed, Faults(on=faults)).play()
