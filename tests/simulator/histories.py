"""One random history: what is done in it, and what must be true at its end whatever happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from collab.core.events import RightsMoved
from collab.core.history import Stacks
from collab.core.room import Room
from protocol.operations import Kind, LoggedOperation
from protocol.values import Role
from tests.naive import NaiveDiagram, canonical
from tests.simulator.clients import V1, Classic, Editor, Message, Tmi
from tests.simulator.world import DIAGRAM, Faults, World, run

STEPS = 260
IDS = [f"7d3e6f5a-0000-4000-8000-00000000000{digit}" for digit in "12345"]
EDGES = [f"0b9c1d2e-0000-4000-8000-00000000000{digit}" for digit in "12"]


class History:
    def __init__(
        self, seed: int, faults: Faults | None = None, make_room: Callable[..., Room] = Room, **world: Any
    ) -> None:
        self.chance = random.Random(seed)
        self.world = World(seed, faults or Faults(), make_room, **world)
        self.editors: list[Editor] = [
            V1("ana", self.world),
            V1("bo", self.world),
            Tmi("cy", self.world),
            V1("di", self.world),
            Classic("eve", self.world),
        ]
        for editor in self.editors:
            self.world.store.set_role(editor.user.id, Role.WRITER)
        self.world.open_session(self.editors[0].user)
        self.number = 0
        self.demoted: list[tuple[int, str, Role]] = []

    def play(self, steps: int = STEPS) -> Counter[str]:
        for _ in range(steps):
            self.step()
        self.finish()
        return self.world.count

    # what happens -----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        editor, draw, faults = self.chance.choice(self.editors), self.chance.random(), self.world.faults
        workers = list(self.world.workers.values())
        if draw < faults.kill:
            self.world.kill(self.chance.choice(workers))
        elif draw < faults.kill + faults.demote:
            self.change_role(editor)
        elif not editor.connected:
            editor.leave()
            editor.join(self.chance.choice(workers))
        elif self.chance.random() < faults.cut:
            editor.leave()
        elif draw < 0.22:
            editor.look()
        elif draw < 0.50:
            self.world.progress()
        elif draw < 0.62:
            self.world.deliver_news()
        elif draw < 0.66:
            self.world.pass_time(self.chance.choice((0.01, 0.06, 0.25)))
        elif draw < 0.68:
            self.world.poll_heads()
        elif draw < 0.70 and editor.asked and self.chance.random() < 0.5:
            editor.send(self.chance.choice(list(editor.asked.values())))
            self.world.count["sent twice"] += 1
        else:
            self.act(editor)

    def act(self, editor: Editor) -> None:
        self.number += 1
        if self.chance.random() < 0.25:
            self.world.count["undo"] += 1
            editor.invert(self.number, self.chance.choice(("undo", "undo", "redo")))
        else:
            editor.edit(self.number, self.cells(), strict=self.chance.random() < 0.15)

    def change_role(self, editor: Editor) -> None:
        role = Role.READER if self.world.role(editor.caller).role is Role.WRITER else Role.WRITER
        self.world.store.set_role(editor.user.id, role)
        self.demoted.append((self.world.head().vector, editor.user.id, role))
        self.world.count["role"] += 1
        self.chance.choice(list(self.world.workers.values())).post(RightsMoved())

    def cells(self) -> list[Message]:
        return [self.cell() for _ in range(self.chance.choice((1, 1, 1, 2)))]

    def cell(self) -> Message:
        if self.chance.random() < 0.2:
            return self.edge()
        id, draw = self.chance.choice(IDS), self.chance.random()
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
        world.settle()
        for _ in range(8):
            for editor in self.editors:
                editor.look()
                if not editor.connected:
                    editor.leave()
                    editor.join(self.chance.choice(list(world.workers.values())))
            world.settle()
            for editor in self.editors:
                editor.look()
                if isinstance(editor, Tmi) and editor.doubtful:
                    editor.send({"message_type": "sync_request"})
            world.settle()
            if all(editor.connected and not editor.wire.frames for editor in self.editors):
                break
        for editor in self.editors:
            editor.look()
        self.check()

    def check(self) -> None:
        log = self.log()
        truth = NaiveDiagram([])
        for vector, operation in enumerate(log, 1):
            assert operation.vector == vector, ("I3", vector, operation.vector)
            truth.replay(operation.effect)
            assert truth.hash() == operation.state_hash, ("I13", vector)
        keys = [(operation.user.id, operation.operation_id) for operation in log]
        assert len(keys) == len(set(keys)), "I4"
        self.check_rights(log)
        head = self.world.head()
        assert (head.vector, head.state_hash) == (len(log), truth.hash()), "I3"
        for worker in self.world.workers.values():
            diagram = worker.room.state.replica.diagram
            assert (diagram.vector, diagram.state_hash) == (head.vector, head.state_hash), ("I2", worker.name)
            assert list(diagram.cells_in_order()) == truth.cells, ("I2 order", worker.name)
        for editor in self.editors:
            self.check_editor(
                editor, truth, {key[1]: o for key, o in zip(keys, log, strict=True) if key[0] == editor.user.id}
            )

    def check_stacks(self) -> None:
        """UN11, where one worker knows of everything: what it kept is what it would read."""
        (worker,) = self.world.workers.values()
        replica = worker.room.state.replica
        for editor in self.editors:
            kept, undoer = replica.stacks(editor.user.id), replica.undoer(editor.user.id)
            steps = run(self.world.store.diagrams.history(DIAGRAM, replica.diagram.epoch, undoer, 10_000))
            assert kept in (None, Stacks.of(steps)), (editor.name, "UN11")

    def check_rights(self, log: list[LoggedOperation]) -> None:
        for vector, user, role in self.demoted:
            if role is Role.READER:
                until = next(
                    (v for v, u, _ in self.demoted if u == user and v >= vector and _ is Role.WRITER), len(log)
                )
                assert all(operation.user.id != user for operation in log[vector:until]), ("I25", user, vector)

    def check_editor(self, editor: Editor, truth: NaiveDiagram, mine: dict[str, LoggedOperation]) -> None:
        name = editor.name
        assert editor.connected, (name, "I29")
        assert not editor.asked, (name, "I6", editor.asked)
        for id, vector in editor.yes.items():
            assert id in mine and mine[id].vector == vector, (name, id, "I1: a false yes")
        assert not (editor.no.keys() & mine.keys()), (name, "I6: a false no")
        assert not (editor.noop & mine.keys()), (name, "I6: a false no-op")
        shown = getattr(editor, "copy").cells  # noqa: B009
        if isinstance(editor, V1):
            assert editor.vector == len(self.log()), (name, "I2", editor.vector)
            assert shown == truth.cells, (name, "I2", shown, truth.cells)
        else:
            assert by_id(shown) == by_id(truth.cells), (name, "I2", by_id(shown) ^ by_id(truth.cells))

    def log(self) -> list[LoggedOperation]:
        caught = run(self.world.store.diagrams.since(DIAGRAM, self.world.store.beginning()))
        return list(caught.operations)


def by_id(cells: list[dict[str, Any]]) -> set[bytes]:
    return {canonical(cell) for cell in cells}


def inverted(log: list[LoggedOperation]) -> int:
    return sum(operation.kind in (Kind.UNDO, Kind.REDO) for operation in log)
