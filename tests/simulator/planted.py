"""Bugs that the simulator must notice, each by the invariant it breaks: `python -m tests.simulator.planted`.

They are switched on at seams of the rooms, stores and workers that a history is given; the product knows none of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from collab.core import writing
from collab.core.apply import Refused, advance, apply
from collab.core.diagram import Diagram
from collab.core.effects import Commit, Effect, Publish, Send
from collab.core.elsewhere import Elsewhere
from collab.core.events import Departure, Event, Joined, Known, Left, Loaded, Pointed, StoreOutcome
from collab.core.room import Room
from collab.core.roster import Shown
from collab.core.state import RoomState
from collab.core.verdicts import Declined, Judged
from collab.core.writer import Writer
from collab.core.writing import Committing, Idle
from protocol.notices import StateShown
from protocol.operations import LoggedOperation, Verdict
from protocol.refusals import Reason, Refusal
from protocol.values import DiagramId, Head, SocketId
from storage.diagrams_memory import MemoryDiagrams
from tests.simulator.bus import Bus
from tests.simulator.faults import Faults
from tests.simulator.histories import STEPS, History
from tests.simulator.ledger import invariant_of
from tests.simulator.worker import Worker

LOST = Refusal(Reason.CONFLICT_DETECTED, "lost")


# in the writing lane --------------------------------------------------------------------------------------------------


class PublishesBeforeTheCommit(Writer):
    def _begin_batch(self) -> bool:
        more = super()._begin_batch()
        if isinstance(self._writing, Committing) and self._writing.judged.operations:
            self._state.ask(Publish(self.diagram.epoch, self._writing.judged.operations))
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


class TakesNewsAsItComes(Writer):
    """No reorder buffer: whatever comes next is applied."""

    def _follow(self) -> None:
        if not self.in_flight and self._held._by_vector:
            first = min(self._held._by_vector)
            operation = self._held._by_vector.pop(first)
            self._take_foreign(operation)
        super()._follow()

    def _take_foreign(self, operation: LoggedOperation) -> None:
        with patch("collab.core.writer.advance", lambda diagram, _: _moved(diagram, operation)):
            super()._take_foreign(operation)


def _moved(diagram: Diagram, operation: LoggedOperation) -> Diagram:
    with suppress(KeyError):  # of a cell whose operation is still to come
        diagram = advance(diagram, operation)
    return msgspec.structs.replace(diagram, vector=operation.vector, state_hash=operation.state_hash)


class NeverComparesHashes(Writer):
    def _diverged(self, head: Head) -> bool:
        return False


class ShowsNoStateOfANewEpoch(Writer):
    """Goes on with events as if nothing had happened."""

    def loaded(self, event: Loaded) -> None:
        super().loaded(event)
        effects = self._state.effects
        effects[:] = [effect for effect in effects if not _shows_state(effect)]


def _shows_state(effect: Effect) -> bool:
    return isinstance(effect, Send) and isinstance(effect.notice, StateShown)


class TrustsALookup(Writer):
    """After an unknown outcome it takes the batch for lost."""

    def unresolved(self) -> None:
        assert isinstance(self._writing, Committing)
        batch, self._writing = self._writing.batch, Idle()
        for waiting in batch:
            self._receipts.refuse(waiting, LOST)


class RefusesBeforeTheCommit(Writer):
    """A no that depends on cells which are not committed yet leaves at once."""

    def _begin_batch(self) -> bool:
        more = super()._begin_batch()
        if isinstance(self._writing, Committing):
            judged = self._writing.judged
            for verdict in judged.verdicts:
                if isinstance(verdict, Declined):
                    self._receipts.release(verdict)
            others = tuple(verdict for verdict in judged.verdicts if not isinstance(verdict, Declined))
            self._writing = msgspec.structs.replace(
                self._writing, judged=msgspec.structs.replace(judged, verdicts=others)
            )
        return more


class RecordsAcceptedOnly(Writer):
    """Refusals are not written down."""

    def _commit(self, writing: Committing) -> Commit:
        commit = super()._commit(writing)
        accepted = tuple(outcome for outcome in commit.outcomes if outcome.verdict is Verdict.ACCEPTED)
        return msgspec.structs.replace(commit, outcomes=accepted)


class ConfirmsNothing(Writer):
    """A batch that accepts nothing is answered without a commit."""

    def _begin_batch(self) -> bool:
        more = super()._begin_batch()
        if isinstance(self._writing, Committing) and not self._writing.judged.operations:
            self._state.effects = [effect for effect in self._state.effects if not isinstance(effect, Commit)]
            self.committed()
            return True
        return more


class NeverReadsRightsAgain(Writer):
    """Believes the role that a socket joined with, and commits with whatever permission clock the store has."""

    def stale_rights(self) -> None:
        for bearer, role in self._rights.items():
            self._rights[bearer] = role


class AdmitsAtOnce(Writer):
    """Lets a newcomer in without a read that began after its arrival."""

    def join(self, event: Joined) -> None:
        super().join(event)
        self._joins.remove(event)
        if self._state.replica.stacks(event.caller.id) is None:
            self._state.replica.set_history(event.caller.id, ())
        self._ready_joins.append(event)


class ForgetsWhatItShowed(Writer):
    """Corrects nothing that a full state or an earlier correction has wiped off the sender's screen."""

    def committed(self) -> None:
        for present in self._state.roster:
            present.show(Shown(0, 0))
        super().committed()


def writer(bug: type[Writer]) -> Callable[..., Room]:
    def build(*args: Any, **more: Any) -> Room:
        room = Room(*args, **more)
        room._writer.__class__ = bug
        return room

    return build


# elsewhere ------------------------------------------------------------------------------------------------------------


class BurnsVectors(MemoryDiagrams):
    """`ON CONFLICT DO NOTHING`: ids that have their outcome are left out, and their vectors are gone."""

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        outcome = await super().commit(diagram, commit)
        if not isinstance(outcome, Known):
            return outcome
        fresh = [one for one in commit.operations if (one.user.id, one.operation_id) not in outcome.outcomes]
        others = [one for one in commit.outcomes if (one.user, one.operation_id) not in outcome.outcomes]
        again = await super().commit(diagram, Commit(commit.base, tuple(fresh), tuple(others), commit.attempt))
        record = self._store.diagrams[diagram]
        if commit.operations:
            vector = commit.operations[-1].vector
            record.head = msgspec.structs.replace(record.head, vector=max(vector, record.head.vector))
        return again


class ComparesWithoutHash(MemoryDiagrams):
    """Compare-and-set on epoch, vector and acl_version alone: what was judged on damaged memory is written."""

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        head = self._store.diagrams[diagram].head
        base = msgspec.structs.replace(commit.base, state_hash=head.state_hash)
        return await super().commit(diagram, msgspec.structs.replace(commit, base=base))


class NeverPolls(Worker):
    """No watch of the heads: news is all there is."""

    def poll(self) -> None:
        self.polled_at_s = self.world.time_s


class CancelsCommits(Worker):
    """The end of a socket takes the commit with it that its operation is in."""

    def post(self, event: Event) -> None:
        room = self.room
        if isinstance(event, Left) and room is not None and room._writer.holds(event.socket):
            mine = [call for call in self.world.calls if call.worker is self and isinstance(call.effect, Commit)]
            for call in mine:
                self.world.calls.remove(call)
                room._writer._writing = Idle()
        super().post(event)


class TakesEmptyForNobody(Bus):
    """A Redis without memory is a room without people."""

    @property
    def knows(self) -> bool:
        return self.healthy


class EvictsByUser(Room):
    """The late close of an older socket takes the newer ones of its user along."""

    def _part(self, socket: SocketId, how: Departure) -> None:
        present = self._state.roster.get(socket)
        super()._part(socket, how)
        if present is not None:
            for other in self._state.roster.of(present.caller.id):
                self._door.left(other.socket, how)


class OldSnapshot(Room):
    """A diagram that is opened shows what it held when it was opened first, and nobody compares."""

    first: Diagram | None = None

    def __init__(self, model: Any, loaded: Loaded, *rest: Any, **more: Any) -> None:
        diagram = loaded.diagram
        kind = type(self)
        if kind.first is None or kind.first.epoch != diagram.epoch or kind.first.vector > diagram.vector:
            kind.first = diagram
        older = kind.first
        stale = Diagram.restore(diagram.id, diagram.epoch, diagram.vector, older.cells_in_order(), None)
        super().__init__(model, Loaded(stale, loaded.acl_version, (), None), *rest, **more)
        self._writer.__class__ = NeverComparesHashes


# by patches -----------------------------------------------------------------------------------------------------------


def half_applied(diagram: Diagram, changes: Any, *rest: Any) -> Any:
    """Of a batch that cannot be done as a whole, what can."""
    outcome = apply(diagram, changes, *rest)
    return apply(diagram, changes[:1], *rest) if isinstance(outcome, Refused) and len(changes) > 1 else outcome


def shown_as_said(self: Elsewhere, event: Pointed) -> bool:
    """Whatever term it was said in."""
    if self._state.session is None or self._state.session.id != event.session:
        return False
    there = self._state.roster.remote.connections()
    seen = [update for update in event.updates if update.connection_id in there]
    return any([self._state.awareness.hear(update, update.presenting, event.serial) for update in seen])


def forget_but_cursors(self: RoomState) -> None:
    self.session = None
    self._listed.clear()
    self.roster.unheard.clear()
    self.roster.remote.clear()


def with_base_vector(intent: Any) -> bytes:
    return bytes(writing_payload(intent)[:-1]) + bytes([(getattr(intent, "base_vector", None) or 0) % 256])


writing_payload = writing.payload_of


class Plant(msgspec.Struct, frozen=True):
    """One bug: the invariant that it breaks, and how a history is given it."""

    name: str
    invariant: str
    world: Mapping[str, Any] = {}
    patches: Mapping[str, Any] = {}
    calm: bool = False
    rates: Mapping[str, float] = {}
    without: tuple[str, ...] = ()

    @contextmanager
    def history(self, seed: int) -> Iterator[History]:
        OldSnapshot.first = None
        with _patched(self.patches):
            faults = Faults(on=not self.calm, without=self.without)
            yield History(seed, faults, rates=self.rates, **self.world)

    def breaks(self, seed: int) -> str | None:
        """The invariant that a seed finds broken."""
        with self.history(seed) as history:
            try:
                history.play(STEPS)
            except Exception as error:
                return invariant_of(error)
        return None


@contextmanager
def _patched(patches: Mapping[str, Any]) -> Iterator[None]:
    running = [patch(place, thing) for place, thing in patches.items()]
    for one in running:
        one.start()
    try:
        yield
    finally:
        for one in reversed(running):
            one.stop()


def in_writer(bug: type[Writer]) -> dict[str, Any]:
    return {"make_room": writer(bug)}


PLANTS = (
    # the table of the campaign
    Plant("publish before commit", "I7", in_writer(PublishesBeforeTheCommit)),
    Plant("receipt before commit", "I1", in_writer(AnswersBeforeTheCommit)),
    Plant("no dedupe", "I4", in_writer(ForgetsIds)),
    Plant("DO NOTHING gap", "I3", {"diagrams": BurnsVectors}),
    Plant("no reorder buffer", "I8", in_writer(TakesNewsAsItComes)),
    Plant("no head poll", "I18", {"worker": NeverPolls}),
    Plant("batch not atomic", "I11", patches={"collab.core.writing.apply": half_applied}),
    Plant(
        "undo by snapshot",
        "I14",
        {"undo": 0.4, "editors": 6},
        patches={
            "collab.core.reversal.Reversal._obstacle": lambda *_: None,
            "collab.core.reversal.Reversal._changed": lambda *_: False,
        },
    ),
    Plant("old snapshot at join", "I9", {"make_room": OldSnapshot}),
    Plant("late close evicts the new socket", "I23", {"make_room": EvictsByUser}),
    Plant("rights read only at join", "I25", in_writer(NeverReadsRightsAgain)),
    Plant(
        "presenter term ignored",
        "I20",
        patches={
            "collab.core.elsewhere.Elsewhere.pointed": shown_as_said,
            "collab.core.chair.Chair._new_term": lambda _: None,
        },
        rates={"point": 0.08, "present": 0.05},
    ),
    Plant("commit cancelled with its socket", "I6", {"worker": CancelsCommits}),
    Plant("hash not checked", "I2", {**in_writer(NeverComparesHashes)}, rates={"damage": 0.02}),
    Plant("epoch ignored", "I16", in_writer(ShowsNoStateOfANewEpoch)),
    # the next ones
    Plant("lookup trusted after an unknown outcome", "I6", in_writer(TrustsALookup)),
    Plant("rejection judged on uncommitted state", "I6", in_writer(RefusesBeforeTheCommit)),
    Plant("refusals not written down", "I6", in_writer(RecordsAcceptedOnly)),
    Plant(
        "empty Redis read as absence",
        "I22",
        {"bus": TakesEmptyForNobody},
        patches={"collab.core.elsewhere.REFRESHED_S": 0.0},
        rates={"deafness": 0.02, "pass_time": 0.15},
        without=("kill", "doom", "freeze", "end", "epoch"),
    ),
    Plant("payload hash over base_vector", "I4", patches={"collab.core.writing.payload_of": with_base_vector}),
    # and some of our own
    Plant("admitted without a read", "I10", in_writer(AdmitsAtOnce)),
    Plant("a no-op answered without a commit", "I6", in_writer(ConfirmsNothing)),
    Plant("corrections forget what was shown", "I2", in_writer(ForgetsWhatItShowed), calm=True),
    Plant(
        "cursors outlive the session",
        "I20",
        patches={"collab.core.state.RoomState.forget_everybody": forget_but_cursors},
        rates={"end": 0.02, "point": 0.1},
    ),
    Plant("damaged memory is written", "I13", {"diagrams": ComparesWithoutHash}, rates={"damage": 0.01}),
)


def seeds_needed(plant: Plant, upto: int) -> int | None:
    """The first seed of so many that names the invariant."""
    return next((seed for seed in range(upto) if plant.breaks(seed) == plant.invariant), None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.simulator.planted", description=__doc__)
    parser.add_argument("--upto", type=int, default=300, help="seeds for each")
    parser.add_argument("--only", help="part of a name")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    found: dict[str, int | None] = {}
    for plant in PLANTS:
        if options.only is None or options.only in plant.name:
            found[plant.name] = seed = seeds_needed(plant, options.upto)
            print(f"{plant.invariant:>4}  {plant.name}: {'not found' if seed is None else f'seed {seed}'}", flush=True)
    missed = [name for name, seed in found.items() if seed is None]
    caught = len(found) - len(missed)
    print(f"{caught}/{len(found)} planted bugs caught within {options.upto} seeds each")
    names = {plant.invariant: "held" if plant.name not in missed else "violated" for plant in PLANTS}
    summary = {
        "name": "H8 planted bugs",
        "counts": {"planted": len(found), "caught": caught},
        "injected": {name: 1 for name in found},
        "recoveries": {name: seed + 1 for name, seed in found.items() if seed is not None},
        "invariants": names,
        "skipped": [],
    }
    if options.json is not None:
        options.json.write_text(json.dumps(summary | {"failed": missed}, indent=2))
    print(json.dumps(summary))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
