"""One random history: what is done in it, and what must be true at its end whatever happened."""

from __future__ import annotations

import random
from bisect import bisect
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from collab.core.events import Closing, Departure
from collab.core.history import Stacks
from collab.core.kept import step
from collab.core.meeting import Deny, End
from protocol.operations import Kind, LoggedOperation, Verdict
from protocol.refusals import Ending
from protocol.values import Role, User
from tests.naive import canonical
from tests.simulator.clients import Editor, Message
from tests.simulator.dialects import V1, Classic, Tmi
from tests.simulator.faults import BY_CALL, STORMS, Faults
from tests.simulator.worker import Worker
from tests.simulator.world import DIAGRAM, World, nobody, run

STEPS = 220
IDS = [f"7d3e6f5a-0000-4000-8000-00000000000{digit}" for digit in "12345"]
EDGES = [f"0b9c1d2e-0000-4000-8000-00000000000{digit}" for digit in "12"]
FAVOURITES = (*IDS, *IDS[:2], *IDS[:2])
"""Two of the cells are what most of it is about."""
NAMES = ("ana", "bo", "cy", "di", "eve", "flo")
CAST: tuple[type[Editor], ...] = (V1, V1, Tmi, V1, Classic, Tmi)

ORDINARY = {
    "look": 0.20,
    "progress": 0.36,
    "deliver": 0.12,
    "pass_time": 0.04,
    "ask_twice": 0.02,
    "point": 0.02,
    "present": 0.012,
    "get": 0.01,
    "misuse": 0.006,
    "act": 0.26,
}
"""What happens how often where nothing goes wrong."""


class History:
    """`undo`: the share of undo and redo among what is asked; `rates`: chances of steps that are not the usual ones."""

    def __init__(
        self,
        seed: int,
        faults: Faults | None = None,
        *,
        undo: float = 0.3,
        rates: Mapping[str, float] = {},
        editors: int | None = None,
        workers: int | None = None,
        **world: Any,
    ) -> None:
        self.chance = chance = random.Random(seed)
        drawn = chance.choice((2, 2, 3, 4)), chance.choice((3, 4, 5, 5, 6))
        self.world = World(seed, faults or Faults(), workers=workers or drawn[0], **world)
        self.editors = [CAST[i](i, NAMES[i], self.world) for i in range(editors or drawn[1])]
        self.world.names, self.world.editors = NAMES, self.editors
        self.undo = undo
        self.world.on_denied, self.world.on_ended = self.denied, self.forgive
        for editor in self.editors:
            self.world.store.set_role(editor.user.id, Role.WRITER)
        self.world.open_session(self.editors[0].user)
        self.number = 0
        self.withdrawn: list[tuple[str, Any, int, int]] = []
        """Users without a right: epoch and vector at its loss, and the vector when they had it again, or -1."""
        mine = self.world.faults
        table = ORDINARY | {name: mine.chances[name] for name in FAULTS if mine.on} | dict(rates)
        self._steps = [self.nothing if name in mine.without else getattr(self, name) for name in table]
        self._sums = list(accumulate(table.values()))

    def play(self, steps: int = STEPS) -> Counter[str]:
        chance, sums = self.chance.random, self._sums
        total = sums[-1]
        for _ in range(steps):
            editor = self.chance.choice(self.editors)
            if not editor.connected:
                editor.leave()
                editor.join(self.any_worker())
            self._steps[bisect(sums, chance() * total)](editor)
        self.finish()
        self.sum_up()
        return self.world.count

    def sum_up(self) -> None:
        """What can be counted at the end only."""
        count, outcomes = self.world.count, [outcome for outcome, _ in self.world.store.record.outcomes.values()]
        inversions = [outcome for outcome in outcomes if outcome.kind in (Kind.UNDO, Kind.REDO)]
        count["operations"] = self.number
        count["accepted"] = sum(len(truth.log) for truth in self.world.truths)
        count["inverted"] = sum(outcome.verdict is Verdict.ACCEPTED for outcome in inversions)
        futile = (outcome.verdict is Verdict.NO_OP for outcome in inversions)
        count["undo conflict"] = sum(bool(outcome.skipped) for outcome in inversions) + sum(futile)

    def any_worker(self) -> Worker:
        return self.chance.choice(list(self.world.workers.values()))

    # what happens -----------------------------------------------------------------------------------------------------

    def look(self, editor: Editor) -> None:
        editor.look()

    def progress(self, editor: Editor) -> None:
        self.world.progress()

    def deliver(self, editor: Editor) -> None:
        self.world.bus.deliver()

    def pass_time(self, editor: Editor) -> None:
        self.world.pass_time(self.chance.choice((0.01, 0.06, 0.25, 0.25, 1.0, 3.0)))

    def ask_twice(self, editor: Editor) -> None:
        if editor.asked and self.chance.random() < 0.5:
            editor.send(self.chance.choice(list(editor.asked.values())))
            self.world.count["sent twice"] += 1

    def point(self, editor: Editor) -> None:
        editor.point()

    def present(self, editor: Editor) -> None:
        if isinstance(editor, V1) and editor.admitted:
            action = self.chance.choice(("request", "grant", "grant", "release"))
            whom = self.chance.choice(self.editors).user if action == "grant" else None
            editor.present(action, whom)
            self.world.count["presenter asked"] += 1

    def get(self, editor: Editor) -> None:
        """I10: by REST, at any worker, whoever is there: a read of the head, and the room if it stands there."""
        world = self.world
        if world.away:
            return
        head, room = world.store.head, self.any_worker().room
        live = room.state.replica.diagram if room is not None else None
        fresh = live is not None and live.epoch == head.epoch and live.vector >= head.vector
        shown = live if fresh and live is not None else world.load().loaded.diagram
        newest = max(editor.yes.values(), default=0)
        world.ledger.hold(shown.vector >= newest, "I10", editor.name, shown.vector, newest)
        world.ledger.hold(shown.vector <= head.vector, "I7", "a GET", shown.vector, head.vector)

    def misuse(self, editor: Editor) -> None:
        if isinstance(editor, V1) and editor.yes:
            self.world.count["id misused"] += 1
            editor.misuse(self.chance.choice(list(editor.yes)))

    def act(self, editor: Editor) -> None:
        self.number += 1
        if self.chance.random() < self.undo:
            self.world.count["undo asked"] += 1
            editor.invert(self.number, self.chance.choice(("undo", "undo", "redo")))
        else:
            editor.edit(self.number, self.cells(), strict=self.chance.random() < 0.15)
        if self.chance.random() < self.world.faults["repeat"] and editor.asked:
            editor.send(next(reversed(editor.asked.values())))
            self.world.count["sent twice"] += 1

    def nothing(self, editor: Editor) -> None:
        """A fault that is left out."""

    # what goes wrong --------------------------------------------------------------------------------------------------

    def kill(self, editor: Editor) -> None:
        self.world.kill(self.any_worker())

    def doom(self, editor: Editor) -> None:
        self.any_worker().doomed = self.chance.randrange(12)

    def freeze(self, editor: Editor) -> None:
        worker = self.any_worker()
        if not worker.frozen:
            self.world.freeze(worker, self.chance.choice((0.3, 1.0, 2.0, 60.0)))

    def outage(self, editor: Editor) -> None:
        self.world.count["store outage"] += 1
        self.world.away_until_s = self.world.time_s + self.chance.choice((0.1, 0.3, 1.0, 12.0))

    def deafness(self, editor: Editor) -> None:
        world = self.world
        world.bus.fail()
        if self.chance.random() < 0.4:
            world.bus.empty()
        world.later.append((world.time_s + self.chance.choice((0.3, 2.0, 8.0)), world.bus.recover))

    def damage(self, editor: Editor) -> None:
        self.world.damage(self.any_worker())

    def epoch(self, editor: Editor) -> None:
        if not self.world.away:
            self.world.new_epoch()

    def drain(self, editor: Editor) -> None:
        worker = self.any_worker()
        if not worker.frozen:
            self.world.count["drain"] += 1
            worker.drain()

    def close(self, editor: Editor) -> None:
        """What the sweeper of each worker does."""
        for worker in self.world.workers.values():
            if worker.room is not None and worker.room.empty and not worker.frozen and not worker.inbox:
                self.world.count["room closed"] += 1
                worker.post(Closing())

    def demote(self, editor: Editor) -> None:
        world = self.world
        had = world.role(editor.caller).role
        role = self.chance.choice((Role.READER, Role.NONE)) if had is Role.WRITER else Role.WRITER
        world.store.set_role(editor.user.id, role)
        world.count["role"] += 1
        if had is Role.WRITER:
            self.withdraw(editor, "I25")
        elif role is Role.WRITER:
            self.give_back(editor, "I25")
        editor.lost_s = world.time_s if role is Role.NONE else None
        world.tell_moved(self.any_worker())

    def eject(self, editor: Editor) -> None:
        """By the host: another editor, at the worker of the host's socket."""
        world, session = self.world, self.world.live()
        host = next((e for e in self.editors if session is not None and e.user.id == session.host.id), None)
        if session is None or host is None or host is editor or editor.user.id in session.denied or world.away:
            return
        presenter = session.presenter if session.presenter != editor.user else host.user
        if isinstance(host, V1) and host.admitted and self.chance.random() < 0.7:
            host.eject(editor.user)
        else:
            world.change_session(Deny(editor.user, presenter), host.worker)

    def denied(self, user: User) -> None:
        """From now on, and for this session."""
        self.world.count["ejected"] += 1
        for editor in self.editors:
            if editor.user.id == user.id:
                self.withdraw(editor, "I24")
                editor.lost_s = self.world.time_s

    def end(self, editor: Editor) -> None:
        if self.world.change_session(End(Ending.HOST_ENDED)) is not None:
            self.world.count["session ended"] += 1

    def expire(self, editor: Editor) -> None:
        editor.expire()

    def cut(self, editor: Editor) -> None:
        editor.leave(Departure.CLEAN if self.chance.random() < 0.1 else Departure.LOST)

    def halve(self, editor: Editor) -> None:
        """The client is back before its server knows that it was gone."""
        if editor.connected:
            worker = editor.worker if self.chance.random() < 0.7 else self.any_worker()
            assert worker is not None
            editor.leave(noticed_s=self.chance.choice((0.1, 1.0, 20.0)))
            editor.join(worker)

    def withdraw(self, editor: Editor, invariant: str) -> None:
        world = self.world
        self.withdrawn.append((editor.user.id, (invariant, world.store.head.epoch), world.store.head.vector, -1))

    def give_back(self, editor: Editor, invariant: str) -> None:
        for index, (user, how, since, until) in enumerate(self.withdrawn):
            if user == editor.user.id and until < 0 and how[0] == invariant:
                self.withdrawn[index] = (user, how, since, self.world.store.head.vector)

    def forgive(self) -> None:
        """Who was ejected was so for that session."""
        for editor in self.editors:
            self.give_back(editor, "I24")
            if editor.lost_s is not None and not nobody(self.world.role(editor.caller)):
                editor.lost_s, editor.spared_s = None, self.world.time_s

    # what is asked ----------------------------------------------------------------------------------------------------

    def cells(self) -> list[Message]:
        return [self.cell() for _ in range(self.chance.choice((1, 1, 1, 2)))]

    def cell(self) -> Message:
        if self.chance.random() < 0.2:
            return self.edge()
        id, draw = self.chance.choice(FAVOURITES), self.chance.random()
        if draw < 0.15:
            return {"id": id, "operation": "remove"}
        if draw < 0.40:
            return {"id": id, "operation": "add", "data": self.node()}
        return {"id": id, "operation": "update", "data": self.patch()}

    def node(self) -> dict[str, Any]:
        data: dict[str, Any] = {"shape": "process", "x": self.small(), "y": 0, "width": 80, "height": 60}
        if self.chance.random() < 0.3:
            data["attrs"] = {"body": {"fill": f"#{self.small()}"}}
        if self.chance.random() < 0.2:
            data["parent"] = self.chance.choice(IDS)
        return data

    def patch(self) -> dict[str, Any]:
        return self.chance.choice(
            (
                {"x": self.small()},
                {"y": self.small()},
                {"x": self.small(), "y": self.small()},
                {"label": f"L{self.small()}"},
                {"label": None},
                {"attrs": {"body": {"fill": f"#{self.small()}"}}},
                {"attrs/body/stroke": f"#{self.small()}"},
                {"attrs/body/stroke": None},
            )
        )

    def edge(self) -> Message:
        id, draw = self.chance.choice(EDGES), self.chance.random()
        if draw < 0.15:
            return {"id": id, "operation": "remove"}
        source, target = self.chance.choice(IDS), self.chance.choice(IDS)
        ends = {"source": {"cell": source}, "target": {"cell": target}}
        if draw < 0.6:
            return {"id": id, "operation": "add", "data": {"shape": "flow", **ends}}
        return {"id": id, "operation": "update", "data": self.chance.choice((ends, {"label": f"E{self.small()}"}))}

    def small(self) -> int:
        return self.chance.randrange(4)

    # the end ----------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Heal, let everybody come back and ask again, then compare everything with the log."""
        world = self.world
        world.heal()
        self.pardon()
        self.check_rooms_follow()
        self.lose_last_frames()
        for _ in range(10):
            if self.all_back():
                break
        self.check_roster()
        self.check()

    def check_roster(self) -> None:
        """I22: who is listed is who is there; of a worker that was killed that takes half a minute."""
        world = self.world
        here = frozenset(editor.name for editor in self.editors if editor.connected and editor.admitted)
        long = world.count["kill"] and self.chance.random() < 0.3
        if world.count["kill"] and not long:
            return
        for seconds in (12.0, 12.0, 12.0) if long else (2.0,):
            world.pass_time(seconds, tick_s=seconds)
            world.settle()
            world.bus.deliver(1)
        for editor in self.editors:
            editor.look()
            if editor.connected and not isinstance(editor, Classic):
                world.ledger.hold(editor.roster == here, "I22", editor.name, editor.roster ^ here)

    def pardon(self) -> None:
        """Everybody has every right again, and a session to come to."""
        session = self.world.live()
        if session is not None and (session.denied or session.host_grace_until_ms is not None):
            self.world.change_session(End(Ending.HOST_ENDED))
        for editor in self.editors:
            if self.world.role(editor.caller).role is not Role.WRITER:
                self.world.store.set_role(editor.user.id, Role.WRITER)
                self.give_back(editor, "I25")
            editor.lost_s = None

    def check_rooms_follow(self) -> None:
        """I18: the last news was lost; a second later every room is right all the same."""
        world = self.world
        for _ in range(10):
            world.settle()
            world.bus.lose_all()
            head = world.store.head
            for _ in range(4):
                world.pass_time(0.25)
                world.settle()
            if world.store.head == head:
                break
        for worker in world.workers.values():
            if worker.room is not None:
                diagram = worker.room.state.replica.diagram
                here = (diagram.epoch, diagram.vector)
                world.ledger.hold(here == (head.epoch, head.vector), "I18", worker.name, here, head)
                world.ledger.hold(diagram.state_hash == head.state_hash, "I2", worker.name, "its memory", here)

    def lose_last_frames(self) -> None:
        """I18: the last frame of a `codraw.v1` socket is lost, and nothing follows but the heartbeat."""
        world = self.world
        deaf: list[V1] = []
        for editor in self.editors:
            frames = editor.wire.frames
            if not isinstance(editor, V1) or not (world.faults_were and editor.admitted and frames):
                editor.look()
            elif b"event" in frames[-1].frame.payload and self.chance.random() < 0.5:
                frames.pop()
                deaf.append(editor)
                editor.look()
                editor.deaf = True
        if not deaf:
            return
        world.settle()
        world.pass_time(15.0, tick_s=5.0)
        for _ in range(2):
            world.settle()
            for editor in self.editors:
                editor.look()
        for editor in deaf:
            if editor.connected:
                world.ledger.hold(editor.vector == world.store.head.vector, "I18", editor.name, editor.vector)
        world.count["last frame lost"] += len(deaf)

    def all_back(self) -> bool:
        world = self.world
        # what the host asked for last may have been decided only now
        self.pardon()
        for editor in self.editors:
            editor.look()
            if isinstance(editor, Classic) and editor.doubtful:
                editor.leave()
            if not editor.connected:
                editor.leave()
                editor.join(self.any_worker())
        world.settle()
        for editor in self.editors:
            editor.look()
            if isinstance(editor, Tmi) and editor.doubtful:
                editor.send({"message_type": "sync_request"})
        for _ in range(2):
            world.settle()
            world.bus.deliver(1)
            world.pass_time(0.5, tick_s=0.5)
        world.settle()
        return all(
            editor.connected
            and editor.admitted
            and not editor.wire.frames
            and not editor.asked
            and not getattr(editor, "doubtful", False)
            for editor in self.editors
        )

    def check(self) -> None:
        world, hold = self.world, self.world.ledger.hold
        truth = world.truth
        rows = [row for epoch in world.truths for row in epoch.log]
        keys = [(row.user.id, row.operation_id) for row in rows]
        hold(len(keys) == len(set(keys)), "I4", "twice in the log")
        self.check_withdrawn()
        head = world.store.head
        hold((head.vector, head.state_hash) == (truth.vector, truth.hashes[-1]), "I3", head, truth.vector)
        for epoch in world.truths:
            epoch.check_inversions(self.same_stack)
        for worker in world.workers.values():
            if worker.room is not None:
                diagram = worker.room.state.replica.diagram
                hold((diagram.vector, diagram.state_hash) == (head.vector, head.state_hash), "I2", worker.name)
                hold(list(diagram.cells_in_order()) == truth.cells(truth.vector), "I2", worker.name, "order")
        for editor in self.editors:
            self.check_editor(editor, {row.operation_id: row for row in rows if row.user.id == editor.user.id})

    def same_stack(self, one: LoggedOperation, other: LoggedOperation) -> bool:
        return self.world.settings.shared_undo or one.user.id == other.user.id

    def check_stacks(self) -> None:
        """UN11, where one worker knows of everything: what it kept is what it would read."""
        (worker,) = self.world.workers.values()
        if worker.room is None:
            return
        replica = worker.room.state.replica
        for editor in self.editors:
            kept, undoer = replica.stacks(editor.user.id), replica.undoer(editor.user.id)
            steps = run(self.world.store.diagrams.history(DIAGRAM, replica.diagram.epoch, undoer, 10_000))
            assert kept in (None, Stacks.of(map(step, steps))), (editor.name, "UN11")

    def check_withdrawn(self) -> None:
        """I24, I25, I21: nothing is logged of whom the right was taken, nor between two sessions."""
        world = self.world
        for user, (invariant, _), since, until in self.withdrawn:
            end = until if until >= 0 else world.store.head.vector
            late = [row.vector for row in self.rows(since, end) if row.user.id == user]
            world.ledger.hold(not late, invariant, user, since, late)
        for since, until in world.endings:
            late = [row.vector for row in self.rows(since, until if until >= 0 else world.store.head.vector)]
            world.ledger.hold(not late, "I21", "after the end", since, late)

    def rows(self, since: int, until: int) -> list[LoggedOperation]:
        return [row for truth in self.world.truths for row in truth.log if since < row.vector <= until]

    def check_editor(self, editor: Editor, mine: dict[str, LoggedOperation]) -> None:
        name, hold, truth = editor.name, self.world.ledger.hold, self.world.truth
        hold(editor.connected, "I29", name, "is not back", editor.wire.closed)
        hold(not editor.asked, "I6", name, "without an answer", editor.asked)
        for id, vector in editor.yes.items():
            hold(id in mine and mine[id].vector == vector, "I1", name, id, "a false yes")
        hold(not (editor.no.keys() & mine.keys()), "I6", name, "a false no", editor.no.keys() & mine.keys())
        hold(not (editor.noop & mine.keys()), "I6", name, "a false no-op", editor.noop & mine.keys())
        shown, cells = getattr(editor, "copy").cells, truth.cells(truth.vector)  # noqa: B009
        if isinstance(editor, V1):
            hold((editor.epoch, editor.vector) == (truth.epoch, truth.vector), "I2", name, editor.vector)
            hold(shown == cells, "I2", name, shown, cells)
        else:
            hold(by_id(shown) == by_id(cells), "I2", name, by_id(shown) ^ by_id(cells))


FAULTS = tuple(name for name in STORMS if name not in BY_CALL)


def by_id(cells: list[dict[str, Any]]) -> set[bytes]:
    return {canonical(cell) for cell in cells}
